import { TodokuError } from "../errors.ts";
import type { Bounds } from "./settings.ts";

/** How long a caller is told to wait for a stream: somebody has to close one, and nobody knows when. */
const streamRetryMs = 1000;

/** Words of the sentence that refuses: "calls", "this token". */
export interface MeterName {
  readonly counted: string;
  readonly whose: string;
}

/** What is counted of one key, token, user, address or environment: a bucket of calls that fills again by itself, and open streams. */
export class Meter {
  /** Open subscriptions and waiting receives. */
  streams = 0;
  /** It was forgotten to make room: whoever holds it has to look it up again. */
  isGone = false;
  readonly #name: MeterName;
  #bounds: Bounds;
  #calls: number;
  #filledAtMs: number;

  constructor(name: MeterName, bounds: Bounds, nowMs: number) {
    this.#name = name;
    this.#bounds = bounds;
    this.#calls = bounds.burst;
    this.#filledAtMs = nowMs;
  }

  /** Other bounds from now on; what is open stays open. */
  adopt(bounds: Bounds, nowMs: number): void {
    if (bounds === this.#bounds) return;
    this.#fill(nowMs);
    this.#bounds = bounds;
    this.#calls = Math.min(this.#calls, bounds.burst);
  }

  /** Call `count` if no other meter refuses. @throws TodokuError `limit_exceeded` with subject `operations`. */
  check(nowMs: number): void {
    if (this.#bounds.callsPerSecond === 0) return;
    this.#fill(nowMs);
    if (this.#calls < 1) throw this.#tooManyCalls();
  }

  /** One call; without `check` before it, the bucket may go into debt by as much as it holds. */
  count(): void {
    if (this.#calls > -this.#bounds.burst) this.#calls--;
  }

  /** @throws TodokuError `limit_exceeded` with subject `subscribers`. */
  checkStream(): void {
    const { streams } = this.#bounds;
    if (streams === 0 || this.streams < streams) return;
    throw new TodokuError(
      "limit_exceeded",
      `subscribers: ${this.#name.whose} has ${this.streams} subscriptions and waiting receives open; must be <= ${streams}`,
      { subject: "subscribers", retryAfterMs: streamRetryMs },
    );
  }

  /** Nothing is open and the bucket is full: it says no more than a new one would. */
  isIdle(nowMs: number): boolean {
    if (this.streams > 0) return false;
    if (this.#bounds.callsPerSecond === 0) return true; // what was taken under an earlier bound would never come back
    this.#fill(nowMs);
    return this.#calls >= this.#bounds.burst;
  }

  #fill(nowMs: number): void {
    const { callsPerSecond, burst } = this.#bounds;
    this.#calls = Math.min(burst, this.#calls + ((nowMs - this.#filledAtMs) * callsPerSecond) / 1000);
    this.#filledAtMs = nowMs;
  }

  #tooManyCalls(): TodokuError {
    const { callsPerSecond, burst } = this.#bounds;
    const retryAfterMs = Math.max(1, Math.ceil(((1 - this.#calls) * 1000) / callsPerSecond));
    const { counted, whose } = this.#name;
    const rate = `${Number(callsPerSecond.toFixed(3))} per second and ${burst} at once`;
    return new TodokuError(
      "limit_exceeded",
      `operations: ${counted} of ${whose} must be <= ${rate}; try again in ${retryAfterMs} ms`,
      { subject: "operations", retryAfterMs },
    );
  }
}
