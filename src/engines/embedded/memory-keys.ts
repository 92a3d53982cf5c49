import type { CacheKey } from "../../domain/cache/cache.ts";
import type { ItemType } from "../../domain/cache/item-type.ts";
import { TodokuError } from "../../domain/errors.ts";
import { textOf } from "../../lib/byte-text.ts";
import { ForgottenCaches } from "./forgotten-caches.ts";
import { type Evictions, type MemoryBounds, MemoryBudget } from "./memory-budget.ts";
import { ExpiringKeys } from "./memory-expiry.ts";
import { MemoryKeyMap } from "./memory-key-map.ts";
import type { Content, KeptCache, KeptItem, KeptSpace } from "./memory-usage.ts";

export type { KeptItem } from "./memory-usage.ts";

type Changing<T> = { -readonly [name in keyof T]: T[name] };

/** What V8 keeps for an item beside key and value, as measured: map, list and expiry entries. */
export const itemOverheadBytes = 256;
/** Items freed in one step of `sweep`: 3 to 7 ms, when there are a million. */
const sweepItems = 5000;

/**
 * The keys of caches with durability `memory`, whatever they hold: all in this process, gone with it. Past a bound the least recently used
 * keys are evicted: of the cache, of the environment, or of the process. One key that no bound has room for gets `limit_exceeded`.
 */
export class MemoryKeys {
  readonly #budget: MemoryBudget;
  readonly #spaces = new Map<number, KeptSpace>();
  readonly #forgotten = new ForgottenCaches();
  readonly #toFree: KeptCache[] = [];
  readonly #expiring = new ExpiringKeys<KeptItem>();
  #uses = 0;
  readonly #drop = (kept: KeptItem) => this.drop(kept);

  constructor(bounds: MemoryBounds) {
    this.#budget = new MemoryBudget(bounds);
  }

  /** Of all keys, with what they hold and what waits to be freed. */
  get bytes(): number {
    return this.#budget.bytes;
  }

  /** Since the start. */
  get evictions(): Readonly<Evictions> {
    return this.#budget.evictions;
  }

  /** What the key holds at `nowMs`; it is then the last that was used. */
  find({ cacheId }: CacheKey, key: Uint8Array, nowMs: number): KeptItem | undefined {
    const kept = this.#spaces.get(cacheId)?.items.get(textOf(key));
    if (kept === undefined || kept.expiresAtMs <= nowMs) return undefined;
    this.#use(kept);
    return kept;
  }

  /** Takes the place of what the key held. `bytes` with key and overhead. @throws TodokuError `not_found`, `limit_exceeded`. */
  put(cache: CacheKey, key: Uint8Array, content: Content, expiresAtMs: number, bytes: number): KeptItem {
    this.checkLive(cache);
    this.checkSize(cache.environment, bytes);
    const path = textOf(key);
    const space = this.#spaces.get(cache.cacheId) ?? this.#open(cache);
    const known = space.items.get(path);
    if (known !== undefined) return this.#replace(known, content, expiresAtMs, bytes);
    const usedAt = ++this.#uses;
    const kept: KeptItem = {
      path,
      space,
      content,
      expiresAtMs,
      bytes,
      usedAt,
      previous: undefined,
      next: undefined,
      sooner: undefined,
      later: undefined,
    };
    space.items.set(path, kept);
    space.cache.items.push(kept);
    this.#budget.count(space.cache, bytes);
    this.#expiring.add(kept);
    this.#budget.makeRoom(kept, this.#drop);
    return kept;
  }

