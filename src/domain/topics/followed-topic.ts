import { limits } from "../limits.ts";
import type { LiveTopic } from "./live-topic.ts";
import { comparePositions, type Position } from "./position.ts";
import type { TopicItem, TopicKey } from "./store.ts";

/** What a pump has of a topic. */
export class FollowedTopic {
  readonly #topic: LiveTopic;
  /** Called by {@link Wakes} only. */
  readonly onMoved: () => void;
  #isOpen = true;

  constructor(topic: LiveTopic, onMoved: () => void) {
    this.#topic = topic;
    this.onMoved = onMoved;
    topic.addFollower(this);
  }

  /** Another object when the cache was flushed: what was read before is no longer the topic. */
  get key(): TopicKey {
    return this.#topic.key;
  }

  get head(): Position {
    return this.#topic.head;
  }

  /** False when the cache is deleted, or `close` was called. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Kept items behind `after`, the oldest first: one step of a catch-up, at most `maxItems`. A gap before the first, or up to `head` when
   * there is none, was dropped from the log, or a page began. @throws TodokuError `unavailable`.
   */
  async next(
    after: Position,
    maxItems: number = limits.catchUpMaxItems,
  ): Promise<{ readonly items: readonly TopicItem[]; readonly head: Position }> {
    const { head } = this.#topic;
    if (comparePositions(after, head) >= 0) return { items: [], head };
    const bounds = { maxItems, maxBytes: limits.catchUpMaxBytes };
    const items = this.#topic.tailAfter(after, bounds);
    return items ? { items, head } : this.#topic.read(after, bounds);
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#topic.removeFollower(this);
  }
}

/** Wakes pumps once per turn of the event loop, behind the fan-out to subscribers and the answers to publishers. */
export class Wakes {
  #waiting = new Set<ReadonlySet<FollowedTopic>>();

  add(followers: ReadonlySet<FollowedTopic>): void {
    if (this.#waiting.size === 0) setImmediate(() => this.#run());
    this.#waiting.add(followers);
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const followers of waiting) for (const follower of [...followers]) wake(follower);
  }
}

function wake(follower: FollowedTopic): void {
  if (!follower.isOpen) return;
  try {
    follower.onMoved();
  } catch {
    // The others must hear of it too; who follows reports its own failures.
  }
}
