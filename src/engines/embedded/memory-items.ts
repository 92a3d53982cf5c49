import { Buffer } from "node:buffer";
import type { CacheKey } from "../../domain/cache/cache.ts";
import type { ItemStore, StoredItem } from "../../domain/cache/store.ts";
import { TodokuError } from "../../domain/errors.ts";
import { ForgottenCaches } from "./forgotten-caches.ts";
import { LinkedList, type ListNode } from "./linked-list.ts";

interface KeptItem extends ListNode {
  readonly path: string;
  readonly cacheId: number;
  readonly usage: Usage;
  readonly item: StoredItem;
  readonly bytes: number;
}

/** An environment's items, least recently used first. */
interface Usage {
  readonly items: LinkedList<KeptItem>;
  bytes: number;
}

/** What V8 keeps for an item beside key and value: map, list and expiry entries. */
const itemOverheadBytes = 256;
/** Items freed in one step of `sweep`: about 2 ms. */
const sweepItems = 10_000;

/**
 * Items of caches with durability `memory`: all in this process, gone with it. Past an environment's byte budget the least
 * recently used items of that environment are evicted; an item larger than the budget gets `limit_exceeded`.
 */
export class MemoryItems implements ItemStore {
  readonly #environmentMaxBytes: number;
  readonly #caches = new Map<number, Map<string, KeptItem>>();
  readonly #environments = new Map<string, Usage>();
  readonly #forgotten = new ForgottenCaches();
  readonly #toFree: Map<string, KeptItem>[] = [];
  /** Items by the second they expire in: at most a day's worth of seconds. */
  readonly #expiring = new Map<number, Set<KeptItem>>();
  /** Items that were evicted for room since the start. */
  evictions = 0;

  constructor(environmentMaxBytes: number) {
    this.#environmentMaxBytes = environmentMaxBytes;
  }

  async get({ cacheId }: CacheKey, key: Uint8Array, nowMs: number): Promise<StoredItem | undefined> {
    const kept = this.#caches.get(cacheId)?.get(pathOf(key));
    if (kept === undefined || kept.item.expiresAtMs <= nowMs) return undefined;
    kept.usage.items.remove(kept);
    kept.usage.items.push(kept);
    return kept.item;
  }

  async set(cache: CacheKey, key: Uint8Array, item: StoredItem): Promise<void> {
    const { cacheId, environment } = cache;
    if (this.#forgotten.has(cacheId)) {
      throw new TodokuError("not_found", `cache ${cache.cache} does not exist`, { subject: "cache" });
    }
    const bytes = key.byteLength + item.value.byteLength + itemOverheadBytes;
    if (bytes > this.#environmentMaxBytes) {
      const text = `items of environment ${environment} may hold ${this.#environmentMaxBytes} bytes, this one is ${bytes}`;
      throw new TodokuError("limit_exceeded", text);
    }
    const items = this.#caches.get(cacheId) ?? new Map<string, KeptItem>();
    this.#caches.set(cacheId, items);
    const path = pathOf(key);
    this.#drop(items.get(path));
    const usage = this.#environments.get(environment) ?? { items: new LinkedList<KeptItem>(), bytes: 0 };
    this.#environments.set(environment, usage);
    const own = { value: new Uint8Array(item.value), expiresAtMs: item.expiresAtMs };
    this.#keep(items, { path, cacheId, usage, item: own, bytes, previous: undefined, next: undefined });
  }

  async delete({ cacheId }: CacheKey, key: Uint8Array): Promise<void> {
    this.#drop(this.#caches.get(cacheId)?.get(pathOf(key)));
  }

  async forget({ cacheId }: CacheKey): Promise<void> {
    this.#forgetCache(cacheId);
  }

  /** Forgets these caches of it, and what it uses. */
  forgetEnvironment(environment: string, cacheIds: readonly number[]): void {
    for (const cacheId of cacheIds) this.#forgetCache(cacheId);
    this.#environments.delete(environment);
  }

  async sweep(nowMs: number): Promise<boolean> {
    let left = sweepItems;
    for (const [second, items] of this.#expiring) {
      if ((second + 1) * 1000 > nowMs) continue;
      for (const kept of items) {
        if (left-- <= 0) return true;
        this.#drop(kept);
      }
    }
    for (let items = this.#toFree.at(-1); items !== undefined; items = this.#toFree.at(-1)) {
      for (const kept of items.values()) {
        if (left-- <= 0) return true;
        this.#unlink(kept);
        items.delete(kept.path);
      }
      this.#toFree.pop();
    }
    return false;
  }

  #forgetCache(cacheId: number): void {
    this.#forgotten.add(cacheId);
    const items = this.#caches.get(cacheId);
    if (items !== undefined) this.#toFree.push(items);
    this.#caches.delete(cacheId);
  }

  #keep(items: Map<string, KeptItem>, kept: KeptItem): void {
    items.set(kept.path, kept);
    kept.usage.items.push(kept);
    kept.usage.bytes += kept.bytes;
    const second = Math.floor(kept.item.expiresAtMs / 1000);
    const sameSecond = this.#expiring.get(second);
    if (sameSecond === undefined) this.#expiring.set(second, new Set([kept]));
    else sameSecond.add(kept);
    while (kept.usage.bytes > this.#environmentMaxBytes) {
      const oldest = kept.usage.items.first;
      if (oldest === undefined || oldest === kept) break;
      this.#drop(oldest);
      this.evictions++;
    }
  }

  #drop(kept: KeptItem | undefined): void {
    if (kept === undefined) return;
    const items = this.#caches.get(kept.cacheId);
    if (items?.get(kept.path) === kept) items.delete(kept.path);
    this.#unlink(kept);
  }

  #unlink(kept: KeptItem): void {
    const second = Math.floor(kept.item.expiresAtMs / 1000);
    const sameSecond = this.#expiring.get(second);
    // Already freed: an item of a forgotten cache may expire, be evicted and be freed, whichever comes first.
    if (sameSecond?.delete(kept) !== true) return;
    if (sameSecond.size === 0) this.#expiring.delete(second);
    kept.usage.items.remove(kept);
    kept.usage.bytes -= kept.bytes;
  }
}

function pathOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
