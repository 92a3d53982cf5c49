import type { CacheKey } from "../../domain/cache/cache.ts";
import type { CollectionExpiry } from "../../domain/cache/collections.ts";
import { type ListPush, type ListStore, planPush } from "../../domain/cache/list-store.ts";
import { bytesOfText, textOf } from "../../lib/byte-text.ts";
import { createMemoryCollections } from "./memory-collections.ts";
import type { MemoryKeys } from "./memory-keys.ts";
import { MemoryList } from "./memory-list.ts";

/** An element: the text and its slot in the array, 28 to 44. */
const overhead = { bytes: 320, elementBytes: 40 };

/** The lists of caches with durability `memory`. */
export function createMemoryLists(keys: MemoryKeys): ListStore {
  const lists = createMemoryCollections(keys, MemoryList, overhead);

  /** @throws TodokuError `limit_exceeded`, and then nothing has changed. */
  function checkPush(cache: CacheKey, key: Uint8Array, list: MemoryList | undefined, push: ListPush): void {
    const { values, cut } = planPush(push, list?.length ?? 0);
    let bytes = list?.bytes ?? 0;
    for (const { byteLength } of values) bytes += byteLength;
    for (const { length } of list?.slice(push.end === "back" ? ends.first(cut) : ends.last(cut)) ?? []) {
      bytes -= length;
    }
    lists.checkRoom(cache, key, (list?.length ?? 0) + values.length - cut, bytes);
  }

  /** Lets `work` change the list, if there is one; its length afterwards. */
  function change(
    cache: CacheKey,
    key: Uint8Array,
    nowMs: number,
    work: (list: MemoryList) => void,
    expiry?: CollectionExpiry,
  ): number | undefined {
    const found = lists.open(cache, key, nowMs);
    if (found === undefined) return undefined;
    work(found.collection);
    return lists.settle(cache, key, found, found.collection, expiry);
  }

  return {
    async push(cache, key, push, nowMs) {
      const found = lists.open(cache, key, nowMs);
      checkPush(cache, key, found?.collection, push);
      const list = found?.collection ?? new MemoryList();
      const { values, cut } = planPush(push, list.length);
      const { end, expiry } = push;
      list.push(end, values.map(textOf));
      for (let left = cut; left > 0; left--) list.pop(end === "back" ? "front" : "back");
      return lists.settle(cache, key, found, list, expiry);
    },
    async pop(cache, key, end, nowMs) {
      let value: string | undefined;
      const length = change(cache, key, nowMs, (list) => {
        value = list.pop(end);
      });
      return value === undefined ? undefined : { value: bytesOfText(value), length: length ?? 0 };
    },
    async fetch(cache, key, slice, nowMs) {
      return lists.find(cache, key, nowMs)?.slice(slice).map(bytesOfText);
    },
    async length(cache, key, nowMs) {
      return lists.find(cache, key, nowMs)?.length;
    },
    async retain(cache, key, slice, expiry, nowMs) {
      return change(cache, key, nowMs, (list) => list.retain(slice), expiry);
    },
    async remove(cache, key, value, nowMs) {
      return change(cache, key, nowMs, (list) => list.remove(textOf(value)));
    },
    async erase(cache, key, ranges, nowMs) {
      return change(cache, key, nowMs, (list) => list.erase(ranges));
    },
  };
}

const ends = {
  first: (count: number) => ({ start: 0, end: count }),
  last: (count: number) => ({ start: count === 0 ? Infinity : -count, end: undefined }),
};
