import type { Deadline } from "../../lib/timer-wheel.ts";
import type { Cache } from "../cache/cache.ts";
import { limits } from "../limits.ts";
import type { FollowedTopic } from "../topics/followed-topic.ts";
import { formatPosition, type Position } from "../topics/position.ts";
import type { TopicItem, TopicKey } from "../topics/store.ts";
import type { Attempt, Attempted, LaneOwner } from "./attempts.ts";
import { LogReader } from "./log-reader.ts";
import { Tries } from "./retry.ts";
import type { Cursor } from "./store.ts";

/** A log that cannot be read is tried again so soon. */
const readAgainMs = 1000;
/** An item counts once more for each so many bytes of its text, which a filter may have to read. */
const lookBytes = 256;

/** An item that was taken from the log and is not done. */
interface Pending {
  readonly name: string;
  readonly position: Position;
  readonly tries: Tries;
  /** `busy`: an attempt is under way, or its item is being read. `waiting`: for its next try. */
  state: "ready" | "busy" | "waiting";
  wait: Deadline | undefined;
}

/** Delivers what comes into a topic's log: one item after the other, or some at a time past those that wait. */
export class LogLane {
  readonly #owner: LaneOwner;
  readonly #topic: FollowedTopic;
  readonly #durability: Cache["durability"];
  readonly #reader: LogReader;
  #key: TopicKey;
  /** In the order of the log. */
  readonly #pending = new Map<string, Pending>();
  /** Those that may be tried, in the order in which they came to be so. */
  readonly #ready = new Set<Pending>();
  #busy = 0;
  /** How many items the filter may still look at before others have their turn of the event loop: items of the tail are there at once. */
  #looksLeft: number = limits.subscription.passedPerTurn;
  #isClosed = false;
  #readAgain: Deadline | undefined;

