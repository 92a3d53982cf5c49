import { TodokuError } from "../../domain/errors.ts";
import { type Evictable, KeptCache, KeptCaches, type KeptItem } from "./memory-usage.ts";

/** Bytes that keys of `memory` caches may take, with what they hold and an overhead for each key and cache. */
export interface MemoryBounds {
  readonly cacheMaxBytes: number;
  readonly environmentMaxBytes: number;
  /** Of the process. */
  readonly totalMaxBytes: number;
}

/** Keys evicted since the start, by the bound that was passed. */
export type Evictions = Record<"cache" | "environment" | "total", number>;

/** What V8 keeps for a cache that has keys, as measured: up to 850 bytes with an environment of its own. */
export const cacheOverheadBytes = 1024;

/** What the keys of `memory` caches take, by cache, by environment and in total, and which of them go past a bound. */
export class MemoryBudget {
  readonly #bounds: MemoryBounds;
  readonly #environments = new Map<string, KeptCaches>();
  readonly #process = new KeptCaches("");
  readonly evictions: Evictions = { cache: 0, environment: 0, total: 0 };

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
  }

  get bytes(): number {
    return this.#process.bytes;
  }

  /** Of one key. @throws TodokuError `limit_exceeded`. */
  checkSize(environment: string, bytes: number): void {
    const [name, boundBytes] = Object.entries(this.#bounds).reduce((least, one) => (one[1] < least[1] ? one : least));
    const maxBytes = boundBytes - cacheOverheadBytes;
    if (bytes <= maxBytes) return;
    const text = `a key of a memory cache in environment ${environment} may take ${maxBytes} bytes (${name} less ${cacheOverheadBytes}), this one takes ${bytes}`;
    throw new TodokuError("limit_exceeded", text);
  }

  /** A cache gets its first key. */
  open(environment: string): KeptCache {
    const caches = this.#environments.get(environment) ?? new KeptCaches(environment);
    this.#environments.set(environment, caches);
    const cache = new KeptCache(caches);
    caches.add(cache.seats[0]);
    this.#process.add(cache.seats[1]);
    this.count(cache, cacheOverheadBytes);
    return cache;
  }

  /** Its last key is gone. */
  close(cache: KeptCache): void {
    const { environment, seats } = cache;
    this.count(cache, -cacheOverheadBytes);
    environment.remove(seats[0]);
    this.#process.remove(seats[1]);
    if (environment.isEmpty && this.#environments.get(environment.name) === environment) {
      this.#environments.delete(environment.name);
    }
  }

  /** Its keys count until they are dropped, and go before any other. */
  forget(cache: KeptCache): void {
    cache.isForgotten = true;
    cache.environment.moveToFront(cache.seats[0]);
    this.#process.moveToFront(cache.seats[1]);
  }

  /** One of the same name begins with nothing. */
  forgetEnvironment(environment: string): void {
    this.#environments.delete(environment);
  }

  count(cache: KeptCache, bytes: number): void {
    cache.bytes += bytes;
    cache.environment.bytes += bytes;
    this.#process.bytes += bytes;
  }

  /** Has keys dropped until no bound is passed; `kept` is the one that needs the room. */
  makeRoom(kept: KeptItem, drop: (oldest: KeptItem) => void): void {
    const { cache } = kept.space;
    this.#evict("cache", cache, this.#bounds.cacheMaxBytes, kept, drop);
    this.#evict("environment", cache.environment, this.#bounds.environmentMaxBytes, kept, drop);
    this.#evict("total", this.#process, this.#bounds.totalMaxBytes, kept, drop);
  }

  #evict(
    reason: keyof Evictions,
    from: Evictable,
    maxBytes: number,
    kept: KeptItem,
    drop: (oldest: KeptItem) => void,
  ): void {
    while (from.bytes > maxBytes) {
      const oldest = from.oldest();
      if (oldest === undefined || oldest === kept) break;
      drop(oldest);
      if (!oldest.space.cache.isForgotten) this.evictions[reason]++;
    }
  }
}
