import { type ItemType, itemTypes, wrongType } from "../../domain/cache/item-type.ts";
import type { ItemStore, KeyState, StoredItem } from "../../domain/cache/store.ts";
import { textOf } from "../../lib/byte-text.ts";
import { ItemCache } from "./item-cache.ts";
import { createItemChanges, nameCache } from "./items-changes.ts";
import type { EmbeddedRecords } from "./records.ts";
import type { Storage } from "./storage.ts";
import { readVerdictWithSubject } from "./storage-verdict.ts";

/** The `disk` items of a data directory, and the memory they take. */
export interface EmbeddedItems extends ItemStore {
  cachedBytes(): number;
  /** What is known of the key is not true any more. */
  outdate(cacheId: number, key: Uint8Array): void;
}

/** What a key holds; the value of a collection is empty. */
interface Held extends StoredItem {
  readonly type: ItemType;
}

/** Reads go through a cache of at most `maxCachedBytes`; a commit puts the new value there before its caller hears of it. */
export function createDiskItems(storage: Storage, records: EmbeddedRecords, maxCachedBytes: number): EmbeddedItems {
  const cache = new ItemCache(maxCachedBytes);
  const reading = new Map<string, Promise<Held | undefined>>();

  // A read that left before a commit may bring the old value: it no longer counts for the cache or for later callers.
  function outdate(path: string): void {
    reading.delete(path);
    cache.delete(path);
  }

  function readFromDisk(path: string, cacheId: number, key: Uint8Array): Promise<Held | undefined> {
    const answer = storage.reads.submit<Held | undefined>({
      name: "item",
      encode: (op) => {
        op.put(cacheId);
        op.putBlob(key);
      },
      decode: (fields) => {
        const expiresAtMs = fields.numberOrNull();
        if (expiresAtMs === null) {
          if (reading.get(path) === answer) reading.delete(path);
          return undefined;
        }
        const type = itemTypes[fields.number()] as ItemType;
        const held = { type, value: fields.blob(), expiresAtMs };
        if (reading.get(path) === answer) {
          reading.delete(path);
          if (type === "scalar") cache.set(path, held);
        }
        return held;
      },
    });
    reading.set(path, answer);
    answer.catch(() => reading.get(path) === answer && reading.delete(path));
    return answer;
  }

  function committed(cacheId: number, key: Uint8Array, item: StoredItem): void {
    const path = pathOf(cacheId, key);
    outdate(path);
    cache.set(path, item);
  }

  function moved(cacheId: number, key: Uint8Array, expiresAtMs: number): void {
    const path = pathOf(cacheId, key);
    const cached = cache.get(path);
    outdate(path);
    if (cached !== undefined) cache.set(path, { value: cached.value, expiresAtMs });
  }

  return {
    ...createItemChanges(storage, { committed, moved }),
    cachedBytes: () => cache.bytes,
    outdate: (cacheId, key) => outdate(pathOf(cacheId, key)),
    async get({ cacheId }, key, nowMs) {
      if (!records.isLive(cacheId, "items")) return undefined;
      const path = pathOf(cacheId, key);
      const cached = cache.get(path);
      if (cached !== undefined) return cached.expiresAtMs > nowMs ? cached : undefined;
      const held = await (reading.get(path) ?? readFromDisk(path, cacheId, key));
      if (held === undefined || held.expiresAtMs <= nowMs) return undefined;
      if (held.type !== "scalar") throw wrongType(held.type, "scalar");
      return held;
    },
    set(key, itemKey, item) {
      return storage.writes
        .submit<void>({
          name: "items.set",
          items: 1,
          bytes: itemKey.byteLength + item.value.byteLength,
          encode: (op) => {
            op.put(key.environment);
            op.put(key.cacheId);
            op.putBlob(itemKey);
            op.putBlob(item.value);
            op.put(item.expiresAtMs);
          },
          decode: readVerdictWithSubject,
          apply: () => committed(key.cacheId, itemKey, item),
        })
        .catch((error) => {
          throw nameCache(error, key);
        });
    },
    async inspect({ cacheId }, key, nowMs) {
      if (!records.isLive(cacheId, "items")) return undefined;
      const cached = cache.get(pathOf(cacheId, key));
      const state: KeyState | undefined =
        cached === undefined
          ? await readState(storage, cacheId, key)
          : { type: "scalar", expiresAtMs: cached.expiresAtMs };
      return state !== undefined && state.expiresAtMs > nowMs ? state : undefined;
    },
    delete({ cacheId }, key) {
      return storage.writes.submit<void>({
        name: "items.delete",
        items: 1,
        bytes: key.byteLength,
        encode: (op) => {
          op.put(cacheId);
          op.putBlob(key);
        },
        decode: () => undefined,
        apply: () => {
          outdate(pathOf(cacheId, key));
        },
      });
    },
    forget({ cacheId }) {
      return storage.writes.submit<void>({
        name: "items.forget",
        items: 1,
        bytes: 0,
        encode: (op) => op.put(cacheId),
        decode: () => undefined,
        apply: () => records.forgotten(cacheId, "items"),
      });
    },
    sweep(nowMs) {
      return storage.writes.submit({
        name: "items.sweep",
        items: 1,
        bytes: 0,
        encode: (op) => op.put(nowMs),
        decode: (answer) => answer.number() === 1,
      });
    },
  };
}

function readState(storage: Storage, cacheId: number, key: Uint8Array): Promise<KeyState | undefined> {
  return storage.reads.submit<KeyState | undefined>({
    name: "itemState",
    encode: (op) => {
      op.put(cacheId);
      op.putBlob(key);
    },
    decode: (answer) => {
      const expiresAtMs = answer.numberOrNull();
      return expiresAtMs === null ? undefined : { expiresAtMs, type: itemTypes[answer.number()] as ItemType };
    },
  });
}

function pathOf(cacheId: number, key: Uint8Array): string {
  return `${cacheId} ${textOf(key)}`;
}
