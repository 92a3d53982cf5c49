import { limits } from "../../domain/limits.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";

/** Each stream gets one beat per this many turns; a fifteenth of all streams at a time, so that they are no burst. */
const turns = 15;

/** Something that says from time to time that it lives. */
export interface Beating {
  beat(): void;
}

/** A heartbeat each 15 seconds for every event stream: well inside the 60 s after which proxies close a silent line. */
export class Heartbeats {
  readonly #wheel: TimerWheel;
  readonly #buckets = Array.from({ length: turns }, () => new Set<Beating>());
  #next = 0;
  #deadline: Deadline | undefined;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
    this.#schedule();
  }

  /** Returns what takes the stream out again. Its first beat comes a whole round from now: the caller has just sent something. */
  add(stream: Beating): () => void {
    const bucket = this.#buckets[(this.#next + turns - 1) % turns] as Set<Beating>;
    bucket.add(stream);
    return () => bucket.delete(stream);
  }

  stop(): void {
    this.#deadline?.cancel();
  }

  #schedule(): void {
    this.#deadline = this.#wheel.schedule(limits.heartbeatMs, () => {
      this.#schedule();
      const bucket = this.#buckets[this.#next] as Set<Beating>;
      this.#next = (this.#next + 1) % turns;
      for (const stream of bucket) stream.beat();
    });
  }
}
