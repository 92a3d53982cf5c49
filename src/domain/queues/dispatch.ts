import { Buffer } from "node:buffer";
import type { Clock } from "../../lib/clock.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { attributeBytes } from "../attributes.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import type { Rates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import type { PollRequest, Receiver, Taken } from "./poll-line.ts";
import { Polls } from "./polls.ts";
import type { Queue, QueueKey } from "./queue.ts";
import type { Queues } from "./queues.ts";
import type { DeadLetterRule } from "./store.ts";

/** Since the start, and `polls` now. */
export interface QueueStats {
  sent: number;
  received: number;
  deleted: number;
  deadLettered: number;
  expired: number;
  polls: number;
}

/** From the store to who waits: takes messages for polls, and wakes polls for whatever became ready, at all nodes. */
export class Dispatch {
  readonly polls: Polls;
  readonly #engine: Engine;
  readonly #queues: Queues;
  readonly #clock: Clock;
  readonly #stats = new Map<string, QueueStats>();
  readonly #readyListeners: ((key: QueueKey) => void)[] = [];
  /** Bytes of messages whose answers have not been handed over yet: they stay in memory until their clients read them. */
  #unreadBytes = 0;

  constructor(engine: Engine, queues: Queues, clock: Clock, wheel: TimerWheel, rates: Pick<Rates, "openStream">) {
    this.#engine = engine;
    this.#queues = queues;
    this.#clock = clock;
    const take = (key: QueueKey, request: PollRequest) => this.#take(key, request);
    this.polls = new Polls({ ...{ wheel, clock, take }, giveBack: (taken) => this.giveBack(taken) }, rates);
    queues.onChange(({ was, now }) => this.polls.changed(was, now));
    engine.bus.listen((hint) => {
      if (hint.kind !== "queue-ready") return;
      this.polls.ready(hint.key);
      for (const listener of this.#readyListeners) listener(hint.key);
    });
  }

  onReady(listener: (key: QueueKey) => void): void {
    this.#readyListeners.push(listener);
  }

  /** The receives never happened. */
  async giveBack({ key, messages }: Taken): Promise<void> {
    await this.#engine.queues.giveBack(key, messages);
    this.#ready(key);
  }

  /** Counts what `receiver` still has to read. */
  answering({ messages }: Taken, receiver: Receiver): void {
    let bytes = 0;
    for (const { body, attributes } of messages) bytes += Buffer.byteLength(body) + attributeBytes(attributes);
    this.#unreadBytes += bytes;
    receiver.onEnd(() => {
      this.#unreadBytes -= bytes;
    });
  }

  /** These messages of the queue are ready at these times, by the steady clock. Other nodes find those that are not ready yet by looking. */
  becomeReady(key: QueueKey, readyAtMs: readonly number[]): void {
    const nowMs = this.#clock.steadyMs();
    const later = readyAtMs.filter((atMs) => atMs > nowMs);
    if (later.length < readyAtMs.length) this.#ready(key);
    if (later.length === 0) return;
    this.polls.readyAt(key, Math.min(...later));
    for (const listener of this.#readyListeners) listener(key);
  }

  /** Messages came into these queues from others, ready: so many into each. */
  moved(targets: ReadonlyMap<QueueKey, number>): void {
    for (const [key, messages] of targets) if (messages > 0) this.#ready(key);
  }

  deadLettered(targets: ReadonlyMap<QueueKey, number>): void {
    for (const [{ environment }, messages] of targets) this.count(environment).deadLettered += messages;
    this.moved(targets);
  }

  /** Undefined also while the other queue is not known here: then messages are received once more. */
  deadLetterRule({ environment, deadLetter }: Queue): DeadLetterRule | undefined {
    const key = deadLetter && this.#queues.known(environment, deadLetter.queue);
    return key && { key, maxReceives: deadLetter.maxReceives };
  }

  /** What is counted of an environment. */
  count(environment: string): QueueStats {
    let stats = this.#stats.get(environment);
    if (!stats) {
      stats = { sent: 0, received: 0, deleted: 0, deadLettered: 0, expired: 0, polls: 0 };
      this.#stats.set(environment, stats);
    }
    return stats;
  }

  forgetEnvironment(environment: string): void {
    const was = this.#stats.get(environment);
    if (!was) return;
    this.#stats.delete(environment);
    const gone = this.count("");
    for (const key of ["sent", "received", "deleted", "deadLettered", "expired"] as const) gone[key] += was[key];
  }

  stats(): ReadonlyMap<string, QueueStats> {
    for (const stats of this.#stats.values()) stats.polls = 0;
    for (const [environment, polls] of this.polls.sizes()) this.count(environment).polls = polls;
    return this.#stats;
  }

  async #take(key: QueueKey, { maxMessages, visibilityMs }: PollRequest): Promise<Taken> {
    if (this.#unreadBytes >= limits.queue.unreadMaxBytes) {
      const text = `clients have not yet read ${this.#unreadBytes} bytes of messages that they received`;
      throw new TodokuError("unavailable", text, { subject: "unread" });
    }
    const queue = this.#queues.known(key.environment, key.queue);
    const nowMs = this.#clock.steadyMs();
    if (queue?.queueId !== key.queueId) return { key, messages: [], nextReadyAtMs: undefined };
    const hiddenUntilMs = nowMs + (visibilityMs ?? queue.visibilityMs);
    const deadLetter = this.deadLetterRule(queue);
    const request = { maxMessages, nowMs, hiddenUntilMs, deadLetter };
    const { messages, deadLettered, nextReadyAtMs } = await this.#engine.queues.receive(key, request);
    if (deadLetter && deadLettered > 0) this.deadLettered(new Map([[deadLetter.key, deadLettered]]));
    return { key, messages, nextReadyAtMs };
  }

  #ready(key: QueueKey): void {
    this.polls.ready(key);
    for (const listener of this.#readyListeners) listener(key);
    if (!this.#engine.isSingleNode) this.#engine.bus.send({ kind: "queue-ready", key });
  }
}
