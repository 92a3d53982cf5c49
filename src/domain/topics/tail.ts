import { attributeBytes } from "../attributes.ts";
import { limits } from "../limits.ts";
import type { Position } from "./position.ts";
import type { TopicItem } from "./store.ts";

/** Bytes of all tails of the process, shared by them. */
export interface TailBudget {
  usedBytes: number;
  readonly maxBytes: number;
}

// What an item costs beside its value: the object, its value's view and the array slot, rounded up.
const itemOverheadBytes = 200;

/** The newest items of a followed topic, consecutive, up to its head: live delivery and short replays read no log. */
export class Tail {
  #items: TopicItem[] = [];
  /** Index of the oldest; the array is compacted when half of it is gone, so dropping is O(1) on average. */
  #start = 0;
  #bytes = 0;
  readonly #budget: TailBudget;

  constructor(budget: TailBudget) {
    this.#budget = budget;
  }

  /**
   * Appends; drops what is older than `limits.tailMinMs`, and three quarters when all tails are over their budget, or all of it
   * when that is not enough: the log has it too.
   */
  push(items: readonly TopicItem[], nowMs: number): void {
    for (const item of items) {
      this.#items.push(item);
      this.#count(costOf(item));
    }
    this.#dropWhile(({ publishedAtMs }) => isOld(publishedAtMs, nowMs));
    const { usedBytes, maxBytes } = this.#budget;
    if (usedBytes > maxBytes) {
      const keepBytes = Math.min(this.#bytes / 4, Math.max(0, maxBytes - (usedBytes - this.#bytes)));
      this.#dropWhile(() => this.#bytes > keepBytes);
    }
    this.#compact();
  }

  /** Drops what is old, for topics that nobody publishes to: the others need their share of the budget. */
  trim(nowMs: number): void {
    this.#dropWhile(({ publishedAtMs }) => isOld(publishedAtMs, nowMs));
    this.#compact();
  }

  #dropWhile(isUnwanted: (item: TopicItem) => boolean): void {
    while (this.#start < this.#items.length && isUnwanted(this.#items[this.#start] as TopicItem)) this.#dropOldest();
  }

  #compact(): void {
    if (this.#start > 64 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
  }

  clear(): void {
    this.#count(-this.#bytes);
    this.#items = [];
    this.#start = 0;
  }

  /** Items right behind `after`, at most one catch-up step of them; undefined when the tail does not reach back to it. */
  after(after: Position, bounds: { readonly maxItems: number; readonly maxBytes: number }): TopicItem[] | undefined {
    const oldest = this.#items[this.#start];
    if (!oldest || oldest.page !== after.page || after.sequence < oldest.sequence - 1) return undefined;
    const from = this.#start + after.sequence - oldest.sequence + 1;
    if (from >= this.#items.length) return undefined;
    let end = from;
    let bytes = 0;
    while (end < this.#items.length && end - from < bounds.maxItems && bytes < bounds.maxBytes) {
      bytes += (this.#items[end] as TopicItem).value.bytes.length;
      end++;
    }
    return this.#items.slice(from, end);
  }

  #dropOldest(): void {
    this.#count(-costOf(this.#items[this.#start] as TopicItem));
    this.#items[this.#start] = undefined as never; // freed now, not at the next compaction
    this.#start++;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.usedBytes += bytes;
  }
}

function isOld(publishedAtMs: number, nowMs: number): boolean {
  return nowMs - publishedAtMs > limits.tailMinMs;
}

function costOf(item: TopicItem): number {
  return itemOverheadBytes + item.value.bytes.length + (item.attributes ? attributeBytes(item.attributes) : 0);
}
