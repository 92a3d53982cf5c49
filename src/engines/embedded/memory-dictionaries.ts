import type { CacheKey } from "../../domain/cache/cache.ts";
import type { CollectionExpiry } from "../../domain/cache/collections.ts";
import type { DictionaryStore } from "../../domain/cache/dictionary-store.ts";
import { addWholeNumber } from "../../domain/cache/whole-number.ts";
import { bytesOfText, textOf } from "../../lib/byte-text.ts";
import { createMemoryCollections } from "./memory-collections.ts";
import { MemoryDictionary } from "./memory-dictionary.ts";
import type { MemoryKeys } from "./memory-keys.ts";

/** An element: the entry of the map and two texts, 50 to 103; 130 when most of them are gone. */
const overhead = { bytes: 96, elementBytes: 112 };

/** The dictionaries of caches with durability `memory`. */
export function createMemoryDictionaries(keys: MemoryKeys): DictionaryStore {
  const dictionaries = createMemoryCollections(keys, MemoryDictionary, overhead);
  type Found = ReturnType<typeof dictionaries.open>;

  /** @throws TodokuError `limit_exceeded`, and then nothing has changed. */
  function put(
    cache: CacheKey,
    key: Uint8Array,
    found: Found,
    values: ReadonlyMap<string, string>,
    expiry: CollectionExpiry,
  ): void {
    const dictionary = found?.collection ?? new MemoryDictionary();
    let { length, bytes } = dictionary;
    for (const [field, value] of values) {
      const held = dictionary.get(field);
      length += Number(held === undefined);
      bytes += value.length + (held === undefined ? field.length : -held.length);
    }
    dictionaries.checkRoom(cache, key, length, bytes);
    for (const [field, value] of values) dictionary.set(field, value);
    dictionaries.settle(cache, key, found, dictionary, expiry);
  }

  return {
    async set(cache, key, entries, expiry, nowMs) {
      const found = dictionaries.open(cache, key, nowMs);
      put(cache, key, found, new Map(entries.map(({ field, value }) => [textOf(field), textOf(value)])), expiry);
    },
    async increment(cache, key, field, amount, expiry, nowMs) {
      const found = dictionaries.open(cache, key, nowMs);
      const held = found?.collection.get(textOf(field));
      const sum = addWholeNumber(held === undefined ? undefined : bytesOfText(held), amount);
      put(cache, key, found, new Map([[textOf(field), `${sum}`]]), expiry);
      return sum;
    },
    async delete(cache, key, fields, nowMs) {
      const found = dictionaries.open(cache, key, nowMs);
      if (found === undefined) return;
      if (fields === undefined) found.collection.clear();
      for (const field of fields ?? []) found.collection.delete(textOf(field));
      dictionaries.settle(cache, key, found, found.collection);
    },
    async get(cache, key, fields, nowMs) {
      const dictionary = dictionaries.find(cache, key, nowMs);
      return (
        dictionary &&
        fields.map((field) => {
          const value = dictionary.get(textOf(field));
          return value === undefined ? undefined : bytesOfText(value);
        })
      );
    },
    async fetch(cache, key, nowMs) {
      const dictionary = dictionaries.find(cache, key, nowMs);
      return (
        dictionary &&
        Array.from(dictionary.entries(), ([field, value]) => ({ field: bytesOfText(field), value: bytesOfText(value) }))
      );
    },
    async length(cache, key, nowMs) {
      return dictionaries.find(cache, key, nowMs)?.length;
    },
  };
}
