import type { Deadline } from "../../lib/timer-wheel.ts";
import { type TodokuError, toTodokuError } from "../errors.ts";
import type { FollowedTopic, Wakes } from "./followed-topic.ts";
import { comparePositions, type Position } from "./position.ts";
import type { TopicItem, TopicKey, TopicStore } from "./store.ts";
import { catchUpBounds, type Encoding, follows, type Subscription } from "./subscription.ts";
import { Tail, type TailBudget } from "./tail.ts";

/** What all followed topics of the process have together. */
interface SharedParts {
  readonly budget: TailBudget;
  readonly wakes: Wakes;
}

/** A topic that somebody follows now: its head, its newest items, and its subscribers by encoding. */
export class LiveTopic {
  #key: TopicKey;
  #store: TopicStore;
  #head: Position;
  readonly #tail: Tail;
  readonly #live = new Map<Encoding, Subscription[]>();
  readonly #subscriptions = new Set<Subscription>();
  /** Pumps. Undefined while there are none, so that a commit costs nothing more than to see that. */
  #followers: Set<FollowedTopic> | undefined;
  readonly #wakes: Wakes;
  readonly #onEmpty: () => void;
  /** Kept by the service: when a topic without subscribers is given up. */
  lingering: Deadline | undefined;
  /** Subscribers that left while frames are being written: the lists must not move then. */
  #leftMeanwhile: Subscription[] | undefined;

  constructor(key: TopicKey, store: TopicStore, head: Position, shared: SharedParts, onEmpty: () => void) {
    this.#key = key;
    this.#store = store;
    this.#head = head;
    this.#tail = new Tail(shared.budget);
    this.#wakes = shared.wakes;
    this.#onEmpty = onEmpty;
  }

  get key(): TopicKey {
    return this.#key;
  }

  /** The last position of the topic that this node knows to be committed. */
  get head(): Position {
    return this.#head;
  }

