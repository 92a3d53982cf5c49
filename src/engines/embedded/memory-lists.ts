import type { CacheKey } from "../../domain/cache/cache.ts";
import { wrongType } from "../../domain/cache/item-type.ts";
import { checkCollection, type ListPush, type ListStore, planPush } from "../../domain/cache/list-store.ts";
import { itemOverheadBytes, type KeptItem, type MemoryKeys } from "./memory-keys.ts";
import { MemoryList } from "./memory-list.ts";

/** What V8 keeps for an element beside its bytes, as measured: the array's slot, the view and its buffer. */
const elementOverheadBytes = 224;

interface Found {
  readonly kept: KeptItem;
  readonly list: MemoryList;
}

/** The lists of caches with durability `memory`. */
export function createMemoryLists(keys: MemoryKeys): ListStore {
  function find(cache: CacheKey, key: Uint8Array, nowMs: number): Found | undefined {
    const kept = keys.find(cache, key, nowMs);
    if (kept === undefined) return undefined;
    const { content } = kept;
    if (content instanceof MemoryList) return { kept, list: content };
    throw wrongType(content instanceof Uint8Array ? "scalar" : content.type, "list");
  }

  /** What a change sees: the cache must not be forgotten. */
  function open(cache: CacheKey, key: Uint8Array, nowMs: number): Found | undefined {
    keys.checkLive(cache);
    return find(cache, key, nowMs);
  }

  /** Counts what is left after a change, and answers its length. */
  function settle({ kept, list }: Found, expiresAtMs?: number): number {
    if (list.length === 0) keys.drop(kept);
    else {
      if (expiresAtMs !== undefined) keys.expireAt(kept, expiresAtMs);
      keys.resize(kept, bytesOf(kept.path.length, list.length, list.bytes));
    }
    return list.length;
  }

  /** @throws TodokuError `limit_exceeded`, and then nothing has changed. */
  function checkRoom(cache: CacheKey, key: Uint8Array, list: MemoryList | undefined, push: ListPush): void {
    const { values, cut } = planPush(push, list?.length ?? 0);
    let bytes = list?.bytes ?? 0;
    for (const { byteLength } of values) bytes += byteLength;
    for (const { byteLength } of list?.slice(push.end === "back" ? ends.first(cut) : ends.last(cut)) ?? []) {
      bytes -= byteLength;
    }
    const elements = (list?.length ?? 0) + values.length - cut;
    checkCollection(elements, bytes);
    keys.checkSize(cache.environment, bytesOf(key.byteLength, elements, bytes));
  }

  return {
    async push(cache, key, push, nowMs) {
      const found = open(cache, key, nowMs);
      checkRoom(cache, key, found?.list, push);
      const list = found?.list ?? new MemoryList();
      const { values, cut } = planPush(push, list.length);
      const { end, expiry } = push;
      list.push(
        end,
        values.map((value) => new Uint8Array(value)),
      );
      for (let left = cut; left > 0; left--) list.pop(end === "back" ? "front" : "back");
      if (found !== undefined) return settle(found, expiry.isRefreshed ? expiry.expiresAtMs : undefined);
      const bytes = bytesOf(key.byteLength, list.length, list.bytes);
      if (list.length > 0) keys.put(cache, key, list, expiry.expiresAtMs, bytes);
      return list.length;
    },
    async pop(cache, key, end, nowMs) {
      const found = open(cache, key, nowMs);
      return found && { value: found.list.pop(end), length: settle(found) };
    },
    async fetch(cache, key, slice, nowMs) {
      return find(cache, key, nowMs)?.list.slice(slice);
    },
    async length(cache, key, nowMs) {
      return find(cache, key, nowMs)?.list.length;
    },
    async retain(cache, key, slice, expiry, nowMs) {
      const found = open(cache, key, nowMs);
      found?.list.retain(slice);
      return found && settle(found, expiry.isRefreshed ? expiry.expiresAtMs : undefined);
    },
    async remove(cache, key, value, nowMs) {
      const found = open(cache, key, nowMs);
      found?.list.remove(value);
      return found && settle(found);
    },
    async erase(cache, key, ranges, nowMs) {
      const found = open(cache, key, nowMs);
      found?.list.erase(ranges);
      return found && settle(found);
    },
  };
}

const ends = {
  first: (count: number) => ({ start: 0, end: count }),
  last: (count: number) => ({ start: count === 0 ? Infinity : -count, end: undefined }),
};

function bytesOf(keyBytes: number, elements: number, bytes: number): number {
  return keyBytes + itemOverheadBytes + bytes + elements * elementOverheadBytes;
}
