import { type TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { LiveTopic } from "./live-topic.ts";
import type { Pass } from "./pass.ts";
import { comparePositions, type Position } from "./position.ts";
import type { TopicItem, TopicKey } from "./store.ts";

/** History was dropped or a page began: the subscriber had `after` and continues behind `now`. */
export interface Discontinuity {
  readonly after: Position;
  readonly now: Position;
}

/** How items become bytes. Subscribers that share an encoding object share its frames: each is built once. */
export interface Encoding {
  /** One or more frames for `items` (at least one, in order), glued together. */
  items(items: readonly TopicItem[]): Uint8Array;
  discontinuity(gap: Discontinuity): Uint8Array;
}

/** One subscriber's way out; a protocol implements it. */
export interface Sink {
  readonly encoding: Encoding;
  /** Its connection carries other things too and is ended as a whole when the server stops: until then the subscription goes on. */
  readonly endsWithConnection?: true;
  /**
   * Takes a shared frame (never changes it). False: taken too, but its buffer is full: the subscription becomes a reader
   * of the log and writes nothing more until `Subscription.drained()`.
   */
  write(frame: Uint8Array): boolean;
  /** The subscription is over: the cache is deleted, the token expired, the log cannot be read. */
  close(error: TodokuError): void;
}

/** One session that follows one topic. Begins paused, so that its protocol can answer before the first item. */
export class Subscription {
  readonly sink: Sink;
  readonly #topic: LiveTopic;
  /** The last position written to the sink; stale while live, when it is the topic's head. */
  #after: Position;
  #isOpen = true;
  #isBlocked = true;
  #reading: Promise<void> | undefined;
  /** Kept by the service: the right to follow. */
  pass: Pass | undefined;
  /** Kept by the topic: its place in the list of those that get each new item at once; -1 while it is not there. */
  liveIndex = -1;

  constructor(topic: LiveTopic, after: Position, sink: Sink) {
    this.#topic = topic;
    this.#after = after;
    this.sink = sink;
  }

  /** Another object when the cache was flushed. */
  get key(): TopicKey {
    return this.#topic.key;
  }

  /** The position behind which the next item comes. */
  get position(): Position {
    return this.isLive ? this.#topic.head : this.#after;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get isLive(): boolean {
    return this.liveIndex >= 0;
  }

  /**
   * The sink may be written to (again): call it once to begin, and when a full buffer has drained. When that reads the log, what it returns
   * resolves as soon as the subscription is live, ended, or its buffer is full again; it never rejects.
   */
  drained(): Promise<void> | undefined {
    this.#isBlocked = false;
    return this.#catchUp();
  }

  /** What it shares with others is full: it writes nothing more until `drained()`. */
  pause(): void {
    if (this.isLive) this.#topic.pause(this);
    else this.#isBlocked = true;
  }

  /** Ends it from the subscriber's side; the sink is not called any more. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.pass?.end();
    this.#topic.leave(this);
  }

  /** Ends it from the server's side. */
  fail(error: TodokuError): void {
    if (!this.#isOpen) return;
    this.close();
    this.sink.close(error);
  }

  /** Called by the topic when a live subscriber's buffer is full, or when the log moved on without it. */
  becomeReader(after: Position, isBlocked: boolean): void {
    this.liveIndex = -1;
    this.#after = after;
    this.#isBlocked = isBlocked;
    if (!isBlocked) this.#catchUp();
  }

  #catchUp(): Promise<void> | undefined {
    if (!this.#reading && this.#deliverTail()) this.#reading = this.#readOn();
    return this.#reading;
  }

  /** Writes what lies in memory. True: the log has what comes next. */
  #deliverTail(): boolean {
    while (this.#isOpen && !this.#isBlocked && !this.isLive) {
      if (comparePositions(this.#after, this.#topic.head) === 0) {
        this.#topic.join(this);
        return false;
      }
      const items = this.#topic.tailAfter(this.#after);
      if (!items) return true;
      this.#deliver(items);
    }
    return false;
  }

  async #readOn(): Promise<void> {
    try {
      do await this.#readLog();
      while (this.#deliverTail());
    } catch (error) {
      this.fail(toTodokuError(error));
    } finally {
      this.#reading = undefined;
    }
  }

  async #readLog(): Promise<void> {
    const { key } = this.#topic;
    const { items, head } = await this.#topic.read(this.#after);
    // Flushed meanwhile: what was read is no longer the topic. Paused meanwhile: it is read again when there is room.
    if (!this.#isOpen || this.#isBlocked || key !== this.#topic.key) return;
    if (items.length > 0) this.#deliver(items);
    else if (comparePositions(this.#after, head) !== 0) this.#skipTo(head);
  }

  #deliver(items: readonly TopicItem[]): void {
    // Pages may change inside a chunk that was read from the log: each run of consecutive items is one frame.
    let start = 0;
    while (start < items.length && this.#isOpen) {
      const first = items[start] as TopicItem;
      if (!follows(this.#after, first)) this.#skipTo({ page: first.page, sequence: first.sequence - 1 });
      let end = start + 1;
      while (end < items.length && follows(items[end - 1] as TopicItem, items[end] as TopicItem)) end++;
      const run = start === 0 && end === items.length ? items : items.slice(start, end);
      const last = items[end - 1] as TopicItem;
      this.#after = { page: last.page, sequence: last.sequence };
      this.#write(this.sink.encoding.items(run));
      start = end;
    }
  }

  #skipTo(now: Position): void {
    const gap = { after: this.#after, now };
    this.#after = now;
    this.#write(this.sink.encoding.discontinuity(gap));
  }

  #write(frame: Uint8Array): void {
    if (!this.sink.write(frame)) this.#isBlocked = true;
  }
}

/** Is `b` the position right behind `a`? */
export function follows(a: Position, b: Position): boolean {
  return a.page === b.page && a.sequence + 1 === b.sequence;
}

/** How much one step of a catch-up takes. */
export const catchUpBounds: { readonly maxItems: number; readonly maxBytes: number } = {
  maxItems: limits.catchUpMaxItems,
  maxBytes: limits.catchUpMaxBytes,
};