  /** Those that follow it now. */
  get subscriptions(): readonly Subscription[] {
    return [...this.#subscriptions];
  }

  get subscribers(): number {
    return this.#subscriptions.size;
  }

  /** Nobody follows it, neither a subscriber nor a pump. */
  get isUnfollowed(): boolean {
    return this.#subscriptions.size === 0 && this.#followers === undefined;
  }

  addFollower(follower: FollowedTopic): void {
    this.#followers ??= new Set();
    this.#followers.add(follower);
  }

  removeFollower(follower: FollowedTopic): void {
    if (!this.#followers?.delete(follower)) return;
    if (this.#followers.size === 0) this.#followers = undefined;
    if (this.isUnfollowed) this.#onEmpty();
  }

  add(subscription: Subscription): void {
    this.#subscriptions.add(subscription);
  }

  /** A caught-up subscriber gets new items at once from now on. */
  join(subscription: Subscription): void {
    const list = this.#live.get(subscription.sink.encoding);
    if (list) subscription.liveIndex = list.push(subscription) - 1;
    else {
      this.#live.set(subscription.sink.encoding, [subscription]);
      subscription.liveIndex = 0;
    }
  }

  leave(subscription: Subscription): void {
    if (!this.#subscriptions.delete(subscription)) return;
    if (subscription.isLive) this.#unlist(subscription);
    if (this.isUnfollowed) this.#onEmpty();
  }

  /** A live subscriber is to read on from here. While frames are being written it gets its own first, and says then that it is full. */
  pause(subscription: Subscription): void {
    if (this.#leftMeanwhile) return;
    this.#unlist(subscription);
    subscription.becomeReader(this.#head, true);
  }

  tailAfter(after: Position, bounds = catchUpBounds): TopicItem[] | undefined {
    return this.#tail.after(after, bounds);
  }

  read(after: Position, bounds = catchUpBounds): ReturnType<TopicStore["read"]> {
    return this.#store.read(this.#key, after, bounds);
  }

  /** Takes consecutive items that this node has committed, and gives them to everyone who is live. */
  committed(items: readonly TopicItem[], nowMs: number): void {
    const first = items[0] as TopicItem;
    const last = items[items.length - 1] as TopicItem;
    if (comparePositions(last, this.#head) <= 0) return; // read from the store already, on a hint
    if (!follows(this.#head, first)) {
      this.movedTo(last);
      return;
    }
    if (items.length === 1) this.#take(items, nowMs);
    else for (const step of toSteps(items)) this.#take(step, nowMs);
    if (this.#followers) this.#wakes.add(this.#followers);
  }

  #take(items: readonly TopicItem[], nowMs: number): void {
    const { page, sequence } = items[items.length - 1] as TopicItem;
    this.#tail.push(items, nowMs);
    this.#head = { page, sequence };
    this.#fanOut(items);
  }

  /** The log is at `head` by somebody else's doing (another node, a new page): subscribers read on from the store. */
  movedTo(head: Position): void {
    if (comparePositions(head, this.#head) <= 0) return;
    const before = this.#head;
    this.#head = { page: head.page, sequence: head.sequence };
    this.#tail.clear();
    const readers = [...this.#live.values()].flat();
    this.#live.clear();
    for (const subscription of readers) subscription.becomeReader(before, false);
    if (this.#followers) this.#wakes.add(this.#followers);
  }

  /** The cache was flushed: the same subscribers follow the new incarnation, behind one discontinuity. */
  flushedTo(key: TopicKey, store: TopicStore): void {
    this.#key = key;
    this.#store = store;
    this.movedTo({ page: key.cache.cacheId, sequence: 0 });
  }

  /** Ends all subscriptions, and tells the pumps. The tail goes too: of a deleted cache nobody comes back to give up its share of the budget. */
  fail(error: TodokuError): void {
    for (const subscription of [...this.#subscriptions]) subscription.fail(error);
    for (const follower of [...(this.#followers ?? [])]) follower.close();
    this.#tail.clear();
  }

  /** Gives back the bytes of what is old. */
  trim(nowMs: number): void {
    this.#tail.trim(nowMs);
  }

  /** Nobody follows it any more: gives its bytes back. */
  dispose(): void {
    this.#tail.clear();
  }

  #fanOut(items: readonly TopicItem[]): void {
    this.#leftMeanwhile = [];
    const blocked: Subscription[] = [];
    for (const [encoding, list] of this.#live) {
      const frame = encoding.items(items);
      for (let i = 0; i < list.length; i++) {
        const subscription = list[i] as Subscription;
        if (subscription.isOpen && !tryWrite(subscription, frame)) blocked.push(subscription);
      }
    }
    const left = this.#leftMeanwhile;
    this.#leftMeanwhile = undefined;
    for (const subscription of left) this.#unlist(subscription);
    for (const subscription of blocked) {
      if (!subscription.isLive || !subscription.isOpen) continue;
      this.#unlist(subscription);
      subscription.becomeReader(this.#head, true);
    }
  }

  #unlist(subscription: Subscription): void {
    if (this.#leftMeanwhile) {
      this.#leftMeanwhile.push(subscription);
      return;
    }
    const { encoding } = subscription.sink;
    const list = this.#live.get(encoding);
    const index = subscription.liveIndex;
    subscription.liveIndex = -1;
    if (!list || index < 0) return;
    const moved = list.pop() as Subscription;
    if (moved !== subscription) {
      list[index] = moved;
      moved.liveIndex = index;
    }
    if (list.length === 0) this.#live.delete(encoding);
  }
}

/** A batch may have megabytes. In steps like those of a catch-up, whoever is full after the first is spared the others. */
function toSteps(items: readonly TopicItem[]): readonly (readonly TopicItem[])[] {
  const steps: TopicItem[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    bytes += item.value.bytes.length;
    if (bytes > catchUpBounds.maxBytes) {
      steps.push([]);
      bytes = item.value.bytes.length;
    }
    steps.at(-1)?.push(item);
  }
  return steps;
}

/** One subscriber's broken way out must not cost the others their message. */
function tryWrite(subscription: Subscription, frame: Uint8Array): boolean {
  try {
    return subscription.sink.write(frame);
  } catch (error) {
    subscription.fail(toTodokuError(error));
    return true;
  }
}
