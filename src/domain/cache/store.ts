import type { CacheKey } from "./cache.ts";

/** A kept value. `expiresAtMs` is of the steady clock. */
export interface StoredItem {
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/**
 * What an engine must do for a cache's scalar items, and for its keys, which collections share: a key holds one type at a time. The laws are
 * in store.contract.ts.
 * Not promised: that an expired item frees its space at once (`sweep` does that).
 */
export interface ItemStore {
  /** The item as last committed; undefined when missing or expired at `nowMs`. @throws TodokuError `failed_precondition` (a collection). */
  get(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<StoredItem | undefined>;
  /** Answers when the item is as durable as the store promises; what the key held before is gone. @throws TodokuError `not_found` (forgotten cache), `unavailable`, `limit_exceeded` (over the environment's byte budget). */
  set(cache: CacheKey, key: Uint8Array, item: StoredItem): Promise<void>;
  /** Deletes whatever the key holds; no error when there is nothing. @throws TodokuError `unavailable`. */
  delete(cache: CacheKey, key: Uint8Array): Promise<void>;
  /** Forgets all items of a cache's incarnation; `set` answers `not_found` from now on. Space is freed later. */
  forget(cache: CacheKey): Promise<void>;
  /** One bounded step of upkeep: expired keys, forgotten caches, elements that nobody can see any more. True when there is more to do now. */
  sweep(nowMs: number): Promise<boolean>;
}
