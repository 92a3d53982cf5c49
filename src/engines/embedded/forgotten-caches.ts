/** Forgotten caches that a memory store remembers: 8 bytes each, more than can be flushed while a call is under way. */
const maxForgotten = 1_000_000;

/** Which cache incarnations a memory store has forgotten. Ids never come back, so only late callers ask. */
export class ForgottenCaches {
  readonly #ids = new Set<number>();

  add(cacheId: number): void {
    this.#ids.add(cacheId);
    if (this.#ids.size <= maxForgotten) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  has(cacheId: number): boolean {
    return this.#ids.has(cacheId);
  }
}
