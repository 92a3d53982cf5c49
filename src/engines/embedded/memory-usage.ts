import type { ItemType } from "../../domain/cache/item-type.ts";
import { LinkedList, type ListNode } from "./linked-list.ts";
import type { Expiring } from "./memory-expiry.ts";
import type { MemoryKeyMap } from "./memory-key-map.ts";

/** What a key holds: a scalar's bytes, as memory-scalars.ts keeps them, or a collection. */
export type Content = string | Uint8Array | { readonly type: ItemType };

/** A key of a `memory` cache. */
export interface KeptItem extends ListNode, Expiring {
  readonly path: string;
  readonly space: KeptSpace;
  readonly content: Content;
  readonly bytes: number;
  /** Grows with each use of any key of the process. */
  usedAt: number;
}

/** The keys that lie under one id: a cache has a second space, under its negative id. */
export interface KeptSpace {
  readonly cacheId: number;
  readonly cache: KeptCache;
  readonly items: MemoryKeyMap<KeptItem>;
}

/** What is counted together, in bytes, and whose keys are evicted together. */
export interface Evictable {
  readonly bytes: number;
  /** The key to evict first. */
  oldest(): KeptItem | undefined;
}

/** A cache that has keys. */
export class KeptCache implements Evictable {
  readonly environment: KeptCaches;
  /** Least recently used first. */
  readonly items = new LinkedList<KeptItem>();
  readonly seats: readonly [environment: Seat, process: Seat];
  bytes = 0;
  isForgotten = false;

  constructor(environment: KeptCaches) {
    this.environment = environment;
    this.seats = [new Seat(this), new Seat(this)];
  }

  oldest(): KeptItem | undefined {
    return this.items.first;
  }
}

/** A cache's place among those of its environment, or of the process. */
class Seat implements ListNode {
  readonly cache: KeptCache;
  previous: ListNode | undefined = undefined;
  next: ListNode | undefined = undefined;

  constructor(cache: KeptCache) {
    this.cache = cache;
  }
}

/** Caches that are compared for one eviction: it takes 1 us, however many there are. */
const comparedCaches = 16;

/** The caches of an environment, or of the process, that have keys. */
export class KeptCaches implements Evictable {
  readonly name: string;
  /** Forgotten ones first; each of the others moves back when it was compared. */
  readonly #seats = new LinkedList<Seat>();
  #count = 0;
  bytes = 0;

  /** `name`: of the environment. */
  constructor(name: string) {
    this.name = name;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  add(seat: Seat): void {
    this.#seats.push(seat);
    this.#count++;
  }

  remove(seat: Seat): void {
    this.#seats.remove(seat);
    this.#count--;
  }

  /** Its keys are to go before any other. */
  moveToFront(seat: Seat): void {
    this.#seats.remove(seat);
    this.#seats.unshift(seat);
  }

  /** One of a forgotten cache; else the least recently used one of up to 16 caches, all of them in turn when there are more. */
  oldest(): KeptItem | undefined {
    let oldest: KeptItem | undefined;
    for (let left = Math.min(comparedCaches, this.#count); left > 0; left--) {
      const seat = this.#seats.first;
      if (seat === undefined) break;
      const { first } = seat.cache.items;
      if (seat.cache.isForgotten) return first;
      this.#seats.remove(seat);
      this.#seats.push(seat);
      if (first !== undefined && (oldest === undefined || first.usedAt < oldest.usedAt)) oldest = first;
    }
    return oldest;
  }
}
