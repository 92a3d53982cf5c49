/** Bytes that come in parts, in one buffer that grows by doubling: linear in their number, however small the parts are. */
export class CollectedBytes {
  #bytes = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies what is in `part` from `start` to `end`. The buffer never grows beyond `maxBytes`, which holds all that will come. */
  append(part: Buffer, start: number, end: number, maxBytes: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * this.#bytes.length, maxBytes)));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    part.copy(this.#bytes, this.#length, start, end);
    this.#length = length;
  }

  /** A view, not a copy. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }
}
