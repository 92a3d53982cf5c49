import type { ListRange, ListSlice } from "../../domain/cache/list-store.ts";
import { mergeRanges, resolveSlice } from "../../domain/cache/list-store.ts";

/**
 * The elements of one list in memory, as texts (byte-text.ts), in two halves, of which the one at the front is kept backwards: both ends are ends of an array.
 * O(1) amortised at both, for a half that is used up gets half of the other.
 */
export class MemoryList {
  readonly type = "list";
  #front: string[] = [];
  #back: string[] = [];
  /** Of all elements. */
  bytes = 0;

  get length(): number {
    return this.#front.length + this.#back.length;
  }

  /** In their order, at the front too. */
  push(end: "front" | "back", values: readonly string[]): void {
    if (end === "back") for (const value of values) this.#back.push(value);
    else for (const value of values.toReversed()) this.#front.push(value);
    for (const { length } of values) this.bytes += length;
  }

  /** @throws RangeError when it is empty. */
  pop(end: "front" | "back"): string {
    const own = end === "front" ? this.#front : this.#back;
    if (own.length === 0) this.#share(end === "front" ? this.#back : this.#front, own);
    const value = own.pop();
    if (value === undefined) throw new RangeError("the list is empty");
    this.bytes -= value.length;
    return value;
  }

  slice(slice: ListSlice): string[] {
    const { from, to } = resolveSlice(slice, this.length);
    const [front, back] = [this.#front, this.#back];
    const split = front.length;
    const first = front.slice(Math.max(split - to, 0), Math.max(split - from, 0)).reverse();
    return first.concat(back.slice(Math.max(from - split, 0), Math.max(to - split, 0)));
  }

  retain(slice: ListSlice): void {
    this.#replace(this.slice(slice));
  }

  remove(value: string): void {
    this.#replace(this.#all().filter((element) => element !== value));
  }

  erase(ranges: readonly ListRange[]): void {
    const all = this.#all();
    const kept: string[] = [];
    let next = 0;
    for (const { from, to } of mergeRanges(ranges, all.length)) {
      for (; next < from; next++) kept.push(all[next] as string);
      next = to;
    }
    this.#replace(kept.concat(all.slice(next)));
  }

  #all(): string[] {
    return this.slice({ start: undefined, end: undefined });
  }

  #replace(values: string[]): void {
    this.#front = [];
    this.#back = values;
    this.bytes = values.reduce((sum, { length }) => sum + length, 0);
  }

  #share(from: string[], to: string[]): void {
    for (const value of from.splice(0, Math.ceil(from.length / 2)).reverse()) to.push(value);
  }
}
