import type { CacheKey } from "../../domain/cache/cache.ts";
import { type CollectionBounds, type CollectionExpiry, checkCollection } from "../../domain/cache/collections.ts";
import { type ItemType, wrongType } from "../../domain/cache/item-type.ts";
import { itemOverheadBytes, type KeptItem, type MemoryKeys, typeOf } from "./memory-keys.ts";

/** A collection in memory. */
export interface MemoryCollection {
  readonly type: ItemType;
  /** Elements. */
  readonly length: number;
  /** Of all elements, without what memory takes for them. */
  readonly bytes: number;
}

/** One that was found under its key. */
export interface FoundCollection<C> {
  readonly kept: KeptItem;
  readonly collection: C;
}

/** The collections of one kind under keys of `memory` caches. */
export interface MemoryCollections<C extends MemoryCollection> {
  /** For reading. @throws TodokuError `failed_precondition`. */
  find(cache: CacheKey, key: Uint8Array, nowMs: number): C | undefined;
  /** For a change. @throws TodokuError `failed_precondition`, `not_found` (forgotten cache). */
  open(cache: CacheKey, key: Uint8Array, nowMs: number): FoundCollection<C> | undefined;
  /** What a collection is to come to; nothing may have changed yet. @throws TodokuError `limit_exceeded`. */
  checkRoom(cache: CacheKey, key: Uint8Array, elements: number, bytes: number): void;
  /** After a change: one that was not `found` takes the key, one without elements goes. Answers how many elements there are. */
  settle(
    cache: CacheKey,
    key: Uint8Array,
    found: FoundCollection<C> | undefined,
    collection: C,
    expiry?: CollectionExpiry,
  ): number;
}

/** What V8 keeps for a collection and for each element, beside their bytes, as measured: less of it, and the process runs out of memory. */
export interface CollectionOverhead {
  readonly bytes: number;
  readonly elementBytes: number;
}

export function createMemoryCollections<C extends MemoryCollection>(
  keys: MemoryKeys,
  Kind: new () => C,
  overhead: CollectionOverhead,
  bounds?: CollectionBounds,
): MemoryCollections<C> {
  const { type } = new Kind();
  const bytesOf = (keyBytes: number, elements: number, bytes: number) =>
    keyBytes + itemOverheadBytes + overhead.bytes + bytes + elements * overhead.elementBytes;

  function findKept(cache: CacheKey, key: Uint8Array, nowMs: number): FoundCollection<C> | undefined {
    const kept = keys.find(cache, key, nowMs);
    if (kept === undefined) return undefined;
    const { content } = kept;
    if (content instanceof Kind) return { kept, collection: content };
    throw wrongType(typeOf(content), type);
  }

  return {
    find: (cache, key, nowMs) => findKept(cache, key, nowMs)?.collection,
    open(cache, key, nowMs) {
      keys.checkLive(cache);
      return findKept(cache, key, nowMs);
    },
    checkRoom(cache, key, elements, bytes) {
      checkCollection(elements, bytes, bounds);
      keys.checkSize(cache.environment, bytesOf(key.byteLength, elements, bytes));
    },
    settle(cache, key, found, collection, expiry) {
      const { length } = collection;
      const bytes = bytesOf(key.byteLength, length, collection.bytes);
      if (found === undefined) {
        if (length > 0) keys.put(cache, key, collection, expiry?.expiresAtMs ?? 0, bytes);
      } else if (length === 0) keys.drop(found.kept);
      else {
        if (expiry?.isRefreshed) keys.expireAt(found.kept, expiry.expiresAtMs);
        keys.resize(found.kept, bytes);
      }
      return length;
    },
  };
}
