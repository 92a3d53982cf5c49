import type { Deadline, TimerWheel } from "./timer-wheel.ts";

/** Something that says from time to time that it lives. */
export interface Beating {
  beat(): void;
}

/** A heartbeat for each stream once in a round, for a share of them at each of its turns, so that 10,000 streams are no burst. */
export class Heartbeats {
  readonly #wheel: TimerWheel;
  readonly #turnMs: number;
  readonly #shares: readonly Set<Beating>[];
  #next = 0;
  #deadline: Deadline | undefined;

  /** `roundMs`: between two beats of a stream. */
  constructor(wheel: TimerWheel, { roundMs, turns }: { readonly roundMs: number; readonly turns: number }) {
    this.#wheel = wheel;
    this.#turnMs = roundMs / turns;
    this.#shares = Array.from({ length: turns }, () => new Set<Beating>());
    this.#schedule(wheel.nowMs() + this.#turnMs);
  }

  /** Returns what takes the stream out again. Its first beat comes a whole round from now: the caller has just sent something. */
  add(stream: Beating): () => void {
    const share = this.#shares[(this.#next + this.#shares.length - 1) % this.#shares.length] as Set<Beating>;
    share.add(stream);
    return () => share.delete(stream);
  }

  stop(): void {
    this.#deadline?.cancel();
  }

  /** From turn to turn, so that the wheel's delays do not add up; turns that were missed by a long way are not made up for. */
  #schedule(dueMs: number): void {
    const nowMs = this.#wheel.nowMs();
    this.#deadline = this.#wheel.schedule(dueMs - nowMs, () => {
      this.#schedule(Math.max(dueMs, this.#wheel.nowMs() - this.#turnMs) + this.#turnMs);
      const share = this.#shares[this.#next] as Set<Beating>;
      this.#next = (this.#next + 1) % this.#shares.length;
      for (const stream of share) stream.beat();
    });
  }
}
