import type { CacheKey } from "./cache.ts";
import type { CollectionExpiry } from "./collections.ts";

/** A field of a dictionary, and what it holds. */
export interface DictionaryEntry {
  readonly field: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * What an engine must do for dictionaries. They share keys, expiry and byte budget with the other items of a cache, whose `ItemStore` deletes,
 * sweeps and forgets them. The laws are in dictionary-store.contract.ts. `nowMs` is of the steady clock: an expired dictionary is none.
 * A dictionary without fields does not exist. undefined: there was no dictionary.
 * All: @throws TodokuError `failed_precondition` (the key holds another type), `unavailable`. What changes one also `not_found`
 * (forgotten cache).
 */
export interface DictionaryStore {
  /** All or nothing; of a field that is given twice the last value counts. @throws TodokuError `limit_exceeded`: the dictionary, or the environment's byte budget. */
  set(
    cache: CacheKey,
    key: Uint8Array,
    entries: readonly DictionaryEntry[],
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<void>;
  /** As `ItemStore.increment` does, for a field. @throws TodokuError `failed_precondition`, `limit_exceeded`. */
  increment(
    cache: CacheKey,
    key: Uint8Array,
    field: Uint8Array,
    amount: bigint,
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<bigint>;
  /** `fields` undefined: all. No error when there is nothing. */
  delete(cache: CacheKey, key: Uint8Array, fields: readonly Uint8Array[] | undefined, nowMs: number): Promise<void>;
  /** The values in the order of `fields`; undefined in place of one that is not there. */
  get(
    cache: CacheKey,
    key: Uint8Array,
    fields: readonly Uint8Array[],
    nowMs: number,
  ): Promise<readonly (Uint8Array | undefined)[] | undefined>;
  /** In no order that is promised. */
  fetch(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<readonly DictionaryEntry[] | undefined>;
  length(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<number | undefined>;
}
