/** What is read may take so much of the time. */
const share = 0.2;
/** Less is not worth a pause. */
const pauseMinMs = 10;

/** Keeps functions that print without end from keeping the server from everything else: they wait until more of what they print is read. */
export class OutputPace {
  readonly #nowMs: () => number;
  #freeAtMs = 0;

  /** `nowMs`: monotonic. One for all processes: together they get no more. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** Runs `read`; answers for how long nothing more must be read from where that came from. */
  pauseMsAfter(read: () => void): number {
    const sinceMs = this.#nowMs();
    read();
    const nowMs = this.#nowMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, sinceMs) + (nowMs - sinceMs) / share;
    const pauseMs = this.#freeAtMs - nowMs;
    return pauseMs < pauseMinMs ? 0 : pauseMs;
  }
}
