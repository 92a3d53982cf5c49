import type { CacheKey } from "./cache.ts";
import type { CollectionExpiry } from "./collections.ts";

/**
 * What an engine must do for sets. They share keys, expiry and byte budget with the other items of a cache, whose `ItemStore` deletes,
 * sweeps and forgets them. The laws are in set-store.contract.ts. `nowMs` is of the steady clock: an expired set is none.
 * A set without elements does not exist. undefined: there was no set. Elements are answered in no order that is promised.
 * All: @throws TodokuError `failed_precondition` (the key holds another type), `unavailable`. What changes one also `not_found`
 * (forgotten cache).
 */
export interface SetStore {
  /** Adds what is not there yet, all or nothing. @throws TodokuError `limit_exceeded`: the set, or the environment's byte budget. */
  union(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly Uint8Array[],
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<void>;
  /** Takes these away, undefined: all. Answers how many are left. */
  subtract(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly Uint8Array[] | undefined,
    nowMs: number,
  ): Promise<number | undefined>;
  /** What of `minuend` is not in the set takes its place. Answers how many that are. @throws TodokuError `limit_exceeded`. */
  subtractFrom(
    cache: CacheKey,
    key: Uint8Array,
    minuend: readonly Uint8Array[],
    nowMs: number,
  ): Promise<number | undefined>;
  /** Takes up to `count` elements away, each as likely as the others. */
  pop(cache: CacheKey, key: Uint8Array, count: number, nowMs: number): Promise<readonly Uint8Array[] | undefined>;
  /** Up to `count` different elements, each as likely as the others. */
  sample(cache: CacheKey, key: Uint8Array, count: number, nowMs: number): Promise<readonly Uint8Array[] | undefined>;
  fetch(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<readonly Uint8Array[] | undefined>;
  /** In the order of `elements`. */
  contains(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly Uint8Array[],
    nowMs: number,
  ): Promise<readonly boolean[] | undefined>;
  length(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<number | undefined>;
}
