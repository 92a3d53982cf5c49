import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { attributeBytes } from "../attributes.ts";
import type { Attempt, Attempted } from "./attempts.ts";
import type { CallSlots } from "./call-slots.ts";
import { Circuit } from "./circuit.ts";
import type { DeliveryTotals } from "./delivery-stats.ts";
import type { Destination, Outcome } from "./destination.ts";
import { OwnTime } from "./retry.ts";
import type { DeathReason } from "./store.ts";
import type { DurableSubscription } from "./subscription.ts";
import type { Unsaved } from "./unsaved.ts";

type Failed = Exclude<Outcome, { verdict: "delivered" }>;

/** Whose attempts are made. */
export interface DelivererOwner {
  readonly subscription: DurableSubscription;
  readonly unsaved: Unsaved;
  readonly log: Log;
  /** May anything be delivered at all? */
  readonly isGoing: boolean;
  /** The receiver wants nothing any more. */
  gone(): void;
  /** One attempt at a time from here on. */
  circuitOpened(): void;
  /** An attempt has ended, and its lane knows. */
  ended(): void;
}

/** What all deliverers of the process share. */
export interface DelivererParts {
  readonly destination: Pick<Destination, "deliver">;
  readonly slots: CallSlots;
  readonly clock: Pick<Clock, "monotonicMs" | "steadyMs">;
}

/** Makes the attempts of one subscription, notes what became of them, and says what is to be done with the items. */
export class Deliverer {
  readonly circuit = new Circuit();
  readonly #ownTime = new OwnTime();
  readonly #owner: DelivererOwner;
  readonly #parts: DelivererParts;
  readonly #totals: DeliveryTotals;
  #underWay = 0;
  #onIdle: (() => void) | undefined;

  constructor(owner: DelivererOwner, parts: DelivererParts, totals: DeliveryTotals) {
    this.#owner = owner;
    this.#parts = parts;
    this.#totals = totals;
  }

  /** Attempts under way, and those that wait for their place. */
  get inFlight(): number {
    return this.#underWay;
  }

  /** Makes it when there is room for the call. Then `done`, then `ended` of the owner. */
  attempt(attempt: Attempt, done: (attempted: Attempted) => void): void {
    const { slots } = this.#parts;
    const origin = originOf(this.#owner.subscription);
    const bytes = bodyBytesOf(attempt);
    const isProbe = this.circuit.begin();
    this.#underWay++;
    slots.take(origin, bytes, () => {
      const end = (attempted: Attempted) => {
        this.#underWay--;
        slots.release(origin, bytes);
        done(attempted);
        if (this.#underWay === 0) this.#onIdle?.();
        this.#owner.ended();
      };
      // What waited for its place must not go where another topic's items are wanted now.
      const isOfFormerTopic = !attempt.isReplay && attempt.topic !== this.#owner.subscription.topic;
      if (!this.#owner.isGoing || isOfFormerTopic) {
        this.circuit.abandoned(isProbe);
        end({ kind: "held" });
        return;
      }
      const { subscription } = this.#owner;
      const { topic, item, tries } = attempt;
      tries.begin(this.#ownMs());
      const delivery = { subscription, topic, item, attempt: tries.count, isTest: false };
      // What is noted and what its lane makes of it happen in one step: they are to be saved together.
      void this.#parts.destination
        .deliver(delivery)
        .then((outcome) => end(this.#note(attempt, outcome, subscription, isProbe)));
    });
  }

  /** Resolves when no attempt is under way. */
  async idle(): Promise<void> {
    if (this.#underWay === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    await promise;
  }

  /** Whether the owner is going has changed: deadlines come nearer only while something can be delivered. */
  setTime(): void {
    this.#ownTime.set(this.#owner.isGoing && !this.circuit.isOpen, this.#parts.clock.monotonicMs());
  }

  /** `called`: the webhook as it was when the attempt began. */
  #note(attempt: Attempt, outcome: Outcome, called: DurableSubscription, isProbe: boolean): Attempted {
    // The webhook has another URL by now: what the one before did not take is for that one to say.
    const isLate = called.destination.url !== this.#owner.subscription.destination.url;
    if (isLate) this.circuit.abandoned(isProbe);
    else this.#tellCircuit(attempt, outcome, isProbe);
    if (outcome.verdict === "delivered") {
      this.#totals.delivered++;
      this.#noteEnd(attempt, outcome, "delivered");
      return { kind: "delivered" };
    }
    this.#noteFailure(attempt, outcome);
    return isLate ? { kind: "held" } : this.#judge(attempt, outcome);
  }

  #judge(attempt: Attempt, outcome: Failed): Attempted {
    const { tries } = attempt;
    if (outcome.verdict === "gone") {
      this.#owner.gone();
      return { kind: "held" };
    }
    let reason: DeathReason = "refused";
    if (outcome.verdict === "retry") {
      const waitMs = tries.nextWaitMs(this.#ownMs(), outcome.retryAfterMs);
      if (waitMs !== undefined) return { kind: "again", waitMs };
      reason = "deadline";
    }
    this.#totals.dead++;
    this.#noteEnd(attempt, outcome, "dead");
    const { error, status } = outcome;
    const diedAtMs = this.#parts.clock.steadyMs();
    return { kind: "dead", death: { reason, diedAtMs, attempts: tries.count, error, status } };
  }

  #noteEnd({ item, topic, tries, isReplay }: Attempt, last: Outcome, outcome: "delivered" | "dead"): void {
    const { page, sequence } = item;
    const { status, latencyMs } = last;
    const entry = { page, sequence, topic, outcome, attempts: tries.count, status, latencyMs, isReplay };
    this.#owner.unsaved.delivery({ ...entry, atMs: this.#parts.clock.steadyMs() });
  }

  #noteFailure({ topic, item, tries }: Attempt, outcome: Failed): void {
    this.#totals.failures++;
    const { page, sequence } = item;
    const { status, latencyMs, error, answer } = outcome;
    const entry = { page, sequence, topic, attempt: tries.count, status, latencyMs, error, answer };
    this.#owner.unsaved.failure({ ...entry, atMs: this.#parts.clock.steadyMs() });
  }

  #tellCircuit({ name }: Attempt, outcome: Outcome, isProbe: boolean): void {
    const was = this.circuit.isOpen;
    this.circuit.ended(outcome, name, isProbe, this.#parts.clock.monotonicMs());
    if (this.circuit.isOpen === was) return;
    this.setTime();
    const { log } = this.#owner;
    if (was) {
      log.info({}, "a webhook's receiver works again");
      return;
    }
    const { error } = outcome as Failed;
    log.warn({ error }, "a webhook's receiver does not work: it gets one attempt at a time until it does");
    this.#owner.circuitOpened();
  }

  #ownMs(): number {
    return this.#ownTime.ms(this.#parts.clock.monotonicMs());
  }
}

/** What its body may take at most: JSON writes a control character in six bytes, and base64 three bytes in four. */
function bodyBytesOf({ item: { value, attributes } }: Attempt): number {
  return 6 * (value.bytes.byteLength + attributeBytes(attributes));
}

/** By subscription, of which there is another one after each change. */
const origins = new WeakMap<DurableSubscription, string>();

function originOf(subscription: DurableSubscription): string {
  let origin = origins.get(subscription);
  if (origin === undefined) {
    ({ origin } = new URL(subscription.destination.url));
    origins.set(subscription, origin);
  }
  return origin;
}
