import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTick } from "node:timers/promises";
import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import type { Durability } from "../../src/domain/cache/cache.ts";
import { createCaches } from "../../src/domain/cache/caches.ts";
import { limits } from "../../src/domain/limits.ts";
import type { CallSlots } from "../../src/domain/subscriptions/call-slots.ts";
import { createDeliveryWorker, type DeliveryWorker } from "../../src/domain/subscriptions/delivery-worker.ts";
import type { Delivery, Destination, Outcome } from "../../src/domain/subscriptions/destination.ts";
import type { SubscriptionStore } from "../../src/domain/subscriptions/store.ts";
import { type DurableSubscription, keyOf } from "../../src/domain/subscriptions/subscription.ts";
import type { RegistryChange } from "../../src/domain/subscriptions/subscription-registry.ts";
import { formatPosition } from "../../src/domain/topics/position.ts";
import type { HistoryBounds } from "../../src/domain/topics/store.ts";
import { createTopics } from "../../src/domain/topics/topics.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { createClock } from "../../src/lib/clock.ts";
import { type Log, silentLog } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { TestMachine } from "./clock.ts";

export const delivered: Outcome = { verdict: "delivered", status: 200, latencyMs: 1 };
export const outage: Outcome = { verdict: "retry", isOutage: true, status: 503, error: "answered 503", latencyMs: 1 };
export const failing: Outcome = { verdict: "retry", isOutage: false, status: 500, error: "answered 500", latencyMs: 1 };
export const refused: Outcome = { verdict: "dead", isOutage: false, status: 404, error: "answered 404", latencyMs: 1 };
export const gone: Outcome = { verdict: "gone", isOutage: false, status: 410, error: "answered 410", latencyMs: 1 };

/** One call of the destination. */
export interface Call {
  readonly delivery: Delivery;
  readonly text: string;
  /** Of the machine's monotonic clock. */
  readonly atMs: number;
  /** Undefined while it is under way. */
  outcome: Outcome | undefined;
}

/** What a test says of a call: an outcome, or one that comes when the test says so. */
export type Answer = (call: Call) => Outcome | Promise<Outcome>;

/** Pumps over a real embedded engine, with a clock that the test moves and a destination that does what the test says. */
export async function openPumps(history: HistoryBounds = limits.history) {
  const directory = await mkdtemp(join(tmpdir(), "todoku-pumps-"));
  const machine = new TestMachine();
  const clock = createClock(machine);
  const engine = await openEmbeddedEngine({
    dataDir: directory,
    wallMs: clock.wallMs,
    steadyMs: clock.steadyMs,
    history,
    memoryHistory: history,
  });
  const wheel = new TimerWheel(clock);
  const caches = createCaches(engine, { defaultDurability: "disk", wallMs: clock.wallMs });
  await caches.start();
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes });
  let caseNumber = 0;

  return {
    engine,
    machine,
    clock,
    wheel,
    topics,
    caches,
    async close() {
      await engine.close();
      await rm(directory, { recursive: true });
    },
    /** Webhooks of a cache of their own. */
    async aCase(durability: Durability = "disk") {
      const cache = `c${++caseNumber}`;
      await caches.create(openPrincipal, cache, durability);
      return new PumpCase({ engine, machine, clock, wheel, caches, topics, cache });
    },
  };
}

interface CaseParts {
  readonly engine: Awaited<ReturnType<typeof openEmbeddedEngine>>;
  readonly machine: TestMachine;
  readonly clock: ReturnType<typeof createClock>;
  readonly wheel: TimerWheel;
  readonly caches: ReturnType<typeof createCaches>;
  readonly topics: ReturnType<typeof createTopics>;
  readonly cache: string;
}

