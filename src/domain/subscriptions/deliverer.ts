import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { attributeBytes } from "../attributes.ts";
import type { Attempt, Attempted } from "./attempts.ts";
import type { CallSlots } from "./call-slots.ts";
import { Circuit } from "./circuit.ts";
import type { DeliveryTotals } from "./delivery-stats.ts";
import type { Delivery, Destination, Destinations, Outcome } from "./destination.ts";
import { goToTheSame, placeOf } from "./places-of-calls.ts";
import { OwnTime, retryWaitMs } from "./retry.ts";
import type { DeathReason } from "./store.ts";
import { type DurableSubscription, isWebhook } from "./subscription.ts";
import type { Unsaved } from "./unsaved.ts";

type Failed = Exclude<Outcome, { verdict: "delivered" }>;

/** What an outcome means for its item. */
type Judgement =
  | { readonly kind: "delivered" | "gone" }
  | { readonly kind: "again"; readonly waitMs: number }
  | { readonly kind: "dead"; readonly reason: DeathReason };

/** One attempt that was made. */
interface Made {
  readonly outcome: Outcome;
  readonly judgement: Judgement;
}

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
  readonly destinations: Destinations;
  /** Takes what is dead to the subscription's dead-letter queue. */
  readonly deadLetterQueues: Destination;
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
    const origin = placeOf(this.#owner.subscription);
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
      void this.#deliver(delivery, attempt).then((made) => end(this.#note(attempt, made, subscription, isProbe)));
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

  /** What is dead is in the dead-letter queue before anybody hears of it. */
  async #deliver(delivery: Delivery, attempt: Attempt): Promise<Made> {
    const { subscription } = delivery;
    const { destinations, deadLetterQueues } = this.#parts;
    const outcome = await destinations[subscription.destination.kind].deliver(delivery);
    const judgement = this.#judge(attempt, outcome);
    const isLate = !goToTheSame(subscription, this.#owner.subscription);
    if (judgement.kind !== "dead" || isLate || subscription.deadLetterQueue === undefined) {
      return { outcome, judgement };
    }
    const taken = await deadLetterQueues.deliver(delivery);
    if (taken.verdict === "delivered") return { outcome, judgement };
    const told = {
      ...(outcome as Failed),
      error: `${(outcome as Failed).error}; its dead-letter queue: ${taken.error}`,
    };
    if (taken.verdict !== "retry") return { outcome: told, judgement };
    return { outcome: told, judgement: { kind: "again", waitMs: retryWaitMs(attempt.tries.count) } };
  }

  #judge({ tries }: Attempt, outcome: Outcome): Judgement {
    if (outcome.verdict === "delivered") return { kind: "delivered" };
    // Only a webhook can be paused, and so resumed.
    if (outcome.verdict === "gone" && isWebhook(this.#owner.subscription)) return { kind: "gone" };
    if (outcome.verdict !== "retry") return { kind: "dead", reason: "refused" };
    const waitMs = tries.nextWaitMs(this.#ownMs(), outcome.retryAfterMs);
    return waitMs === undefined ? { kind: "dead", reason: "deadline" } : { kind: "again", waitMs };
  }

  /** `called`: the subscription as it was when the attempt began. */
  #note(attempt: Attempt, { outcome, judgement }: Made, called: DurableSubscription, isProbe: boolean): Attempted {
    // It goes elsewhere by now: what the destination before did not take is for that one to say.
    const isLate = !goToTheSame(called, this.#owner.subscription);
    if (isLate) this.circuit.abandoned(isProbe);
    else this.#tellCircuit(attempt, outcome, isProbe);
    if (outcome.verdict === "delivered") {
      this.#totals.delivered++;
      this.#noteEnd(attempt, outcome, "delivered");
      return { kind: "delivered" };
    }
    this.#noteFailure(attempt, outcome);
    return isLate ? { kind: "held" } : this.#carryOut(attempt, outcome, judgement);
  }

  #carryOut(attempt: Attempt, outcome: Failed, judgement: Judgement): Attempted {
    if (judgement.kind === "again") return judgement;
    if (judgement.kind !== "dead") {
      this.#owner.gone();
      return { kind: "held" };
    }
    this.#totals.dead++;
    this.#noteEnd(attempt, outcome, "dead");
    const { error, status } = outcome;
    const diedAtMs = this.#parts.clock.steadyMs();
    return {
      kind: "dead",
      death: { reason: judgement.reason, diedAtMs, attempts: attempt.tries.count, error, status },
    };
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
      log.info({}, "a destination works again");
      return;
    }
    const { error } = outcome as Failed;
    log.warn({ error }, "a destination does not work: it gets one attempt at a time until it does");
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