  /** `cursor`: of an incarnation of the topic that may be gone. */
  constructor(owner: LaneOwner, cache: Cache, topic: FollowedTopic, cursor: Cursor) {
    this.#owner = owner;
    this.#topic = topic;
    this.#durability = cache.durability;
    this.#key = cursor.key;
    this.#reader = new LogReader(topic, cache.durability, cursor.position, {
      ready: () => owner.run(),
      missed: (items) => owner.missed(items),
      failed: (error) => {
        owner.log.warn({ err: error }, "a topic cannot be read for its webhook; it is tried again");
        this.#readAgain = owner.wheel.schedule(readAgainMs, () => owner.run());
      },
    });
    for (const position of cursor.pending) this.#add(position);
  }

  get cursor(): Cursor {
    const pending = [...this.#pending.values()].map(({ position }) => position);
    return { key: this.#key, position: this.#reader.after, pending };
  }

  /** Items that are not done: of the topic's page behind the cursor, and pending. */
  get waiting(): number {
    const { page, sequence } = this.#reader.after;
    const { head } = this.#topic;
    return this.#pending.size + (head.page === page ? Math.max(0, head.sequence - sequence) : head.sequence);
  }

  /** Begins as many attempts as may be made. */
  run(): void {
    if (this.#topic.key.cache.cacheId !== this.#key.cache.cacheId) this.#followFlush();
    const max = this.#owner.isOrdered || this.#owner.isCircuitOpen ? 1 : this.#owner.maxInFlight;
    while (this.#busy < max && this.#owner.mayBegin()) {
      const begun = this.#owner.isOrdered ? this.#beginInOrder() : this.#beginAny();
      if (!begun) return;
    }
  }

  /** Those that wait for their next try need wait no longer. */
  retryNow(): void {
    for (const pending of this.#pending.values()) if (pending.state === "waiting") this.#makeReady(pending);
  }

  /** Nothing is to be begun for a while: holds nothing of the log in memory. */
  rest(): void {
    this.#reader.drop();
  }

  /** Is over; attempts that are under way come to an end. */
  close(): void {
    this.#isClosed = true;
    this.#clear();
    this.#readAgain?.cancel();
    this.#reader.drop();
    this.#topic.close();
  }

  #beginInOrder(): boolean {
    for (const first of this.#pending.values()) return first.state === "ready" && this.#tryAgain(first);
    return this.#beginNext();
  }

  /**
   * Who waited goes before what is new. But of a circuit that is open the one attempt is made with a new item: those that failed before
   * may all be ones that nobody takes, and the circuit would never close.
   */
  #beginAny(): boolean {
    const [first] = this.#ready;
    if (first && !this.#owner.isCircuitOpen) return this.#tryAgain(first);
    const isFull = this.#pending.size >= limits.webhook.pendingMax;
    if (!isFull && this.#beginNext()) return true;
    if (!first || (!isFull && (this.#reader.isReading || this.#looksLeft <= 0))) return false;
    return this.#tryAgain(first);
  }

  #beginNext(): boolean {
    const item = this.#nextWanted();
    if (!item) return false;
    this.#attempt(this.#add(item), item);
    return true;
  }

  /** Passes over what the filter does not let through. */
  #nextWanted(): TopicItem | undefined {
    let passed = 0;
    let item: TopicItem | undefined;
    while (this.#looksLeft > 0) {
      item = this.#reader.take(this.#owner.isCircuitOpen && !this.#owner.isFiltering ? 1 : undefined);
      if (!item || this.#isWanted(item)) break;
      item = undefined;
      passed++;
    }
    if (passed > 0) this.#owner.passed(passed);
    return item;
  }

  #isWanted(item: TopicItem): boolean {
    if (!this.#owner.isFiltering) return true;
    this.#looksLeft -= 1 + Math.floor(item.value.bytes.byteLength / lookBytes);
    if (this.#looksLeft <= 0) this.#lookOnNextTurn();
    return this.#owner.wants(item);
  }

  #lookOnNextTurn(): void {
    setImmediate(() => {
      this.#looksLeft = limits.subscription.passedPerTurn;
      if (!this.#isClosed) this.#owner.run();
    });
  }

  /** Reads the item from the log again: who waits holds nothing but a position. */
  #tryAgain(pending: Pending): boolean {
    this.#setBusy(pending);
    this.#reader.at(pending.position).then(
      (item) => {
        this.#free(pending);
        if (this.#isCurrent(pending) && item && this.#owner.mayBegin()) this.#attempt(pending, item);
        else if (this.#isCurrent(pending) && !item) this.#dropped(pending);
        else this.#owner.run();
      },
      () => {
        this.#free(pending);
        if (this.#isCurrent(pending)) this.#wait(pending, readAgainMs);
      },
    );
    return true;
  }

  #attempt(pending: Pending, item: TopicItem): void {
    this.#setBusy(pending);
    const attempt: Attempt = {
      name: pending.name,
      topic: this.#key.topic,
      item,
      tries: pending.tries,
      isReplay: false,
    };
    this.#owner.attempt(attempt, (attempted) => {
      this.#free(pending);
      if (this.#isCurrent(pending)) this.#attempted(pending, item, attempted);
    });
  }

  #attempted(pending: Pending, item: TopicItem, attempted: Attempted): void {
    if (attempted.kind === "again") {
      // While the circuit is open its own waits count.
      if (!this.#owner.isCircuitOpen) this.#wait(pending, attempted.waitMs);
    } else if (attempted.kind !== "held") {
      this.#remove(pending);
      if (attempted.kind === "dead") this.#owner.unsaved.dead({ topic: this.#key.topic, item, ...attempted.death });
    }
  }

  /** The log dropped it while it waited: one on disk has made a dead letter of it. */
  #dropped(pending: Pending): void {
    this.#remove(pending);
    this.#owner.unsaved.changed();
    if (this.#durability === "memory") this.#owner.missed(1);
    this.#owner.run();
  }

  /** The cache was flushed: what was due is gone, as somebody wished, and the new incarnation is read from its beginning. */
  #followFlush(): void {
    this.#clear();
    this.#key = this.#topic.key;
    this.#reader.moveTo({ page: this.#key.cache.cacheId, sequence: 0 });
    this.#owner.unsaved.changed();
  }

  #add(position: Position): Pending {
    const { page, sequence } = position;
    const name = formatPosition(position);
    const pending: Pending = {
      name,
      position: { page, sequence },
      tries: new Tries(),
      state: "ready",
      wait: undefined,
    };
    this.#pending.set(name, pending);
    this.#ready.add(pending);
    return pending;
  }

  #isCurrent(pending: Pending): boolean {
    return this.#pending.get(pending.name) === pending;
  }

  #remove(pending: Pending): void {
    this.#pending.delete(pending.name);
    this.#ready.delete(pending);
  }

  #setBusy(pending: Pending): void {
    this.#busy++;
    pending.state = "busy";
    this.#ready.delete(pending);
  }

  #free(pending: Pending): void {
    this.#busy--;
    if (this.#isCurrent(pending)) this.#makeReady(pending);
  }

  #makeReady(pending: Pending): void {
    pending.wait?.cancel();
    pending.wait = undefined;
    pending.state = "ready";
    this.#ready.add(pending);
  }

  #wait(pending: Pending, waitMs: number): void {
    pending.state = "waiting";
    this.#ready.delete(pending);
    // In order nobody goes past it.
    if (this.#owner.isOrdered) this.#reader.drop();
    pending.wait = this.#owner.wheel.schedule(waitMs, () => {
      this.#makeReady(pending);
      this.#owner.run();
    });
  }

  #clear(): void {
    for (const pending of this.#pending.values()) pending.wait?.cancel();
    this.#pending.clear();
    this.#ready.clear();
  }
}