export class PumpCase {
  readonly #parts: CaseParts;
  readonly cache: string;
  readonly calls: Call[] = [];
  readonly webhooks = new Map<number, DurableSubscription>();
  /** Those that the worker asked to pause. */
  readonly pausedGone: DurableSubscription[] = [];
  #listener: (change: RegistryChange) => void = () => {};
  /** A worker that was abandoned, as a crash does, hears and stores nothing any more. */
  #era = 0;
  /** What the engine has not answered the worker. */
  readonly #asked = new Set<Promise<unknown>>();
  answer: Answer = () => delivered;
  /** What the dead-letter queue answers, and what it took. */
  takeDead: (text: string) => Outcome = () => delivered;
  readonly deadTexts: string[] = [];
  /** Set: takes what is dead in place of `takeDead`. */
  deadLetterQueues: Destination | undefined;
  log: Log = silentLog;
  slots: CallSlots | undefined;
  /** Set: saves are refused with it. */
  saveError: Error | undefined;
  /** How often the worker has asked to save. */
  saves = 0;
  worker: DeliveryWorker;

  constructor(parts: CaseParts) {
    this.#parts = parts;
    this.cache = parts.cache;
    this.worker = this.#aWorker();
  }

  get nowMs(): number {
    return this.#parts.machine.monotonicMs();
  }

  /** Those of one webhook; of all if none is given. */
  texts(name?: string): string[] {
    const calls = this.calls.filter(({ delivery }) => name === undefined || delivery.subscription.name === name);
    return calls.map(({ text }) => text);
  }

