/** The elements of one dictionary in memory: fields and values as texts (byte-text.ts). */
export class MemoryDictionary {
  readonly type = "dictionary";
  readonly #values = new Map<string, string>();
  /** Of all fields and values. */
  bytes = 0;

  get length(): number {
    return this.#values.size;
  }

  get(field: string): string | undefined {
    return this.#values.get(field);
  }

  entries(): Iterable<[field: string, value: string]> {
    return this.#values;
  }

  set(field: string, value: string): void {
    const held = this.#values.get(field);
    this.bytes += held === undefined ? field.length + value.length : value.length - held.length;
    this.#values.set(field, value);
  }

  delete(field: string): void {
    const held = this.#values.get(field);
    if (held === undefined) return;
    this.bytes -= field.length + held.length;
    this.#values.delete(field);
  }

  clear(): void {
    this.#values.clear();
    this.bytes = 0;
  }
}
