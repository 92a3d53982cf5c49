import { Buffer } from "node:buffer";
import type { CacheKey } from "../../domain/cache/cache.ts";
import type { ItemType } from "../../domain/cache/item-type.ts";
import { TodokuError } from "../../domain/errors.ts";
import { ForgottenCaches } from "./forgotten-caches.ts";
import { LinkedList, type ListNode } from "./linked-list.ts";

/** What a key holds: a scalar's bytes, or a collection. */
export type Content = Uint8Array | { readonly type: ItemType };

/** A key of a `memory` cache. */
export interface KeptItem extends ListNode {
  readonly path: string;
  readonly cacheId: number;
  readonly usage: Usage;
  readonly content: Content;
  readonly expiresAtMs: number;
  readonly bytes: number;
}

type Changing<T> = { -readonly [name in keyof T]: T[name] };

/** An environment's items, least recently used first. */
interface Usage {
  readonly items: LinkedList<KeptItem>;
  bytes: number;
}

/** What V8 keeps for an item beside key and value: map, list and expiry entries. */
export const itemOverheadBytes = 256;
/** Items freed in one step of `sweep`: about 2 ms. */
const sweepItems = 10_000;

/**
 * The keys of caches with durability `memory`, whatever they hold: all in this process, gone with it. Past an environment's byte budget the
 * least recently used keys of that environment are evicted; one larger than the budget gets `limit_exceeded`.
 */
export class MemoryKeys {
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

  /** What the key holds at `nowMs`; it is then the last that was used. */
  find({ cacheId }: CacheKey, key: Uint8Array, nowMs: number): KeptItem | undefined {
    const kept = this.#caches.get(cacheId)?.get(pathOf(key));
    if (kept === undefined || kept.expiresAtMs <= nowMs) return undefined;
    kept.usage.items.remove(kept);
    kept.usage.items.push(kept);
    return kept;
  }

  /** Takes the place of what the key held. `bytes` with key and overhead. @throws TodokuError `not_found`, `limit_exceeded`. */
  put(cache: CacheKey, key: Uint8Array, content: Content, expiresAtMs: number, bytes: number): KeptItem {
    const { cacheId, environment } = cache;
    this.checkLive(cache);
    this.checkSize(environment, bytes);
    const items = this.#caches.get(cacheId) ?? new Map<string, KeptItem>();
    this.#caches.set(cacheId, items);
    const path = pathOf(key);
    this.drop(items.get(path));
    const usage = this.#environments.get(environment) ?? { items: new LinkedList<KeptItem>(), bytes: 0 };
    this.#environments.set(environment, usage);
    const kept = { path, cacheId, usage, content, expiresAtMs, bytes, previous: undefined, next: undefined };
    items.set(path, kept);
    usage.items.push(kept);
    usage.bytes += bytes;
    this.#expireLater(kept);
    this.#makeRoom(kept);
    return kept;
  }

  /** @throws TodokuError `not_found`. */
  checkLive({ cacheId, cache }: CacheKey): void {
    if (!this.#forgotten.has(cacheId)) return;
    throw new TodokuError("not_found", `cache ${cache} does not exist`, { subject: "cache" });
  }

  /** Of one key. @throws TodokuError `limit_exceeded`. */
  checkSize(environment: string, bytes: number): void {
    if (bytes <= this.#environmentMaxBytes) return;
    const text = `items of environment ${environment} may hold ${this.#environmentMaxBytes} bytes, this one is ${bytes}`;
    throw new TodokuError("limit_exceeded", text);
  }

  /** What it holds has changed: {@link checkSize} said that there may be room for it. */
  resize(kept: KeptItem, bytes: number): void {
    kept.usage.bytes += bytes - kept.bytes;
    (kept as Changing<KeptItem>).bytes = bytes;
    this.#makeRoom(kept);
  }

  expireAt(kept: KeptItem, expiresAtMs: number): void {
    this.#expireNever(kept);
    (kept as Changing<KeptItem>).expiresAtMs = expiresAtMs;
    this.#expireLater(kept);
  }

  delete({ cacheId }: CacheKey, key: Uint8Array): void {
    this.drop(this.#caches.get(cacheId)?.get(pathOf(key)));
  }

  drop(kept: KeptItem | undefined): void {
    if (kept === undefined) return;
    const items = this.#caches.get(kept.cacheId);
    if (items?.get(kept.path) === kept) items.delete(kept.path);
    this.#unlink(kept);
  }

  forget(cacheId: number): void {
    this.#forgotten.add(cacheId);
    const items = this.#caches.get(cacheId);
    if (items !== undefined) this.#toFree.push(items);
    this.#caches.delete(cacheId);
  }

  /** Forgets these caches of it, and what it uses. */
  forgetEnvironment(environment: string, cacheIds: readonly number[]): void {
    for (const cacheId of cacheIds) this.forget(cacheId);
    this.#environments.delete(environment);
  }

  /** One step; true when there is more to do. */
  sweep(nowMs: number): boolean {
    let left = sweepItems;
    for (const [second, items] of this.#expiring) {
      if ((second + 1) * 1000 > nowMs) continue;
      for (const kept of items) {
        if (left-- <= 0) return true;
        this.drop(kept);
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

  #makeRoom(kept: KeptItem): void {
    while (kept.usage.bytes > this.#environmentMaxBytes) {
      const oldest = kept.usage.items.first;
      if (oldest === undefined || oldest === kept) break;
      this.drop(oldest);
      this.evictions++;
    }
  }

  #expireLater(kept: KeptItem): void {
    const second = Math.floor(kept.expiresAtMs / 1000);
    const sameSecond = this.#expiring.get(second);
    if (sameSecond === undefined) this.#expiring.set(second, new Set([kept]));
    else sameSecond.add(kept);
  }

  /** False when it was there no more. */
  #expireNever(kept: KeptItem): boolean {
    const second = Math.floor(kept.expiresAtMs / 1000);
    const sameSecond = this.#expiring.get(second);
    if (sameSecond?.delete(kept) !== true) return false;
    if (sameSecond.size === 0) this.#expiring.delete(second);
    return true;
  }

  #unlink(kept: KeptItem): void {
    // Already freed: an item of a forgotten cache may expire, be evicted and be freed, whichever comes first.
    if (!this.#expireNever(kept)) return;
    kept.usage.items.remove(kept);
    kept.usage.bytes -= kept.bytes;
  }
}

function pathOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
