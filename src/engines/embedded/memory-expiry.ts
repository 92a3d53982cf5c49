/** A place in the ring of those that expire in the same second; no neighbours: it is in none. */
export interface ExpiryNode {
  sooner: ExpiryNode | undefined;
  later: ExpiryNode | undefined;
}

/** What expires. */
export interface Expiring extends ExpiryNode {
  readonly expiresAtMs: number;
}

/**
 * Keys by the second they expire in: at most a day's worth of seconds, a week's with leaderboards. Rings and not sets, because a `Set` of a
 * million moves them all when it grows or shrinks, which takes a second.
 */
export class ExpiringKeys<T extends Expiring> {
  /** Each ring begins and ends with a node that expires never. */
  readonly #seconds = new Map<number, ExpiryNode>();

  add(kept: T): void {
    const second = secondOf(kept);
    const ring = this.#seconds.get(second) ?? newRing();
    this.#seconds.set(second, ring);
    link(ring.sooner as ExpiryNode, kept);
    link(kept, ring);
  }

  /** False when it was there no more. */
  remove(kept: T): boolean {
    const { sooner, later } = kept;
    if (sooner === undefined || later === undefined) return false;
    link(sooner, later);
    kept.sooner = undefined;
    kept.later = undefined;
    // Only the ring's own node is left.
    if (sooner === later) this.#seconds.delete(secondOf(kept));
    return true;
  }

  /** Those of seconds that are over. Each must be removed before the next is asked for. */
  *due(nowMs: number): Generator<T> {
    for (const [second, ring] of this.#seconds) {
      if ((second + 1) * 1000 > nowMs) continue;
      for (let node = ring.later; node !== ring; node = ring.later) yield node as T;
    }
  }
}

function newRing(): ExpiryNode {
  const ring: ExpiryNode = { sooner: undefined, later: undefined };
  link(ring, ring);
  return ring;
}

function link(sooner: ExpiryNode, later: ExpiryNode): void {
  sooner.later = later;
  later.sooner = sooner;
}

function secondOf({ expiresAtMs }: Expiring): number {
  return Math.floor(expiresAtMs / 1000);
}
