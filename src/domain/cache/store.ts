import type { CacheKey } from "./cache.ts";
import type { ItemType } from "./item-type.ts";

/** A kept value. `expiresAtMs` is of the steady clock. */
export interface StoredItem {
  readonly value: Uint8Array;
  readonly expiresAtMs: number;
}

/** What it depends on whether a value is stored. */
export interface SetCondition {
  /** Where the key holds nothing. */
  readonly ifAbsent: boolean;
  /** Where it holds something: always, never, or as its value or its hash (hash.ts) compares. */
  readonly ifPresent:
    | boolean
    | { readonly compare: "value" | "hash"; readonly with: Uint8Array; readonly isEqual: boolean };
}

/** A new end of what a key holds: always, or only when it is later or earlier than the one it has. */
export interface TtlChange {
  readonly to: "overwrite" | "increase" | "decrease";
  readonly expiresAtMs: number;
}

/** What a key holds, without its content. */
export interface KeyState {
  readonly type: ItemType;
  readonly expiresAtMs: number;
}

/**
 * What an engine must do for a cache's scalar items, and for its keys, which collections share: a key holds one type at a time. The laws are
 * in store.contract.ts and store-changes.contract.ts.
 * Not promised: that an expired item frees its space at once (`sweep` does that).
 */
export interface ItemStore {
  /** The item as last committed; undefined when missing or expired at `nowMs`. @throws TodokuError `failed_precondition` (a collection). */
  get(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<StoredItem | undefined>;
  /** Answers when the item is as durable as the store promises; what the key held before is gone. @throws TodokuError `not_found` (forgotten cache), `unavailable`, `limit_exceeded` (over the environment's byte budget). */
  set(cache: CacheKey, key: Uint8Array, item: StoredItem): Promise<void>;
  /** As `set`, when the condition holds. False: it does not. @throws TodokuError as `set`, and `failed_precondition`: a collection is compared. */
  setIf(cache: CacheKey, key: Uint8Array, item: StoredItem, condition: SetCondition, nowMs: number): Promise<boolean>;
  /**
   * Adds to the whole number of 64 bits that the key holds in decimal digits, 0 where it holds nothing, and sets its end. Answers the sum.
   * @throws TodokuError as `set`, and `failed_precondition`: a collection, another text, or a sum of more than 64 bits.
   */
  increment(cache: CacheKey, key: Uint8Array, amount: bigint, expiresAtMs: number, nowMs: number): Promise<bigint>;
  /** Of whatever the key holds; undefined: nothing. @throws TodokuError `not_found`, `unavailable`. */
  updateTtl(cache: CacheKey, key: Uint8Array, change: TtlChange, nowMs: number): Promise<"set" | "not set" | undefined>;
  /** What the key holds, without reading it; undefined: nothing. @throws TodokuError `unavailable`. */
  inspect(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<KeyState | undefined>;
  /** Deletes whatever the key holds; no error when there is nothing. @throws TodokuError `unavailable`. */
  delete(cache: CacheKey, key: Uint8Array): Promise<void>;
  /** Forgets all items of a cache's incarnation; `set` answers `not_found` from now on. Space is freed later. */
  forget(cache: CacheKey): Promise<void>;
  /** One bounded step of upkeep: expired keys, forgotten caches, elements that nobody can see any more. True when there is more to do now. */
  sweep(nowMs: number): Promise<boolean>;
}
