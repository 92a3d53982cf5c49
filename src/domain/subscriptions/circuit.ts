import { limits } from "../limits.ts";
import type { Outcome } from "./destination.ts";
import { retryWaitMs, wishedWaitMs } from "./retry.ts";

/** So many different items in a row that fail say something of the destination; one that fails again and again says something of itself. */
const differentItems = 3;

/**
 * Does the destination of one subscription work at all? Closed: it does. Open: one attempt is made at a time, at the retry waits.
 * Opens after `limits.webhook.circuitFailures` failures in a row that say so, or that are of different items.
 */
export class Circuit {
  #isOpen = false;
  /** In a row. */
  #failures = 0;
  #outages = 0;
  readonly #failed = new Set<string>();
  /** It was opened by outages alone: any answer of the destination closes it. */
  #isOutage = false;
  #probes = 0;
  #isProbing = false;
  #probeAtMs = 0;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** When the next attempt is due, of the monotonic clock as all times here; undefined while none is waited for. */
  get probeAtMs(): number | undefined {
    return this.#isOpen && !this.#isProbing ? this.#probeAtMs : undefined;
  }

  /** May an attempt begin? */
  admits(nowMs: number): boolean {
    return !this.#isOpen || (!this.#isProbing && nowMs >= this.#probeAtMs);
  }

  /** An attempt begins. True: it is the one that an open circuit allows; tell `ended` or `abandoned` so. */
  begin(): boolean {
    if (this.#isOpen) this.#isProbing = true;
    return this.#isOpen;
  }

  /** The attempt was not made after all. */
  abandoned(isProbe: boolean): void {
    if (isProbe) this.#isProbing = false;
  }

  /** `item` names what was tried. */
  ended(outcome: Outcome, item: string, isProbe: boolean, nowMs: number): void {
    if (isProbe) this.#isProbing = false;
    if (outcome.verdict !== "retry") {
      this.close();
      return;
    }
    this.#failures++;
    this.#outages = outcome.isOutage ? this.#outages + 1 : 0;
    if (this.#failed.size < differentItems) this.#failed.add(item);
    if (!this.#isOpen) this.#openIfDue(outcome.retryAfterMs, nowMs);
    else if (this.#isOutage && !outcome.isOutage) this.close();
    else if (isProbe) this.#waitAgain(outcome.retryAfterMs, nowMs);
  }

  /** What was known of the destination counts no longer. */
  close(): void {
    this.#isOpen = false;
    this.#failures = 0;
    this.#outages = 0;
    if (this.#failed.size > 0) this.#failed.clear();
  }

  /** Somebody says that it works again. */
  tryNow(nowMs: number): void {
    this.#probeAtMs = nowMs;
  }

  #openIfDue(retryAfterMs: number | undefined, nowMs: number): void {
    const { circuitFailures } = limits.webhook;
    this.#isOutage = this.#outages >= circuitFailures;
    const isOfMany = this.#failures >= circuitFailures && this.#failed.size >= differentItems;
    if (!this.#isOutage && !isOfMany) return;
    this.#isOpen = true;
    this.#probes = 0;
    this.#waitAgain(retryAfterMs, nowMs);
  }

  #waitAgain(retryAfterMs: number | undefined, nowMs: number): void {
    this.#probes++;
    this.#probeAtMs = nowMs + (retryAfterMs === undefined ? retryWaitMs(this.#probes) : wishedWaitMs(retryAfterMs));
  }
}
