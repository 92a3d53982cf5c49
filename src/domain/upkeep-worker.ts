import type { Log } from "../lib/log.ts";
import type { Keys } from "./auth/keys.ts";
import type { Caches } from "./cache/caches.ts";
import type { Engine } from "./engine.ts";
import type { QueueMessages } from "./queues/messages.ts";
import type { Queues } from "./queues/queues.ts";
import type { Topics } from "./topics/topics.ts";

// Steps of one store in one run: a step is short (the engine bounds it), and between two runs a second passes.
const maxSteps = 200;
const intervalMs = 1000;

/** What the worker looks after. */
export interface UpkeepOptions {
  readonly engine: Engine;
  readonly keys: Keys;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly log: Log;
  readonly wallMs: () => number;
}

/** Each second: trims history and queues, sweeps expired items, and compares with the store where other nodes write too. */
export class UpkeepWorker {
  readonly #engine: Engine;
  readonly #keys: Keys;
  readonly #caches: Caches;
  readonly #topics: Topics;
  readonly #queues: Queues;
  readonly #queueMessages: QueueMessages;
  readonly #log: Log;
  readonly #wallMs: () => number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: UpkeepOptions) {
    this.#engine = options.engine;
    this.#keys = options.keys;
    this.#caches = options.caches;
    this.#topics = options.topics;
    this.#queues = options.queues;
    this.#queueMessages = options.queueMessages;
    this.#log = options.log;
    this.#wallMs = options.wallMs;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.#running ??= this.runOnce(this.#wallMs())
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

  async runOnce(nowMs: number): Promise<void> {
    const { topics, items, isSingleNode } = this.#engine;
    if (!isSingleNode) {
      await this.#keys.refresh();
      await this.#caches.refresh();
      await this.#topics.refresh();
      await this.#queues.refresh();
      this.#queueMessages.refresh();
    }
    if (this.#engine.health().status !== "open") return;
    const steps = [
      () => topics.disk.trim(nowMs),
      () => topics.memory.trim(nowMs),
      () => items.disk.sweep(nowMs),
      () => items.memory.sweep(nowMs),
    ];
    for (const step of steps) {
      for (let i = 0; i < maxSteps && (await step()); i++);
    }
    await this.#queueMessages.trim(nowMs, maxSteps);
  }
}
