import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { limits } from "../limits.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { type CollectionTtl, checkCount, checkElements, expiryOf } from "./collections.ts";
import { createOnKey } from "./keys.ts";
import type { ListEnd, ListRange, ListSlice, PoppedElement } from "./list-store.ts";

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
  const onKey = createOnKey(caches, steadyMs);
  const listsOf = ({ durability }: Cache) => engine.lists[durability];

  return {
    push(principal, name, key, { end, values, truncateTo, ttl }) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("values to add", values.length, limits.list.pushMaxValues);
        checkElements("value", values);
        const push = { end, values, truncateTo: truncateTo || undefined, expiry: expiryOf(ttl, nowMs) };
        return listsOf(cache).push(cache, key, push, nowMs);
      });
    },
    pop(principal, name, key, end) {
      return onKey(principal, ["item.read", "item.write"], name, key, (cache, nowMs) =>
        listsOf(cache).pop(cache, key, end, nowMs),
      );
    },
    fetch(principal, name, key, slice) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) =>
        listsOf(cache).fetch(cache, key, slice, nowMs),
      );
    },
    length(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => listsOf(cache).length(cache, key, nowMs));
    },
    retain(principal, name, key, slice, ttl) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        // What is not refreshed needs no TTL.
        const expiry = ttl.isRefreshed ? expiryOf(ttl, nowMs) : { expiresAtMs: 0, isRefreshed: false };
        return listsOf(cache).retain(cache, key, slice, expiry, nowMs);
      });
    },
    remove(principal, name, key, value) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) =>
        listsOf(cache).remove(cache, key, value, nowMs),
      );
    },
    erase(principal, name, key, ranges = wholeList) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("ranges to erase", ranges.length, limits.list.eraseMaxRanges);
        return listsOf(cache).erase(cache, key, ranges, nowMs);
      });
    },
  };
}
