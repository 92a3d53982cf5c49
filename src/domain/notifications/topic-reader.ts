import { Buffer, isUtf8 } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Cache } from "../cache/cache.ts";
import type { Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { eventsCache } from "../names.ts";
import type { RecordStore, StoredRecord } from "../records/store.ts";
import { LogReader, type ReaderOwner } from "../subscriptions/log-reader.ts";
import type { Changing, SaveQueue } from "../subscriptions/save-queue.ts";
import type { SubscriptionChange, SubscriptionKey } from "../subscriptions/store.ts";
import type { FollowedTopic } from "../topics/followed-topic.ts";
import { comparePositions, formatPosition, type Position } from "../topics/position.ts";
import type { TopicItem } from "../topics/store.ts";
import type { Topics } from "../topics/topics.ts";
import { deadQueue } from "./dead-requests.ts";
import type { Handover } from "./notifier.ts";
import { askAgainMs, type ReaderParts, turnMaxMs } from "./reader.ts";
import { type NotificationRequest, type RequestOptions, readRequest } from "./request.ts";
import { retryAfterMs } from "./retry.ts";

/** The topic of the cache `events` that requests are published to. */
export const requestTopic = "notifications";
/** Of the records that say that there is a cursor. */
export const cursorRecordKind = "notification-cursor";

const { triesMax } = limits.notification;

/** What is of topics alone. */
interface TopicReaderParts extends ReaderParts {
  readonly engine: Pick<Engine, "records" | "subscriptions">;
  readonly topics: Pick<Topics, "follow">;
  readonly caches: Pick<Caches, "current">;
  readonly saves: SaveQueue;
}

/**
 * Carries out the requests of one environment's topic, one after the other in the topic's order, from a stored cursor: so each at least once. The
 * log keeps what the cursor still needs, or makes dead letters of it, as for a webhook.
 */
export class TopicReader implements ReaderOwner, Changing {
  readonly #environment: string;
  readonly #parts: TopicReaderParts;
  #key: SubscriptionKey | undefined;
  #topic: FollowedTopic | undefined;
  #log: LogReader | undefined;
  #done: Position | undefined;
  #isSaved = true;
  readonly #end = new AbortController();
  #wake: () => void = () => {};
  /** Resolves when the request that it was at is done with. */
  readonly ended: Promise<void>;

  /** @param onGone the cache is not there any more. */
  constructor(environment: string, parts: TopicReaderParts, onGone: () => void) {
    this.#environment = environment;
    this.#parts = parts;
    this.ended = this.#run(onGone);
  }

  /** Takes nothing more. */
  end(): void {
    this.#end.abort();
    this.#wake();
  }

  ready(): void {
    this.#wake();
  }

  missed(items: number): void {
    const fields = { environment: this.#environment, items };
    this.#parts.log.warn(fields, "notifications were lost: the log of their topic has them no longer");
  }

  failed(error: TodokuError): void {
    const fields = { environment: this.#environment, err: error };
    this.#parts.log.warn(fields, "the topic of notifications cannot be read; it is tried again");
    void this.#parts.wheel.wait(askAgainMs).then(() => this.#wake());
  }

  takeChange(): SubscriptionChange | undefined {
    if (this.#isSaved || !this.#key || !this.#topic || !this.#done) return undefined;
    this.#isSaved = true;
    return { key: this.#key, cursor: { key: this.#topic.key, position: this.#done, pending: [] } };
  }

  saved(): void {}

  async #run(onGone: () => void): Promise<void> {
    const isThere = await this.#open();
    while (isThere && !this.#isEnded && this.#topic?.isOpen) {
      const woken = new Promise<void>((wake) => {
        this.#wake = wake;
      });
      await this.#carryOutAll();
      if (!this.#isEnded && this.#topic.isOpen) await woken;
    }
    this.#topic?.close();
    if (!this.#isEnded) onGone();
  }

  /** Answers whether there is such a topic. Never rejects: what the store refuses is asked for again. */
  async #open(): Promise<boolean> {
    while (!this.#isEnded) {
      try {
        const cache = await this.#parts.caches.current(this.#environment, eventsCache);
        if (!cache) return false;
        await this.#openLog(cache);
        return true;
      } catch (caught) {
        this.#topic?.close();
        const error = toTodokuError(caught);
        if (error.code === "not_found") return false;
        const fields = { environment: this.#environment, err: error };
        this.#parts.log.warn(fields, "notifications cannot be read from their topic; it is tried again");
        await this.#pause(askAgainMs);
      }
    }
    return false;
  }

  async #openLog(cache: Cache): Promise<void> {
    const { engine, topics } = this.#parts;
    const environment = this.#environment;
    const { id } = await cursorRecord(engine.records, environment);
    this.#key = { environment, id };
    this.#topic = await topics.follow(cache, requestTopic, () => this.#wake());
    // Who reads for the first time begins at the beginning: the first request may have come before there was a cursor.
    const position = { page: this.#topic.head.page, sequence: 0 };
    const { cursor } = await engine.subscriptions.open(this.#key, { key: this.#topic.key, position, pending: [] });
    this.#log = new LogReader(this.#topic, cache.durability, cursor.position, this);
    this.#done = cursor.position;
    await this.#untilDone(() => this.#buryDropped());
  }

  async #carryOutAll(): Promise<void> {
    const { clock, saves } = this.#parts;
    let sinceMs = clock.monotonicMs();
    for (;;) {
      const after = this.#log?.after;
      const item = this.#isEnded ? undefined : this.#log?.take();
      if (!item) return;
      const isGap = after?.page === item.page && after.sequence + 1 !== item.sequence;
      if (isGap && !(await this.#untilDone(() => this.#buryDropped()))) return;
      const isDone = this.#carryOut(item);
      if (isDone !== true && !(await isDone)) return;
      this.#done = { page: item.page, sequence: item.sequence };
      this.#isSaved = false;
      saves.changed(this, "soon");
      // A thousand broadcasts to ten thousand take ten seconds, in which nobody else would be served.
      if (clock.monotonicMs() - sinceMs < turnMaxMs) continue;
      await nextTurn();
      sinceMs = clock.monotonicMs();
    }
  }

  /** Whether the cursor may pass the item: false when the reader was ended before that. */
  #carryOut(item: TopicItem): true | Promise<boolean> {
    let handover: Handover | undefined;
    const handOver = () =>
      (handover ??= this.#parts.notifier.handOver(this.#environment, readItem(item, this.#parts), keyOf(item)));
    try {
      return handOver().hasOffline ? this.#complete(item, handOver) : true;
    } catch {
      return this.#complete(item, handOver);
    }
  }

  /** Those behind wait: they are carried out in the topic's order. */
  async #complete(item: TopicItem, handOver: () => Handover): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        await handOver().complete();
        return true;
      } catch (caught) {
        const error = toTodokuError(caught);
        const waitMs = retryAfterMs(error, tries);
        if (waitMs === undefined) return this.#untilDone(() => this.#bury(item, error.message));
        await this.#pause(waitMs);
        if (this.#isEnded) return false;
      }
    }
  }

  async #bury(item: TopicItem, message: string): Promise<void> {
    const { attributes } = item;
    const dead = { body: textOf(item) ?? base64Of(item), attributes, error: { message }, key: keyOf(item) };
    await this.#parts.dead.bury(this.#environment, { ...dead, source: "topic" });
  }

  /** What the log could not keep until it was read. Of what was carried out from memory, or is being saved, nothing is left to do. */
  async #buryDropped(): Promise<void> {
    const { subscriptions } = this.#parts.engine;
    const key = this.#key as SubscriptionKey;
    const bounds = { maxItems: limits.catchUpMaxItems, maxBytes: limits.catchUpMaxBytes };
    for (;;) {
      const letters = await subscriptions.deadLetters(key, bounds);
      if (letters.length === 0) return;
      for (const { id, item } of letters) {
        const isDone = this.#done !== undefined && comparePositions(item, this.#done) <= 0;
        if (!isDone) await this.#bury(item, "the topic's history could not keep the request until it was carried out");
        await subscriptions.drop(key, id);
      }
    }
  }

  /** Tries again each second what the storage refuses. Answers whether it was done, or will never be, before the reader was ended. */
  async #untilDone(work: () => Promise<void>): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        await work();
        return true;
      } catch (caught) {
        const err = toTodokuError(caught);
        const position = this.#log && formatPosition(this.#log.after);
        const fields = { environment: this.#environment, position, err };
        // Without its queue, or room in it, nothing can be kept, and those behind must not wait until somebody looks.
        const isLasting = err.code !== "unavailable" && (err.code !== "limit_exceeded" || tries >= triesMax);
        if (isLasting) {
          this.#parts.log.error(fields, `a dead notification is lost: queue "${deadQueue}" cannot take it`);
          return true;
        }
        if (tries === 1) this.#parts.log.warn(fields, "a dead notification cannot be stored; it is tried again");
        await this.#pause(askAgainMs);
        if (this.#isEnded) return false;
      }
    }
  }

  get #isEnded(): boolean {
    return this.#end.signal.aborted;
  }

  #pause(ms: number): Promise<void> {
    return this.#parts.wheel.wait(ms, this.#end.signal);
  }
}

/** @throws TodokuError as `readRequest`. */
function readItem(item: TopicItem, options: RequestOptions): NotificationRequest {
  const text = textOf(item);
  if (text === undefined) throw new TodokuError("invalid_argument", "the request is not text in UTF-8");
  return readRequest(text, options);
}

/** Undefined for bytes that are no UTF-8. */
function textOf({ value }: TopicItem): string | undefined {
  return isUtf8(value.bytes) ? bufferOf(value.bytes).toString("utf8") : undefined;
}

function base64Of({ value }: TopicItem): string {
  return bufferOf(value.bytes).toString("base64");
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Names a request. */
function keyOf(item: TopicItem): string {
  return `topic-${formatPosition(item)}`;
}

/** That of an environment; made when it is missing. @throws TodokuError `unavailable`. */
async function cursorRecord(records: RecordStore, environment: string): Promise<StoredRecord> {
  const key = { kind: cursorRecordKind, environment, name: requestTopic };
  const known = await records.read(key);
  return known ?? records.create(key, {});
}
