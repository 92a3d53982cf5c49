import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { Sink, Subscription } from "../../../domain/topics/subscription.ts";
import { toErrorJson } from "../answers.ts";
import type { Session } from "../session.ts";
import type { TopicEncoding, TopicEncodings } from "./topic-encodings.ts";

/** One topic that a connection follows. */
export class FollowedTopic implements Sink {
  readonly encoding: TopicEncoding;
  readonly endsWithConnection = true;
  readonly #all: FollowedTopics;
  subscription: Subscription | undefined;
  /** Until the client has been told that it follows: resolves then, or when it does not. */
  opening: Promise<void> | undefined;
  /** Why it ended before that. */
  failure: TodokuError | undefined;
  isRemoved = false;

  constructor(encoding: TopicEncoding, all: FollowedTopics) {
    this.encoding = encoding;
    this.#all = all;
  }

  /** It has items to come that are not pushed to it. */
  get isWaiting(): boolean {
    return this.opening === undefined && this.subscription?.isOpen === true && !this.subscription.isLive;
  }

  write(frame: Uint8Array): boolean {
    return this.#all.write(this, frame);
  }

  close(error: TodokuError): void {
    if (this.opening === undefined) this.#all.ended(this, error);
    else this.failure = error;
  }
}

/**
 * All topics that one connection follows. They share its outbox: once that is full all of them become readers of the log, and
 * when it has drained they read on one chunk at a time, in turn. So what waits for a client that does not read is bounded by the
 * high-water mark, the frame that passed it and one chunk, however many topics it follows.
 */
export class FollowedTopics {
  readonly #session: Session;
  readonly #encodings: TopicEncodings;
  /** The one that has read least recently is the first. */
  readonly #topics = new Map<TopicEncoding, FollowedTopic>();
  #isFull = false;
  /** Whose turn it is. */
  #reading: FollowedTopic | undefined;

  constructor(session: Session, encodings: TopicEncodings) {
    this.#session = session;
    this.#encodings = encodings;
    session.onDrained(() => {
      this.#isFull = false;
      void this.resume();
    });
  }

  /** Those whose subscription is open. */
  get subscriptions(): readonly Subscription[] {
    return [...this.#topics.values()].flatMap(({ subscription }) => subscription ?? []);
  }

  get(cache: string, topic: string): FollowedTopic | undefined {
    const encoding = this.#encodings.get(this.#session.environment, cache, topic);
    return encoding && this.#topics.get(encoding);
  }

  /** @throws TodokuError `already_exists`, `limit_exceeded`. */
  add(cache: string, topic: string): FollowedTopic {
    if (this.get(cache, topic)) {
      throw new TodokuError("already_exists", `this connection follows topic "${topic}" of cache "${cache}" already`);
    }
    const { subscriptionsMax } = limits.gateway;
    if (this.#topics.size >= subscriptionsMax) {
      throw new TodokuError(
        "limit_exceeded",
        `this connection follows ${subscriptionsMax} topics; must be <= ${subscriptionsMax}`,
        { subject: "subscribers" },
      );
    }
    const followed = new FollowedTopic(this.#encodings.take(this.#session.environment, cache, topic), this);
    this.#topics.set(followed.encoding, followed);
    return followed;
  }

  remove(followed: FollowedTopic): void {
    if (followed.isRemoved) return;
    followed.isRemoved = true;
    this.#topics.delete(followed.encoding);
    followed.subscription?.close();
    this.#encodings.release(followed.encoding);
  }

  /** The connection is over. */
  close(): void {
    for (const followed of [...this.#topics.values()]) this.remove(followed);
  }

  /** Of the server. */
  ended(followed: FollowedTopic, error: TodokuError): void {
    this.remove(followed);
    const { cache, topic } = followed.encoding;
    this.#session.reply({ type: "unsubscribed", cache, topic, error: toErrorJson(error) });
  }

  write(followed: FollowedTopic, frame: Uint8Array): boolean {
    const hasRoom = this.#session.send(frame);
    if (!hasRoom) this.#fill(followed);
    // A reader has had its chunk: it waits for its next turn when others wait too.
    return hasRoom && (this.#reading !== followed || !this.#isAnotherWaiting(followed));
  }

  /** Lets those that wait read, as long as there is room. */
  async resume(): Promise<void> {
    if (this.#reading) return;
    for (let next = this.#nextWaiting(); next; next = this.#nextWaiting()) {
      this.#topics.delete(next.encoding);
      this.#topics.set(next.encoding, next);
      this.#reading = next;
      const reading = next.subscription?.drained();
      if (reading) await reading;
      this.#reading = undefined;
    }
  }

  #nextWaiting(): FollowedTopic | undefined {
    if (this.#isFull) return undefined;
    for (const followed of this.#topics.values()) if (followed.isWaiting) return followed;
    return undefined;
  }

  #isAnotherWaiting(followed: FollowedTopic): boolean {
    for (const other of this.#topics.values()) if (other !== followed && other.isWaiting) return true;
    return false;
  }

  #fill(by: FollowedTopic): void {
    if (this.#isFull) return;
    this.#isFull = true;
    for (const followed of this.#topics.values()) if (followed !== by) followed.subscription?.pause();
  }
}
