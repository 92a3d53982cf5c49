import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { CacheKey } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { checkKey, checkTtl, createInCache } from "./keys.ts";
import type { CollectionExpiry, ListEnd, ListRange, ListSlice, ListStore, PoppedElement } from "./list-store.ts";

/** Time to live of a collection: counts for a new one; one that exists keeps its end unless it `isRefreshed`. */
export interface CollectionTtl {
  /** 1..`limits.itemTtlMaxMs` */
  readonly ttlMs: number;
  readonly isRefreshed: boolean;
}

/** What is pushed: up to `limits.list.pushMaxValues` values of up to `limits.elementMaxBytes` each. */
export interface Push {
  readonly end: ListEnd;
  readonly values: readonly Uint8Array[];
  /** How many elements the list has at most afterwards, cut at the other end; 0: no bound. */
  readonly truncateTo: number;
  readonly ttl: CollectionTtl;
}

/**
 * The lists of a cache. Lengths that are answered are those afterwards; undefined: there is no list. A list without elements does
 * not exist. All: @throws TodokuError `failed_precondition`: the key holds another type.
 */
export interface Lists {
  /** Adds the values in their order, at the front too. @throws TodokuError `limit_exceeded`. */
  push(principal: Principal, cache: string, key: Uint8Array, push: Push): Promise<number>;
  /** Reads and writes, so it needs both permissions. */
  pop(principal: Principal, cache: string, key: Uint8Array, end: ListEnd): Promise<PoppedElement | undefined>;
  fetch(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    slice: ListSlice,
  ): Promise<readonly Uint8Array[] | undefined>;
  length(principal: Principal, cache: string, key: Uint8Array): Promise<number | undefined>;
  /** Drops all but the slice. */
  retain(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    slice: ListSlice,
    ttl: CollectionTtl,
  ): Promise<number | undefined>;
  /** Drops every element with this value. */
  remove(principal: Principal, cache: string, key: Uint8Array, value: Uint8Array): Promise<number | undefined>;
  /** Drops up to `limits.list.eraseMaxRanges` ranges of the list as it is; undefined: all of it. */
  erase(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    ranges: readonly ListRange[] | undefined,
  ): Promise<number | undefined>;
}

const wholeList: readonly ListRange[] = [{ start: 0, count: Infinity }];

export function createLists(
  engine: Pick<Engine, "lists">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): Lists {
  const inCache = createInCache(caches);

  /** Authorises, then lets `work` have the lists of the cache, the key in it and the time. */
  function onList<T>(
    principal: Principal,
    actions: readonly ("item.read" | "item.write")[],
    name: string,
    key: Uint8Array,
    work: (lists: ListStore, cache: CacheKey, nowMs: number) => Promise<T>,
  ): Promise<T> {
    for (const action of actions) authorize(principal, action, name, key);
    checkKey(key);
    return inCache(principal.environment, name, (cache) => work(engine.lists[cache.durability], cache, steadyMs()));
  }

  return {
    async push(principal, name, key, { end, values, truncateTo, ttl }) {
      return onList(principal, ["item.write"], name, key, async (lists, cache, nowMs) => {
        checkValues(values);
        checkTtl(ttl.ttlMs);
        const push = { end, values, truncateTo: truncateTo || undefined, expiry: expiryOf(ttl, nowMs) };
        return lists.push(cache, key, push, nowMs);
      });
    },
    async pop(principal, name, key, end) {
      return onList(principal, ["item.read", "item.write"], name, key, (lists, cache, nowMs) =>
        lists.pop(cache, key, end, nowMs),
      );
    },
    async fetch(principal, name, key, slice) {
      return onList(principal, ["item.read"], name, key, (lists, cache, nowMs) =>
        lists.fetch(cache, key, slice, nowMs),
      );
    },
    async length(principal, name, key) {
      return onList(principal, ["item.read"], name, key, (lists, cache, nowMs) => lists.length(cache, key, nowMs));
    },
    async retain(principal, name, key, slice, ttl) {
      return onList(principal, ["item.write"], name, key, async (lists, cache, nowMs) => {
        if (ttl.isRefreshed) checkTtl(ttl.ttlMs);
        return lists.retain(cache, key, slice, expiryOf(ttl, nowMs), nowMs);
      });
    },
    async remove(principal, name, key, value) {
      return onList(principal, ["item.write"], name, key, (lists, cache, nowMs) =>
        lists.remove(cache, key, value, nowMs),
      );
    },
    async erase(principal, name, key, ranges = wholeList) {
      return onList(principal, ["item.write"], name, key, async (lists, cache, nowMs) => {
        if (ranges.length > limits.list.eraseMaxRanges) {
          throw new TodokuError(
            "invalid_argument",
            `${ranges.length} ranges to erase; must be <= ${limits.list.eraseMaxRanges}`,
          );
        }
        return lists.erase(cache, key, ranges, nowMs);
      });
    },
  };
}

function expiryOf({ ttlMs, isRefreshed }: CollectionTtl, nowMs: number): CollectionExpiry {
  return { expiresAtMs: nowMs + ttlMs, isRefreshed };
}

function checkValues(values: readonly Uint8Array[]): void {
  if (values.length > limits.list.pushMaxValues) {
    throw new TodokuError(
      "invalid_argument",
      `${values.length} values to add; must be <= ${limits.list.pushMaxValues}`,
    );
  }
  for (const { length } of values) {
    if (length <= limits.elementMaxBytes) continue;
    const text = `element size: the value has ${length} bytes; must be <= ${limits.elementMaxBytes}`;
    throw new TodokuError("limit_exceeded", text, { subject: "element_size" });
  }
}
