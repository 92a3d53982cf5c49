/** Grows at the end, shrinks at the start: both O(1) amortised, because the dropped start is cut off in halves. */
export class Deque<T> {
  #values: (T | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#values.length - this.#start;
  }

  at(index: number): T | undefined {
    return this.#values[this.#start + index];
  }

  push(value: T): void {
    this.#values.push(value);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const value = this.#values[this.#start];
    this.#values[this.#start++] = undefined;
    if (this.#start >= 32 && this.#start * 2 >= this.#values.length) {
      this.#values = this.#values.slice(this.#start);
      this.#start = 0;
    }
    return value;
  }
}
