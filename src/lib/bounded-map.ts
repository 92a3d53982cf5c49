/** `max` is the most that all entries may weigh together. */
interface Weights<K, V> {
  readonly max: number;
  readonly weigh: (key: K, value: V) => number;
}

/**
 * A map that holds at most `maxEntries`: past it the entry that was set longest ago goes. For caches of things that can be
 * worked out again, where a full LRU would cost a delete and an insert on each hit. With `weights` the sum of what `weigh` says of
 * its entries, the same each time, is at most `max` too.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #maxEntries: number;
  readonly #weights: Weights<K, V> | undefined;
  #weight = 0;
  // One walk through the map for all evictions: a new one each time passes over every place that a removed entry has left, 34 us
  // an eviction at 100,000 entries.
  #oldest: Iterator<K> | undefined;

  constructor(maxEntries: number, weights?: Weights<K, V>) {
    this.#maxEntries = maxEntries;
    this.#weights = weights;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    if (this.#entries.size >= this.#maxEntries && !this.#entries.has(key)) {
      this.#evict();
    }
    if (!this.#weights) {
      this.#entries.set(key, value);
      return;
    }
    const weight = this.#weights.weigh(key, value);
    this.delete(key);
    // It alone is too heavy: what is there is worth more.
    if (weight > this.#weights.max) return;
    this.#weight += weight;
    while (this.#weight > this.#weights.max) this.#evict();
    this.#entries.set(key, value);
  }

  delete(key: K): void {
    if (this.#weights) {
      const value = this.#entries.get(key);
      if (value === undefined) return;
      this.#weight -= this.#weights.weigh(key, value);
    }
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#weight = 0;
  }

  #evict(): void {
    this.#oldest ??= this.#entries.keys();
    const { done, value } = this.#oldest.next();
    if (done) this.#oldest = undefined;
    else this.delete(value);
    // A walk that had come to an end is over for good: the map was empty then, or nearly.
    if (done && this.#entries.size > 0) this.#evict();
  }
}
