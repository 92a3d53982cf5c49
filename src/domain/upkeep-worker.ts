import type { Log } from "../lib/log.ts";
import type { Caches } from "./cache/caches.ts";
import type { Engine } from "./engine.ts";
import type { Topics } from "./topics/topics.ts";

// Steps of one store in one run: a step is short (the engine bounds it), and between two runs a second passes.
const maxSteps = 200;
const intervalMs = 1000;

/** Each second: trims history, sweeps expired items, and compares with the store where other nodes write too. */
export class UpkeepWorker {
  readonly #engine: Engine;
  readonly #caches: Caches;
  readonly #topics: Topics;
  readonly #log: Log;
  readonly #wallMs: () => number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(options: { engine: Engine; caches: Caches; topics: Topics; log: Log; wallMs: () => number }) {
    this.#engine = options.engine;
    this.#caches = options.caches;
    this.#topics = options.topics;
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
      await this.#caches.refresh();
      await this.#topics.refresh();
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
  }
}
