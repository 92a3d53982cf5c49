import { type Log, logWith } from "../../lib/log.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import type { Caches } from "../cache/caches.ts";
import { toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { TopicItem } from "../topics/store.ts";
import type { Topics } from "../topics/topics.ts";
import type { Attempt, Attempted, LaneOwner } from "./attempts.ts";
import { Deliverer, type DelivererOwner, type DelivererParts } from "./deliverer.ts";
import type { DeliveryTotals } from "./delivery-stats.ts";
import { compileFilter } from "./filter.ts";
import { LogLane } from "./log-lane.ts";
import { goToTheSame } from "./places-of-calls.ts";
import { ReplayLane } from "./replay-lane.ts";
import type { Changing, SaveQueue } from "./save-queue.ts";
import type { Cursor, SubscriptionChange, SubscriptionStore } from "./store.ts";
import { type DurableSubscription, isWebhook, keyOf } from "./subscription.ts";
import { Unsaved } from "./unsaved.ts";
import type { Webhooks } from "./webhooks.ts";

/** What the store refused is asked for again so soon. */
const askAgainMs = 1000;

/** What all pumps of the process share. */
export interface PumpParts extends DelivererParts {
  readonly store: SubscriptionStore;
  readonly topics: Pick<Topics, "follow">;
  readonly caches: Pick<Caches, "current">;
  readonly webhooks: Pick<Webhooks, "pauseGone">;
  readonly saves: SaveQueue;
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly log: Log;
}

/** Brings the items of one subscription to their destination: those of its topic's log, and beside them those to be replayed. */
export class Pump implements LaneOwner, DelivererOwner, Changing {
  readonly wheel: PumpParts["wheel"];
  readonly log: Log;
  readonly unsaved: Unsaved;
  readonly #parts: PumpParts;
  readonly #deliverer: Deliverer;
  readonly #replays: ReplayLane;
  readonly #totals: DeliveryTotals;
  #subscription: DurableSubscription;
  /** Undefined: there is no filter. */
  #matches: ((item: TopicItem) => boolean) | undefined;
  /** Undefined until the cursor is read, and while another topic's is. */
  #lane: LogLane | undefined;
  /** Grows when the lane that is being opened is no longer wanted. */
  #opening = 0;
  /** The receiver wants nothing, and that is not stored yet. */
  #isGone = false;
  #isEnded = false;
  /** What began last is asked last. */
  #lastWasReplay = true;
  #timer: Deadline | undefined;

  constructor(subscription: DurableSubscription, parts: PumpParts, totals: DeliveryTotals) {
    const { environment, cache, name } = subscription;
    this.#parts = parts;
    this.#subscription = subscription;
    this.wheel = parts.wheel;
    this.log = logWith(parts.log, { environment, cache, [isWebhook(subscription) ? "webhook" : "subscription"]: name });
    this.#totals = totals;
    this.#matches = filterOf(subscription);
    this.unsaved = new Unsaved((urgency) => parts.saves.changed(this, urgency));
    this.#deliverer = new Deliverer(this, parts, totals);
    this.#replays = new ReplayLane(this, keyOf(subscription), parts.store);
  }

  get subscription(): DurableSubscription {
    return this.#subscription;
  }

  get isOrdered(): boolean {
    return this.#subscription.isOrdered;
  }

  get isCircuitOpen(): boolean {
    return this.#deliverer.circuit.isOpen;
  }

  get isFiltering(): boolean {
    return this.#matches !== undefined;
  }

  get maxInFlight(): number {
    const isQueue = this.#subscription.destination.kind === "queue";
    return isQueue ? limits.subscription.queueInFlight : limits.webhook.unorderedInFlight;
  }

  /** Attempts under way. */
  get inFlight(): number {
    return this.#deliverer.inFlight;
  }

  /** May anything be delivered at all? */
  get isGoing(): boolean {
    return !this.#isEnded && !this.#isGone && this.#subscription.pause === undefined;
  }

  /** Items that are not done; undefined while the topic cannot be read. */
  get waiting(): number | undefined {
    return this.#lane?.waiting;
  }

  /** Reads the cursor and begins. Never rejects: what cannot be read is tried again. */
  async open(): Promise<void> {
    const turn = ++this.#opening;
    try {
      const isWanted = () => turn === this.#opening && !this.#isEnded;
      await this.#openLane(isWanted);
    } catch (error) {
      const failed = toTodokuError(error);
      if (failed.code === "not_found") return; // it was deleted, with its cache or by itself: whoever did it says so soon
      this.log.warn({ err: failed }, "a subscription cannot begin; it is tried again");
      this.wheel.schedule(askAgainMs, () => {
        if (turn === this.#opening && !this.#isEnded) void this.open();
      });
    }
  }

  async #openLane(isWanted: () => boolean): Promise<void> {
    const { store, topics, caches } = this.#parts;
    const subscription = this.#subscription;
    const cache = await caches.current(subscription.environment, subscription.cache);
    if (!cache || !isWanted()) return;
    const topic = await topics.follow(cache, subscription.topic, () => this.run());
    try {
      const start: Cursor = { key: topic.key, position: topic.head, pending: [] };
      const { cursor, deadLetters } = await store.open(keyOf(subscription), start);
      if (!isWanted()) return topic.close();
      const isOfTopic = cursor.key.topic === subscription.topic;
      this.#lane = new LogLane(this, cache, topic, isOfTopic ? cursor : start);
      if (!isOfTopic) this.unsaved.changed();
      if (deadLetters.replaying > 0) this.#replays.wake();
    } catch (error) {
      topic.close();
      throw error;
    }
    this.#deliverer.setTime();
    this.run();
  }

  /** It was changed: the next attempts are made as it is now. */
  update(now: DurableSubscription): void {
    const was = this.#subscription;
    this.#subscription = now;
    this.#isGone = false;
    if (was.filter !== now.filter) this.#matches = filterOf(now);
    if (!goToTheSame(was, now)) this.#deliverer.circuit.close();
    if (was.topic !== now.topic) {
      this.#parts.saves.withdrawCursor(this);
      this.#closeLane();
      void this.open();
    }
    this.#deliverer.setTime();
    if (now.pause) this.#rest();
    else this.#retryNow();
  }

  /** There are dead letters to replay. */
  replay(): void {
    this.#replays.wake();
    this.run();
  }

  /** Begins nothing more; resolves when the attempts that are under way have ended. */
  async end(): Promise<void> {
    this.#isEnded = true;
    this.#timer?.cancel();
    this.#deliverer.setTime();
    this.#rest();
    await this.#deliverer.idle();
  }

  /** Frees what it holds of the topic; behind `end`. */
  close(): void {
    this.#closeLane();
    this.#replays.close();
  }

  takeChange(): SubscriptionChange | undefined {
    return this.unsaved.take(keyOf(this.#subscription), this.#lane?.cursor);
  }

  saved(change: SubscriptionChange): void {
    const wasFull = this.unsaved.isFull;
    this.#replays.saved(this.unsaved.saved(change));
    if (wasFull) this.run();
  }

  wants(item: TopicItem): boolean {
    return this.#matches === undefined || this.#matches(item);
  }

  passed(items: number): void {
    this.#totals.filtered += items;
    this.unsaved.passed(items);
  }

  mayBegin(): boolean {
    return this.isGoing && !this.unsaved.isFull && this.#deliverer.circuit.admits(this.#parts.clock.monotonicMs());
  }

  run(): void {
    if (this.#lastWasReplay) {
      this.#lane?.run();
      this.#replays.run();
    } else {
      this.#replays.run();
      this.#lane?.run();
    }
    this.#waitForProbe();
  }

  attempt(attempt: Attempt, done: (attempted: Attempted) => void): void {
    this.#lastWasReplay = attempt.isReplay;
    this.#deliverer.attempt(attempt, done);
  }

  ended(): void {
    this.run();
  }

  circuitOpened(): void {
    this.#rest();
  }

  missed(items: number): void {
    this.unsaved.missed(items);
    this.log.warn({ items }, "items were dropped from a topic's history before its subscription got them");
  }

  gone(): void {
    const subscription = this.#subscription;
    if (!isWebhook(subscription)) return; // it was changed meanwhile
    this.#isGone = true;
    this.#deliverer.setTime();
    this.#rest();
    this.#parts.webhooks.pauseGone(subscription).catch((error: unknown) => {
      this.log.warn({ err: error }, "a webhook whose receiver is gone could not be paused; it is tried again");
      this.wheel.schedule(askAgainMs, () => {
        if (this.#isGone && !this.#isEnded && this.#subscription === subscription) this.gone();
      });
    });
  }

  #retryNow(): void {
    this.#deliverer.circuit.tryNow(this.#parts.clock.monotonicMs());
    this.#lane?.retryNow();
    this.#replays.retryNow();
    this.run();
  }

  #rest(): void {
    this.#lane?.rest();
    this.#replays.rest();
  }

  #closeLane(): void {
    this.#opening++;
    this.#lane?.close();
    this.#lane = undefined;
  }

  #waitForProbe(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { probeAtMs } = this.#deliverer.circuit;
    const nowMs = this.#parts.clock.monotonicMs();
    if (probeAtMs === undefined || probeAtMs <= nowMs || !this.isGoing) return;
    this.#timer = this.wheel.schedule(probeAtMs - nowMs, () => this.run());
  }
}

function filterOf({ filter }: DurableSubscription): ((item: TopicItem) => boolean) | undefined {
  return filter && compileFilter(filter);
}
