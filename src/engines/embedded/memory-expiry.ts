import type { KeptItem } from "./memory-usage.ts";

/** Keys by the second they expire in: at most a day's worth of seconds. */
export class ExpiringKeys {
  readonly #seconds = new Map<number, Set<KeptItem>>();

  add(kept: KeptItem): void {
    const second = secondOf(kept);
    const sameSecond = this.#seconds.get(second);
    if (sameSecond === undefined) this.#seconds.set(second, new Set([kept]));
    else sameSecond.add(kept);
  }

  /** False when it was there no more. */
  remove(kept: KeptItem): boolean {
    const second = secondOf(kept);
    const sameSecond = this.#seconds.get(second);
    if (sameSecond?.delete(kept) !== true) return false;
    if (sameSecond.size === 0) this.#seconds.delete(second);
    return true;
  }

  /** Those of seconds that are over. They may be removed meanwhile. */
  *due(nowMs: number): Generator<KeptItem> {
    for (const [second, items] of this.#seconds) {
      if ((second + 1) * 1000 <= nowMs) yield* items;
    }
  }
}

function secondOf({ expiresAtMs }: KeptItem): number {
  return Math.floor(expiresAtMs / 1000);
}
