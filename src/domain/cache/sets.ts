import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { type CollectionTtl, checkCount, checkElements, expiryOf } from "./collections.ts";
import { createOnKey } from "./keys.ts";

/**
 * The sets of a cache: elements of up to `limits.elementMaxBytes` each, up to `limits.collectionMaxElements` of them in a call. A set without
 * elements does not exist; undefined: there is no set. Elements are answered in no order that is promised.
 * All: @throws TodokuError `failed_precondition`: the key holds another type.
 */
export interface Sets {
  /** Adds what is not there yet. @throws TodokuError `limit_exceeded`. */
  union(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    elements: readonly Uint8Array[],
    ttl: CollectionTtl,
  ): Promise<void>;
  /** Takes these away, undefined: all. Answers how many are left. */
  subtract(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    elements: readonly Uint8Array[] | undefined,
  ): Promise<number | undefined>;
  /** What of `minuend` is not in the set takes its place. Answers how many that are. @throws TodokuError `limit_exceeded`. */
  subtractFrom(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    minuend: readonly Uint8Array[],
  ): Promise<number | undefined>;
  /** Takes up to `count` elements (1 or more) away at random. Reads and writes, so it needs both permissions. */
  pop(principal: Principal, cache: string, key: Uint8Array, count: number): Promise<readonly Uint8Array[] | undefined>;
  /** Up to `count` different elements (0 or more) at random. */
  sample(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    count: number,
  ): Promise<readonly Uint8Array[] | undefined>;
  fetch(principal: Principal, cache: string, key: Uint8Array): Promise<readonly Uint8Array[] | undefined>;
  /** In the order of `elements`. */
  contains(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    elements: readonly Uint8Array[],
  ): Promise<readonly boolean[] | undefined>;
  length(principal: Principal, cache: string, key: Uint8Array): Promise<number | undefined>;
}

export function createSets(
  engine: Pick<Engine, "sets">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): Sets {
  const onKey = createOnKey(caches, steadyMs);
  const setsOf = ({ durability }: Cache) => engine.sets[durability];

  return {
    union(principal, name, key, elements, ttl) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("elements to add", elements.length);
        checkElements("element", elements);
        return setsOf(cache).union(cache, key, elements, expiryOf(ttl, nowMs), nowMs);
      });
    },
    subtract(principal, name, key, elements) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("elements to take away", elements?.length ?? 0);
        return setsOf(cache).subtract(cache, key, elements, nowMs);
      });
    },
    subtractFrom(principal, name, key, minuend) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkCount("elements to subtract from", minuend.length);
        checkElements("element", minuend);
        return setsOf(cache).subtractFrom(cache, key, minuend, nowMs);
      });
    },
    pop(principal, name, key, count) {
      return onKey(principal, ["item.read", "item.write"], name, key, (cache, nowMs) => {
        if (count < 1) throw new TodokuError("invalid_argument", `${count} elements to pop; must be >= 1`);
        return setsOf(cache).pop(cache, key, count, nowMs);
      });
    },
    sample(principal, name, key, count) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) =>
        setsOf(cache).sample(cache, key, count, nowMs),
      );
    },
    fetch(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => setsOf(cache).fetch(cache, key, nowMs));
    },
    contains(principal, name, key, elements) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => {
        checkCount("elements to look for", elements.length);
        return setsOf(cache).contains(cache, key, elements, nowMs);
      });
    },
    length(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => setsOf(cache).length(cache, key, nowMs));
    },
  };
}
