import { setImmediate as nextTick } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Access } from "./auth/access.ts";
import type { Caches } from "./cache/caches.ts";
import type { Engine } from "./engine.ts";
import type { Environments } from "./environments/environments.ts";
import type { EventTopics } from "./event-topics/event-topics.ts";
import type { QueueMessages } from "./queues/messages.ts";
import type { QueueMoves } from "./queues/moves.ts";
import type { Queues } from "./queues/queues.ts";
import type { DeliveryWorker } from "./subscriptions/delivery-worker.ts";
import type { SubscriptionRegistry } from "./subscriptions/subscription-registry.ts";
import type { Topics } from "./topics/topics.ts";

// Steps of one store in one run: a step is short (the engine bounds it), and between two runs a second passes.
const maxSteps = 200;
const intervalMs = 1000;

/** What the worker looks after. */
export interface UpkeepOptions {
  readonly engine: Engine;
  readonly environments: Environments;
  readonly access: Pick<Access, "refresh" | "sweep">;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly queueMoves: Pick<QueueMoves, "runOnce">;
  readonly registry: Pick<SubscriptionRegistry, "refresh">;
  readonly eventTopics: Pick<EventTopics, "refresh">;
  readonly deliveries: Pick<DeliveryWorker, "runOnce">;
  readonly log: Log;
  readonly clock: Pick<Clock, "steadyMs" | "wallMs">;
}

/** Each second: trims history and queues, sweeps expired items, and compares with the store where other nodes write too. */
export class UpkeepWorker {
  readonly #engine: Engine;
  readonly #environments: Environments;
  readonly #access: Pick<Access, "refresh" | "sweep">;
  readonly #caches: Caches;
  readonly #topics: Topics;
  readonly #queues: Queues;
  readonly #queueMessages: QueueMessages;
  readonly #queueMoves: Pick<QueueMoves, "runOnce">;
  readonly #registry: Pick<SubscriptionRegistry, "refresh">;
  readonly #eventTopics: Pick<EventTopics, "refresh">;
  readonly #deliveries: Pick<DeliveryWorker, "runOnce">;
  readonly #log: Log;
  readonly #clock: UpkeepOptions["clock"];
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    this.#engine = options.engine;
    this.#environments = options.environments;
    this.#access = options.access;
    this.#caches = options.caches;
    this.#topics = options.topics;
    this.#queues = options.queues;
    this.#queueMessages = options.queueMessages;
    this.#queueMoves = options.queueMoves;
    this.#registry = options.registry;
    this.#eventTopics = options.eventTopics;
    this.#deliveries = options.deliveries;
    this.#log = options.log;
    this.#clock = options.clock;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#running ??= this.runOnce(this.#clock.steadyMs())
        .catch((error: unknown) => this.#log.warn({ err: error }, "upkeep did not finish; it is tried again"))
        .finally(() => {
          this.#running = undefined;
        });
    }, intervalMs).unref();
  }

  /** Resolves when the run that is under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  /** `nowMs` is of the steady clock. */
  async runOnce(nowMs: number): Promise<void> {
    const { topics, items, presence, isSingleNode } = this.#engine;
    if (!isSingleNode) {
      await this.#environments.refresh();
      await this.#access.refresh();
      await this.#caches.refresh();
      await this.#topics.refresh();
      await this.#queues.refresh();
      this.#queueMessages.refresh();
      await this.#registry.refresh();
      await this.#eventTopics.refresh();
    }
    if (this.#engine.health().status !== "open") return;
    await this.#access.sweep(this.#clock.wallMs());
    // A large one takes its time: the other stores must not wait for it.
    this.#environments
      .resume()
      .catch((error: unknown) =>
        this.#log.warn({ err: error }, "an environment is not all gone yet; it is tried again"),
      );
    const steps = [
      () => topics.disk.trim(nowMs),
      () => topics.memory.trim(nowMs),
      () => items.disk.sweep(nowMs),
      () => items.memory.sweep(nowMs),
      () => presence.sweep(this.#clock.wallMs()),
    ];
    for (const step of steps) {
      // A step in memory answers before anything else can run: calls have their turn between two.
      for (let i = 0; i < maxSteps && (await step()); i++) await nextTick();
    }
    await this.#queueMessages.trim(nowMs, maxSteps);
    await this.#queueMoves.runOnce(nowMs);
    await this.#deliveries.runOnce(nowMs);
  }
}
