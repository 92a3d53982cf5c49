/**
 * The elements of one set in memory, as texts with a character for each byte: V8 keeps less for those than for views, and knows equal
 * ones. A place in the array for each of them makes every choice at random O(1).
 */
export class MemorySet {
  readonly type = "set";
  readonly #elements: string[] = [];
  readonly #places = new Map<string, number>();
  /** Of all elements. */
  bytes = 0;

  get length(): number {
    return this.#elements.length;
  }

  has(element: string): boolean {
    return this.#places.has(element);
  }

  /** One that is there already changes nothing. */
  add(element: string): void {
    if (this.#places.has(element)) return;
    this.#places.set(element, this.#elements.push(element) - 1);
    this.bytes += element.length;
  }

  /** The last element takes its place. */
  delete(element: string): void {
    const place = this.#places.get(element);
    const last = this.#elements.at(-1);
    if (place === undefined || last === undefined) return;
    this.#elements[place] = last;
    this.#places.set(last, place);
    this.#elements.pop();
    this.#places.delete(element);
    this.bytes -= element.length;
  }

  clear(): void {
    this.#elements.length = 0;
    this.#places.clear();
    this.bytes = 0;
  }

  all(): readonly string[] {
    return this.#elements;
  }

  /** At these places of `all()`. */
  at(places: Uint32Array): string[] {
    return Array.from(places, (place) => this.#elements[place] as string);
  }
}
