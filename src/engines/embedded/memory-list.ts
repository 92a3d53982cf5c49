import type { ListRange, ListSlice } from "../../domain/cache/list-store.ts";
import { mergeRanges, resolveSlice } from "../../domain/cache/list-store.ts";

/**
 * The elements of one list in memory, in two halves, of which the one at the front is kept backwards: both ends are ends of an array.
 * O(1) amortised at both, for a half that is used up gets half of the other.
 */
export class MemoryList {
  readonly type = "list";
  #front: Uint8Array[] = [];
  #back: Uint8Array[] = [];
  /** Of all elements. */
  bytes = 0;

  get length(): number {
    return this.#front.length + this.#back.length;
  }

  /** In their order, at the front too. Keeps them as they are. */
  push(end: "front" | "back", values: readonly Uint8Array[]): void {
    if (end === "back") for (const value of values) this.#back.push(value);
    else for (const value of values.toReversed()) this.#front.push(value);
    for (const { byteLength } of values) this.bytes += byteLength;
  }

  /** @throws RangeError when it is empty. */
  pop(end: "front" | "back"): Uint8Array {
    const own = end === "front" ? this.#front : this.#back;
    if (own.length === 0) this.#share(end === "front" ? this.#back : this.#front, own);
    const value = own.pop();
    if (value === undefined) throw new RangeError("the list is empty");
    this.bytes -= value.byteLength;
    return value;
  }

  slice(slice: ListSlice): Uint8Array[] {
    const { from, to } = resolveSlice(slice, this.length);
    const [front, back] = [this.#front, this.#back];
    const split = front.length;
    const first = front.slice(Math.max(split - to, 0), Math.max(split - from, 0)).reverse();
    return first.concat(back.slice(Math.max(from - split, 0), Math.max(to - split, 0)));
  }

  retain(slice: ListSlice): void {
    this.#replace(this.slice(slice));
  }

  remove(value: Uint8Array): void {
    this.#replace(this.#all().filter((element) => Buffer.compare(element, value) !== 0));
  }

  erase(ranges: readonly ListRange[]): void {
    const all = this.#all();
    const kept: Uint8Array[] = [];
    let next = 0;
    for (const { from, to } of mergeRanges(ranges, all.length)) {
      for (; next < from; next++) kept.push(all[next] as Uint8Array);
      next = to;
    }
    this.#replace(kept.concat(all.slice(next)));
  }

  #all(): Uint8Array[] {
    return this.slice({ start: undefined, end: undefined });
  }

  #replace(values: Uint8Array[]): void {
    this.#front = [];
    this.#back = values;
    this.bytes = values.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  #share(from: Uint8Array[], to: Uint8Array[]): void {
    for (const value of from.splice(0, Math.ceil(from.length / 2)).reverse()) to.push(value);
  }
}
