import type { CacheKey } from "../../domain/cache/cache.ts";
import { wrongType } from "../../domain/cache/item-type.ts";
import type { ItemStore, StoredItem } from "../../domain/cache/store.ts";
import { itemOverheadBytes, type MemoryKeys } from "./memory-keys.ts";

/** The scalar items of caches with durability `memory`. */
export function createMemoryItems(keys: MemoryKeys): ItemStore {
  return {
    async get(cache, key, nowMs) {
      const kept = keys.find(cache, key, nowMs);
      if (kept === undefined) return undefined;
      const { content, expiresAtMs } = kept;
      if (!(content instanceof Uint8Array)) throw wrongType(content.type, "scalar");
      return { value: content, expiresAtMs };
    },
    async set(cache: CacheKey, key: Uint8Array, item: StoredItem) {
      const bytes = key.byteLength + item.value.byteLength + itemOverheadBytes;
      keys.put(cache, key, new Uint8Array(item.value), item.expiresAtMs, bytes);
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