  async publish(topic: string, ...texts: string[]): Promise<void> {
    const published = texts.map((text) =>
      this.#parts.topics.publish(openPrincipal, this.cache, topic, {
        value: { isText: true, bytes: Buffer.from(text) },
      }),
    );
    await Promise.all(published);
  }

  /** A webhook, from the topic's next item on. */
  async webhook(name: string, changes: Partial<DurableSubscription> = {}): Promise<DurableSubscription> {
    const { engine, clock, caches } = this.#parts;
    const key = { kind: "subscription", environment: "dev", name: JSON.stringify([this.cache, name]) };
    const { id } = await engine.records.create(key, {});
    const subscription: DurableSubscription = {
      ...{ id, environment: "dev", cache: this.cache, name, topic: "t", isOrdered: true, pause: undefined },
      ...{ filter: undefined, deadLetterQueue: undefined },
      destination: { kind: "webhook", url: `http://${name}.example/` },
      createdAtMs: clock.wallMs(),
      ...changes,
    };
    const cache = await caches.get("dev", this.cache);
    const topic = { cache, topic: subscription.topic };
    const position = await engine.topics[cache.durability].head(topic);
    await engine.subscriptions.open(keyOf(subscription), { key: topic, position, pending: [] });
    this.change(undefined, subscription);
    await this.settle();
    return subscription;
  }

  change(was: DurableSubscription | undefined, now: DurableSubscription | undefined): void {
    if (now) this.webhooks.set(now.id, now);
    else if (was) this.webhooks.delete(was.id);
    this.#listener({ kind: "changed", was, now });
  }

  /** Changes one. */
  set(subscription: DurableSubscription, changes: Partial<DurableSubscription>): DurableSubscription {
    const was = this.webhooks.get(subscription.id);
    const now = { ...subscription, ...was, ...changes };
    this.change(was, now);
    return now;
  }

  async replay(subscription: DurableSubscription, id: number | "all" = "all"): Promise<number> {
    const marked = await this.#parts.engine.subscriptions.replay(keyOf(subscription), id);
    this.#listener({ kind: "replay", subscription });
    return marked;
  }

  state(subscription: DurableSubscription) {
    return this.#parts.engine.subscriptions.state(keyOf(subscription));
  }

  deadLetters(subscription: DurableSubscription) {
    return this.#parts.engine.subscriptions.deadLetters(keyOf(subscription), { maxItems: 1000, maxBytes: 1e9 });
  }

  flush(): Promise<void> {
    return this.#parts.caches.flush(openPrincipal, this.cache);
  }

  /** Time goes on, in steps, and all that is due happens. */
  async pass(ms: number, stepMs = Math.max(20, Math.min(ms, 1000))): Promise<void> {
    await this.settle();
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      this.#parts.machine.pass(Math.min(stepMs, leftMs));
      this.#parts.wheel.runOnce();
      await this.settle();
    }
  }

  /** Lets everything happen that needs no time: until nothing was called for some rounds through both threads of the engine. */
  async settle(): Promise<void> {
    const { engine } = this.#parts;
    for (let quiet = 0, before = -1; quiet < 3; ) {
      await nextTick();
      const [webhook] = this.webhooks.values();
      if (webhook) await engine.subscriptions.state(keyOf(webhook)).catch(() => {}); // it may be gone
      while (this.#asked.size > 0) await Promise.allSettled(this.#asked);
      await nextTick();
      const now = this.calls.length + this.calls.filter(({ outcome }) => outcome).length;
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
  }

  /** All that was done is stored. */
  async stored(): Promise<void> {
    await this.settle();
    await this.worker.runOnce(this.#parts.clock.steadyMs());
  }

  /** Abandons the worker, as a crash does, and starts another one. */
  async crash(): Promise<void> {
    this.#era++;
    this.worker = this.#aWorker();
    await this.worker.start();
    await this.settle();
  }

  async start(): Promise<void> {
    await this.worker.start();
  }

  #aWorker(): DeliveryWorker {
    const { engine, caches, topics, clock, wheel } = this.#parts;
    const era = this.#era;
    const isGone = () => era !== this.#era;
    const never = new Promise<never>(() => {});
    const { open, save, deadLetters, drop } = engine.subscriptions;
    const called: Destination = { deliver: (delivery) => (isGone() ? never : this.#deliver(delivery)) };
    const subscriptions: SubscriptionStore = {
      ...engine.subscriptions,
      open: (...args) => this.ask(open(...args)),
      save: (changes) => {
        this.saves++;
        if (this.saveError) return Promise.reject(this.saveError);
        return isGone() ? never : this.ask(save(changes));
      },
      deadLetters: (...args) => this.ask(deadLetters(...args)),
      drop: (...args) => this.ask(drop(...args)),
    };
    return createDeliveryWorker({
      engine: { subscriptions },
      registry: {
        all: () => [...this.webhooks.values()].map((subscription) => ({ subscription })),
        onChange: (listener) => {
          this.#listener = listener;
        },
      },
      webhooks: {
        pauseGone: async (subscription) => {
          this.pausedGone.push(subscription);
          this.set(subscription, { pause: { reason: "gone", atMs: clock.wallMs() } });
        },
      },
      topics,
      caches,
      destinations: { webhook: called, queue: called, "sns-http": called, handler: called },
      deadLetterQueues: { deliver: (delivery) => (isGone() ? never : this.#deadLetter(delivery)) },
      clock,
      wheel,
      log: { ...this.log },
      ...(this.slots && { slots: this.slots }),
    });
  }

  /** `settle` waits for it. */
  ask<T>(answer: Promise<T>): Promise<T> {
    this.#asked.add(answer);
    const forget = () => this.#asked.delete(answer);
    answer.then(forget, forget);
    return answer;
  }

  async #deadLetter(delivery: Delivery): Promise<Outcome> {
    if (this.deadLetterQueues) return this.deadLetterQueues.deliver(delivery);
    const text = Buffer.from(delivery.item.value.bytes).toString();
    const outcome = this.takeDead(text);
    if (outcome.verdict === "delivered") this.deadTexts.push(text);
    return outcome;
  }

  async #deliver(delivery: Delivery): Promise<Outcome> {
    const text = Buffer.from(delivery.item.value.bytes).toString();
    const call: Call = { delivery, text, atMs: this.nowMs, outcome: undefined };
    this.calls.push(call);
    call.outcome = await this.answer(call);
    return call.outcome;
  }
}

/** The position of an item, as names in the tests. */
export function positionOf({ delivery }: Call): string {
  return formatPosition(delivery.item);
}
