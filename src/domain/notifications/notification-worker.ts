import { type Log, logWith } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { serverPrincipal } from "../auth/principal.ts";
import type { Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import { toTodokuError } from "../errors.ts";
import { eventsCache } from "../names.ts";
import type { QueueMessages } from "../queues/messages.ts";
import type { Queues } from "../queues/queues.ts";
import { SaveQueue } from "../subscriptions/save-queue.ts";
import type { Topics } from "../topics/topics.ts";
import type { OfflineMessages } from "./offline-messages.ts";
import { QueueReader, requestQueue } from "./queue-reader.ts";
import type { ReaderParts } from "./reader.ts";
import { cursorRecordKind, requestTopic, TopicReader } from "./topic-reader.ts";

/** What the worker works with. */
export interface NotificationWorkerOptions extends ReaderParts {
  readonly engine: Pick<Engine, "records" | "subscriptions" | "topics">;
  readonly caches: Pick<Caches, "current">;
  readonly topics: Pick<Topics, "follow" | "onPublished">;
  readonly queues: Pick<Queues, "all" | "known">;
  readonly queueMessages: Pick<QueueMessages, "follow" | "onReady" | "delete" | "changeVisibility" | "counts">;
  readonly offline: Pick<OfflineMessages, "ensure">;
  readonly wheel: Pick<TimerWheel, "wait" | "schedule">;
}

/**
 * Carries out the requests that are sent to the queues, and published to the topics, `notifications`. An environment costs nothing until the first
 * request comes: only then somebody waits for the next one.
 */
export class NotificationWorker {
  readonly #options: NotificationWorkerOptions;
  readonly #log: Log;
  readonly #saves: SaveQueue;
  readonly #queues = new Map<string, QueueReader>();
  readonly #topics = new Map<string, TopicReader>();
  /** Readers whose last requests are under way. */
  readonly #ending = new Set<Promise<void>>();
  #isRunning = false;
  /** Resolves when it was seen what is there from before the start. */
  #looking: Promise<void> = Promise.resolve();

  constructor(options: NotificationWorkerOptions) {
    this.#log = logWith(options.log, { area: "notifications" });
    this.#options = { ...options, log: this.#log };
    this.#saves = new SaveQueue(options.engine.subscriptions, options.wheel, this.#log);
    options.queueMessages.onReady(({ environment, queue }) => {
      if (queue === requestQueue) this.#readQueue(environment);
    });
    options.topics.onPublished(requestTopic, ({ cache }) => {
      if (cache.cache === eventsCache) this.#readTopic(cache.environment);
    });
  }

  /** To be called once the doors are open: users come back, and what waits for them is not to be sent before. Looks for it in the background. */
  start(): void {
    this.#isRunning = true;
    this.#looking = this.#look();
  }

  /** Lets the requests that are under way end, and saves how far it came: the rest waits for the next start. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    const readers = [...this.#queues.values(), ...this.#topics.values()];
    for (const reader of readers) reader.end();
    await Promise.all([this.#looking, ...readers.map(({ ended }) => ended), ...this.#ending]);
    await this.#saves.flush();
    this.#queues.clear();
    this.#topics.clear();
  }

  /** The environment is being destroyed: nobody waits for requests in it any more, and what was counted of it goes to those that are gone. */
  forgetEnvironment(environment: string): void {
    this.#options.notifier.forgetEnvironment(environment);
    for (const readers of [this.#queues, this.#topics]) {
      const reader = readers.get(environment);
      if (!reader) continue;
      readers.delete(environment);
      reader.end();
      const ended: Promise<void> = reader.ended.finally(() => this.#ending.delete(ended));
      this.#ending.add(ended);
      if (reader instanceof TopicReader) this.#saves.forget(reader);
    }
  }

  async #look(): Promise<void> {
    const { engine, queues } = this.#options;
    while (this.#isRunning) {
      try {
        const known = await engine.records.list(cursorRecordKind);
        for (const { environment } of known) this.#readTopic(environment);
        for (const { environment, queue } of queues.all()) {
          if (!this.#isRunning) return;
          if (queue === requestQueue) await this.#lookInto(environment);
        }
        return;
      } catch (error) {
        this.#log.warn({ err: toTodokuError(error) }, "notifications of before the start wait; it is tried again");
        await this.#options.wheel.wait(1000);
      }
    }
  }

  async #lookInto(environment: string): Promise<void> {
    const { engine, caches, queueMessages, offline } = this.#options;
    try {
      // There may be no room for one more queue: that is told when somebody is offline.
      await offline.ensure(environment).catch((error: unknown) => {
        if (toTodokuError(error).code !== "limit_exceeded") throw error;
      });
      const { ready, delayed, inFlight } = await queueMessages.counts(serverPrincipal(environment), requestQueue);
      if (ready + delayed + inFlight > 0) this.#readQueue(environment);
      if (this.#topics.has(environment)) return;
      const cache = await caches.current(environment, eventsCache);
      const head = cache && (await engine.topics[cache.durability].head({ cache, topic: requestTopic }));
      if (head && head.sequence > 0) this.#readTopic(environment);
    } catch (error) {
      if (toTodokuError(error).code !== "not_found") throw error; // it went meanwhile
    }
  }

  #readQueue(environment: string): void {
    if (!this.#isRunning || this.#queues.has(environment)) return;
    const reader: QueueReader = new QueueReader(environment, this.#options, () => {
      if (this.#queues.get(environment) === reader) this.#queues.delete(environment);
    });
    this.#queues.set(environment, reader);
  }

  #readTopic(environment: string): void {
    if (!this.#isRunning || this.#topics.has(environment)) return;
    const reader: TopicReader = new TopicReader(environment, { ...this.#options, saves: this.#saves }, () => {
      if (this.#topics.get(environment) === reader) this.#topics.delete(environment);
    });
    this.#topics.set(environment, reader);
  }
}
