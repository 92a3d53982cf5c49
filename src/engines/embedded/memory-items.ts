import type { CacheKey } from "../../domain/cache/cache.ts";
import { wrongType } from "../../domain/cache/item-type.ts";
import { isMet, movesEnd } from "../../domain/cache/items-conditions.ts";
import type { ItemStore, StoredItem } from "../../domain/cache/store.ts";
import { addWholeNumber, wholeNumberBytes } from "../../domain/cache/whole-number.ts";
import { type KeptItem, type MemoryKeys, typeOf } from "./memory-keys.ts";
import { keepScalar, readScalar, scalarBytes } from "./memory-scalars.ts";

/** The scalar items of caches with durability `memory`. */
export function createMemoryItems(keys: MemoryKeys): ItemStore {
  function put(cache: CacheKey, key: Uint8Array, { value, expiresAtMs }: StoredItem): void {
    const bytes = scalarBytes(key.byteLength, value.byteLength);
    keys.put(cache, key, keepScalar(value), expiresAtMs, bytes);
  }

  return {
    async get(cache, key, nowMs) {
      const kept = keys.find(cache, key, nowMs);
      return kept && { value: valueIn(kept), expiresAtMs: kept.expiresAtMs };
    },
    async set(cache, key, item) {
      put(cache, key, item);
    },
    async setIf(cache, key, item, condition, nowMs) {
      keys.checkLive(cache);
      const kept = keys.find(cache, key, nowMs);
      const isStored = isMet(condition, kept && { type: typeOf(kept.content), value: () => valueIn(kept) });
      if (isStored) put(cache, key, item);
      return isStored;
    },
    async increment(cache, key, amount, expiresAtMs, nowMs) {
      keys.checkLive(cache);
      const kept = keys.find(cache, key, nowMs);
      const sum = addWholeNumber(kept && valueIn(kept), amount);
      put(cache, key, { value: wholeNumberBytes(sum), expiresAtMs });
      return sum;
    },
    async updateTtl(cache, key, change, nowMs) {
      keys.checkLive(cache);
      const kept = keys.find(cache, key, nowMs);
      if (kept === undefined) return undefined;
      if (!movesEnd(change, kept.expiresAtMs)) return "not set";
      keys.expireAt(kept, change.expiresAtMs);
      return "set";
    },
    async inspect(cache, key, nowMs) {
      const kept = keys.find(cache, key, nowMs);
      return kept && { type: typeOf(kept.content), expiresAtMs: kept.expiresAtMs };
    },
    async delete(cache, key) {
      keys.delete(cache, key);
    },
    async forget({ cacheId }) {
      keys.forget(cacheId);
    },
    async sweep(nowMs) {
      return keys.sweep(nowMs);
    },
  };
}

/** @throws TodokuError `failed_precondition`: a collection. */
function valueIn({ content }: KeptItem): Uint8Array {
  const value = readScalar(content);
  if (value === undefined) throw wrongType(typeOf(content), "scalar");
  return value;
}
