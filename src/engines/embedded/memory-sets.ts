import type { CacheKey } from "../../domain/cache/cache.ts";
import type { SetStore } from "../../domain/cache/set-store.ts";
import { bytesOfText, textOf } from "../../lib/byte-text.ts";
import { chooseIndexes } from "../../lib/choose-indexes.ts";
import { createMemoryCollections } from "./memory-collections.ts";
import type { MemoryKeys } from "./memory-keys.ts";
import { MemorySet } from "./memory-set.ts";

/** An element: the text's header, its slot in the array, and its entry in the map, 62 to 90; 160 when most of them are gone. */
const overhead = { bytes: 256, elementBytes: 120 };

/** The sets of caches with durability `memory`. */
export function createMemorySets(keys: MemoryKeys): SetStore {
  const sets = createMemoryCollections(keys, MemorySet, overhead);

  /** Lets `work` take elements away, if there are any; how many are left. */
  function change(cache: CacheKey, key: Uint8Array, nowMs: number, work: (set: MemorySet) => void): number | undefined {
    const found = sets.open(cache, key, nowMs);
    if (found === undefined) return undefined;
    work(found.collection);
    return sets.settle(cache, key, found, found.collection);
  }

  return {
    async union(cache, key, elements, expiry, nowMs) {
      const found = sets.open(cache, key, nowMs);
      const set = found?.collection ?? new MemorySet();
      const added = newTexts(elements, set);
      sets.checkRoom(cache, key, set.length + added.length, set.bytes + lengthOf(added));
      for (const element of added) set.add(element);
      sets.settle(cache, key, found, set, expiry);
    },
    async subtract(cache, key, elements, nowMs) {
      return change(cache, key, nowMs, (set) => {
        if (elements === undefined) set.clear();
        else for (const element of elements) set.delete(textOf(element));
      });
    },
    async subtractFrom(cache, key, minuend, nowMs) {
      return change(cache, key, nowMs, (set) => {
        const rest = newTexts(minuend, set);
        sets.checkRoom(cache, key, rest.length, lengthOf(rest));
        set.clear();
        for (const element of rest) set.add(element);
      });
    },
    async pop(cache, key, count, nowMs) {
      let popped: string[] | undefined;
      change(cache, key, nowMs, (set) => {
        popped = set.at(chooseIndexes(count, set.length));
        for (const element of popped) set.delete(element);
      });
      return popped?.map(bytesOfText);
    },
    async sample(cache, key, count, nowMs) {
      const set = sets.find(cache, key, nowMs);
      return set?.at(chooseIndexes(count, set.length)).map(bytesOfText);
    },
    async fetch(cache, key, nowMs) {
      return sets.find(cache, key, nowMs)?.all().map(bytesOfText);
    },
    async contains(cache, key, elements, nowMs) {
      const set = sets.find(cache, key, nowMs);
      return set && elements.map((element) => set.has(textOf(element)));
    },
    async length(cache, key, nowMs) {
      return sets.find(cache, key, nowMs)?.length;
    },
  };
}

/** Those that are not in the set, each once. */
function newTexts(elements: readonly Uint8Array[], set: MemorySet): string[] {
  return [...new Set(elements.map(textOf))].filter((element) => !set.has(element));
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, { length }) => sum + length, 0);
}
