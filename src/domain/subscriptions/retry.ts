import { limits } from "../limits.ts";

const { firstMs, maxMs } = limits.webhook.retry;
/** A wait is 0.8 to 1.2 times what it would be, so that those who failed together do not come back together. */
const jitter = 0.2;

/** How long to wait after so many failures in a row: 1, 2, 4 ... 60 s, give or take a fifth. `random`: 0..1. */
export function retryWaitMs(failures: number, random = Math.random()): number {
  const waitMs = Math.min(maxMs, firstMs * 2 ** (failures - 1));
  return waitMs * (1 - jitter + 2 * jitter * random);
}

/** The destination's own wish, in bounds: a wish of 0 s must not become a loop without a pause, nor one of a year a webhook that stands still. */
export function wishedWaitMs(retryAfterMs: number): number {
  return Math.min(limits.webhook.deadlineMs, Math.max(firstMs, retryAfterMs));
}

/** How often one item was tried, and until when it is. Times are the pump's own ({@link OwnTime}). */
export class Tries {
  #count = 0;
  #deadlineMs = Number.POSITIVE_INFINITY;

  get count(): number {
    return this.#count;
  }

  /** An attempt begins; the first one sets the deadline. */
  begin(ownMs: number): void {
    if (this.#count++ === 0) this.#deadlineMs = ownMs + limits.webhook.deadlineMs;
  }

  /** How long to wait behind a failure; the last try is made at the deadline. Undefined: it is over. */
  nextWaitMs(ownMs: number, retryAfterMs: number | undefined): number | undefined {
    const leftMs = this.#deadlineMs - ownMs;
    if (leftMs <= 0) return undefined;
    return Math.min(leftMs, retryAfterMs === undefined ? retryWaitMs(this.#count) : wishedWaitMs(retryAfterMs));
  }
}

/** A clock that can be stopped: the time of deadlines goes on only while the destination is thought to work. */
export class OwnTime {
  #ranMs = 0;
  #sinceMs: number | undefined;

  /** What has passed of it. `nowMs`: of the monotonic clock, as below. */
  ms(nowMs: number): number {
    return this.#ranMs + (this.#sinceMs === undefined ? 0 : nowMs - this.#sinceMs);
  }

  set(isGoing: boolean, nowMs: number): void {
    this.#ranMs = this.ms(nowMs);
    this.#sinceMs = isGoing ? nowMs : undefined;
  }
}
