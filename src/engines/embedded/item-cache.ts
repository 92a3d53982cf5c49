import type { StoredItem } from "../../domain/cache/store.ts";

interface Cached {
  readonly item: StoredItem;
  readonly bytes: number;
}

/** What the map keeps for an entry beside key and value. */
const entryOverheadBytes = 128;

/** Recently used `disk` items in memory; the least recently used go first. */
export class ItemCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Cached>();
  bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(path: string): StoredItem | undefined {
    const cached = this.#entries.get(path);
    if (cached === undefined) return undefined;
    this.#entries.delete(path);
    this.#entries.set(path, cached);
    return cached.item;
  }

  /** Keeps its own copy of the value: the caller's may be a view that holds a whole network chunk. */
  set(path: string, item: StoredItem): void {
    this.delete(path);
    const bytes = path.length + item.value.byteLength + entryOverheadBytes;
    if (bytes > this.#maxBytes / 8) return;
    this.#entries.set(path, { item: { value: new Uint8Array(item.value), expiresAtMs: item.expiresAtMs }, bytes });
    this.bytes += bytes;
    if (this.bytes <= this.#maxBytes) return;
    for (const oldest of this.#entries.keys()) {
      if (this.bytes <= this.#maxBytes) break;
      this.delete(oldest);
    }
  }

  delete(path: string): void {
    const cached = this.#entries.get(path);
    if (cached === undefined) return;
    this.#entries.delete(path);
    this.bytes -= cached.bytes;
  }
}