  /** @throws TodokuError `not_found`. */
  checkLive({ cacheId, cache }: CacheKey): void {
    if (!this.#forgotten.has(Math.abs(cacheId))) return;
    throw new TodokuError("not_found", `cache ${cache} does not exist`, { subject: "cache" });
  }

  /** Of one key. @throws TodokuError `limit_exceeded`. */
  checkSize(environment: string, bytes: number): void {
    this.#budget.checkSize(environment, bytes);
  }

  /** What it holds has changed: {@link checkSize} said that there may be room for it. */
  resize(kept: KeptItem, bytes: number): void {
    this.#budget.count(kept.space.cache, bytes - kept.bytes);
    (kept as Changing<KeptItem>).bytes = bytes;
    this.#budget.makeRoom(kept, this.#drop);
  }

  expireAt(kept: KeptItem, expiresAtMs: number): void {
    this.#expiring.remove(kept);
    (kept as Changing<KeptItem>).expiresAtMs = expiresAtMs;
    this.#expiring.add(kept);
  }

  delete({ cacheId }: CacheKey, key: Uint8Array): void {
    this.drop(this.#spaces.get(cacheId)?.items.get(textOf(key)));
  }

  drop(kept: KeptItem | undefined): void {
    if (kept === undefined || !this.#unlink(kept)) return;
    const { space } = kept;
    space.items.delete(kept.path);
    if (space.items.size === 0 && this.#spaces.get(space.cacheId) === space) this.#spaces.delete(space.cacheId);
    if (space.cache.items.first === undefined) this.#budget.close(space.cache);
  }

  /** Both spaces of keys of the cache. */
  forget(cacheId: number): void {
    const id = Math.abs(cacheId);
    this.#forgotten.add(id);
    const cache = (this.#spaces.get(id) ?? this.#spaces.get(-id))?.cache;
    if (cache === undefined) return;
    this.#spaces.delete(id);
    this.#spaces.delete(-id);
    this.#budget.forget(cache);
    this.#toFree.push(cache);
  }

  /** Forgets these caches of it, and what it uses. */
  forgetEnvironment(environment: string, cacheIds: readonly number[]): void {
    for (const cacheId of cacheIds) this.forget(cacheId);
    this.#budget.forgetEnvironment(environment);
  }

  /** One step; true when there is more to do. */
  sweep(nowMs: number): boolean {
    let left = sweepItems;
    for (const kept of this.#expiring.due(nowMs)) {
      if (left-- <= 0) return true;
      this.drop(kept);
    }
    for (let cache = this.#toFree.at(-1); cache !== undefined; cache = this.#toFree.at(-1)) {
      for (let kept = cache.items.first; kept !== undefined; kept = cache.items.first) {
        if (left-- <= 0) return true;
        this.drop(kept);
      }
      this.#toFree.pop();
    }
    return false;
  }

  /** In its place: a `Set` of a key that is there makes nothing that V8 has to collect but the old value. */
  #replace(kept: KeptItem, content: Content, expiresAtMs: number, bytes: number): KeptItem {
    (kept as Changing<KeptItem>).content = content;
    if (kept.expiresAtMs !== expiresAtMs) this.expireAt(kept, expiresAtMs);
    this.#use(kept);
    this.resize(kept, bytes);
    return kept;
  }

  #use(kept: KeptItem): void {
    const { items } = kept.space.cache;
    items.remove(kept);
    items.push(kept);
    kept.usedAt = ++this.#uses;
  }

  /** A new space for the cache's keys, which is the cache's first unless it has one under the other sign. */
  #open({ cacheId, environment }: CacheKey): KeptSpace {
    const cache = this.#spaces.get(-cacheId)?.cache ?? this.#budget.open(environment);
    const space = { cacheId, cache, items: new MemoryKeyMap<KeptItem>() };
    this.#spaces.set(cacheId, space);
    return space;
  }

  /** False when it was freed before: an item may expire, be evicted and be dropped by its caller, whichever comes first. */
  #unlink(kept: KeptItem): boolean {
    if (!this.#expiring.remove(kept)) return false;
    kept.space.cache.items.remove(kept);
    this.#budget.count(kept.space.cache, -kept.bytes);
    return true;
  }
}

/** As an error names it: a scalar, or the collection's type. */
export function typeOf(content: Content): ItemType {
  return typeof content === "string" || content instanceof Uint8Array ? "scalar" : content.type;
}
