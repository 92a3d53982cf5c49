import type { Clock } from "../../lib/clock.ts";
import { type Log, logWith } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Caches } from "../cache/caches.ts";
import type { Topics } from "../topics/topics.ts";
import { CallSlots } from "./call-slots.ts";
import { type DeliveryStats, noDeliveries } from "./delivery-stats.ts";
import type { Destination, Destinations } from "./destination.ts";
import { Pump, type PumpParts } from "./pump.ts";
import { SaveQueue } from "./save-queue.ts";
import type { SubscriptionAlarm, SubscriptionStore } from "./store.ts";
import type { DurableSubscription } from "./subscription.ts";
import type { Kept } from "./subscription-document.ts";
import type { RegistryChange, SubscriptionRegistry } from "./subscription-registry.ts";
import type { Webhooks } from "./webhooks.ts";

// Steps of upkeep in one run: each is short (the engine bounds it), and between two runs a second passes.
const maxSteps = 200;

/** What a worker sees of the {@link SubscriptionRegistry}. */
interface Followed extends Pick<SubscriptionRegistry, "onChange"> {
  all(): readonly Pick<Kept, "subscription">[];
}

/** What the worker works with. */
export interface DeliveryOptions {
  readonly engine: { readonly subscriptions: SubscriptionStore };
  readonly registry: Followed;
  readonly webhooks: Pick<Webhooks, "pauseGone">;
  readonly topics: Pick<Topics, "follow">;
  readonly caches: Pick<Caches, "current">;
  readonly destinations: Destinations;
  readonly deadLetterQueues: Destination;
  readonly clock: Pick<Clock, "monotonicMs" | "steadyMs">;
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly log: Log;
  /** Default: those of `limits.webhook`. */
  readonly slots?: CallSlots;
}

/** Runs a pump for each durable subscription, and saves what they have done. */
export class DeliveryWorker {
  readonly #options: DeliveryOptions;
  readonly #log: Log;
  readonly #saves: SaveQueue;
  readonly #parts: PumpParts;
  readonly #pumps = new Map<number, Pump>();
  readonly #stats = new Map<string, DeliveryStats>();
  /** Pumps whose last attempts are under way. */
  readonly #ending = new Set<Promise<void>>();
  #isRunning = false;

  constructor(options: DeliveryOptions) {
    const { engine, registry, slots = new CallSlots() } = options;
    this.#options = options;
    this.#log = logWith(options.log, { area: "webhooks" });
    this.#saves = new SaveQueue(engine.subscriptions, options.wheel, this.#log);
    this.#parts = { ...options, store: engine.subscriptions, slots, saves: this.#saves, log: this.#log };
    registry.onChange((change) => {
      if (this.#isRunning) this.#changed(change);
    });
  }

  /** Resolves when every cursor was read, or could not be: then it is tried again. */
  async start(): Promise<void> {
    this.#isRunning = true;
    await Promise.all(this.#options.registry.all().map(({ subscription }) => this.#open(subscription)));
  }

  /** Lets the attempts that are under way end, within `limits.webhook.timeoutMs`, and saves. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    const pumps = [...this.#pumps.values()];
    await Promise.all([...pumps.map((pump) => pump.end()), ...this.#ending]);
    await this.#saves.flush();
    for (const pump of pumps) pump.close();
    this.#pumps.clear();
  }

  /** Saves what there is, and trims what is due. `nowMs`: of the steady clock. @throws TodokuError `unavailable`. */
  async runOnce(nowMs: number): Promise<void> {
    await this.#saves.flush();
    for (let step = 0; step < maxSteps; step++) {
      const { hasMore, alarms } = await this.#options.engine.subscriptions.trim(nowMs);
      for (const alarm of alarms) this.#warn(alarm);
      if (!hasMore) return;
    }
  }

  /** `closed` of one that is not known. */
  circuitOf(id: number): "open" | "closed" {
    return this.#pumps.get(id)?.isCircuitOpen ? "open" : "closed";
  }

  /** Items that are not done yet; undefined while the topic cannot be read. */
  waitingOf(id: number): number | undefined {
    return this.#pumps.get(id)?.waiting;
  }

  /** The environment is being destroyed: nothing is delivered from it any more, and its sums go to those that are gone. */
  forgetEnvironment(environment: string): void {
    for (const pump of this.#pumps.values()) {
      if (pump.subscription.environment === environment) this.#end(pump);
    }
    const was = this.#stats.get(environment);
    if (!was) return;
    this.#stats.delete(environment);
    const gone = this.#statsOf("");
    gone.delivered += was.delivered;
    gone.failures += was.failures;
    gone.dead += was.dead;
    gone.filtered += was.filtered;
  }

  /** By environment, for metrics; under "" those that are gone, for a sum must not fall. */
  stats(): ReadonlyMap<string, DeliveryStats> {
    for (const stats of this.#stats.values()) {
      Object.assign(stats, { openCircuits: 0, paused: 0, inFlight: 0, waiting: 0 });
    }
    for (const pump of this.#pumps.values()) {
      const stats = this.#statsOf(pump.subscription.environment);
      if (pump.isCircuitOpen) stats.openCircuits++;
      if (pump.subscription.pause) stats.paused++;
      stats.inFlight += pump.inFlight;
      stats.waiting += pump.waiting ?? 0;
    }
    return this.#stats;
  }

  #changed(change: RegistryChange): void {
    if (change.kind === "replay") {
      this.#pumps.get(change.subscription.id)?.replay();
      return;
    }
    const { was, now } = change;
    const pump = this.#pumps.get((now ?? was)?.id ?? 0);
    if (!now) {
      if (pump) this.#end(pump);
    } else if (pump) pump.update(now);
    else void this.#open(now);
  }

  #open(subscription: DurableSubscription): Promise<void> {
    const pump = new Pump(subscription, this.#parts, this.#statsOf(subscription.environment));
    this.#pumps.set(subscription.id, pump);
    return pump.open();
  }

  /** It is gone: attempts that are under way come to an end, and nothing is saved of it. */
  #end(pump: Pump): void {
    this.#pumps.delete(pump.subscription.id);
    const ended = pump.end().then(() => {
      this.#saves.forget(pump);
      pump.close();
      this.#ending.delete(ended);
    });
    this.#ending.add(ended);
  }

  #warn({ key, history, dropped }: SubscriptionAlarm): void {
    const { cache, name, destination } = this.#pumps.get(key.id)?.subscription ?? {};
    const what = destination?.kind === "webhook" ? "webhook" : "subscription";
    const fields = { environment: key.environment, cache, [what]: name };
    if (history > 0)
      this.#log.warn({ ...fields, items: history }, "items fell out of a topic's history and are dead letters now");
    if (dropped > 0) this.#log.warn({ ...fields, items: dropped }, "dead letters were dropped: too old, or too many");
  }

  #statsOf(environment: string): DeliveryStats {
    let stats = this.#stats.get(environment);
    if (!stats) {
      stats = noDeliveries();
      this.#stats.set(environment, stats);
    }
    return stats;
  }
}

export function createDeliveryWorker(options: DeliveryOptions): DeliveryWorker {
  return new DeliveryWorker(options);
}
