import { limits } from "./limits.ts";

interface Bounds {
  readonly windowMs: number;
  readonly perEmail: number;
  readonly perAddress: number;
}

/** Counts tries for each e-mail and for each network address, in windows that begin with the first try. */
export class Tries {
  readonly #bounds: Bounds;
  readonly #nowMs: () => number;
  readonly #windows = new Map<string, { count: number; readonly endMs: number }>();

  constructor(bounds: Bounds, nowMs: () => number = () => performance.now()) {
    this.#bounds = bounds;
    this.#nowMs = nowMs;
  }

  /** Counts a try before its work begins, so that a thousand at once do not slip through. @returns ms to wait; 0: go on. */
  take(email: string, address: string): number {
    const keys = [
      [`email ${email}`, this.#bounds.perEmail],
      [`address ${address}`, this.#bounds.perAddress],
    ] as const;
    const waitMs = Math.max(...keys.map(([key, bound]) => this.#waitMs(key, bound)));
    if (waitMs === 0) for (const [key] of keys) this.#count(key);
    return waitMs;
  }

  /** Takes a try back that turned out to be right. */
  giveBack(email: string, address: string): void {
    for (const key of [`email ${email}`, `address ${address}`]) {
      const window = this.#windows.get(key);
      if (window) window.count--;
    }
  }

  #waitMs(key: string, bound: number): number {
    const window = this.#windows.get(key);
    return window === undefined || window.count < bound ? 0 : Math.max(0, window.endMs - this.#nowMs());
  }

  #count(key: string): void {
    const window = this.#windows.get(key);
    if (window && window.endMs > this.#nowMs()) {
      window.count++;
      return;
    }
    this.#windows.delete(key); // so that the map is in the order of its windows' ends
    this.#windows.set(key, { count: 1, endMs: this.#nowMs() + this.#bounds.windowMs });
    if (this.#windows.size <= limits.triesMaxKeys) return;
    for (const oldest of this.#windows.keys()) {
      this.#windows.delete(oldest);
      break;
    }
  }
}
