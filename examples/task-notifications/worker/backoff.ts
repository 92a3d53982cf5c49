import { setTimeout as wait } from "node:timers/promises";

/** Pauses that double from 250 ms to 10 s, with up to half of each taken off by chance: who failed together must not come back together. */
export class Backoff {
  #tries = 0;

  /** @throws the signal's reason. */
  async pause(signal: AbortSignal): Promise<void> {
    const ms = Math.min(10_000, 250 * 2 ** this.#tries++) * (1 - Math.random() / 2);
    await wait(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  get hasFailed(): boolean {
    return this.#tries > 0;
  }

  reset(): void {
    this.#tries = 0;
  }
}
