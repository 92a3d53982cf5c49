import type { Durability } from "../cache/cache.ts";
import { type TodokuError, toTodokuError } from "../errors.ts";
import type { FollowedTopic } from "../topics/followed-topic.ts";
import { comparePositions, type Position } from "../topics/position.ts";
import type { TopicItem } from "../topics/store.ts";
import { follows } from "../topics/subscription.ts";

/** Whom a reader tells. */
export interface ReaderOwner {
  /** There may be something to take. */
  ready(): void;
  /** So many items were dropped from the log before they were read, and nobody made dead letters of them. */
  missed(items: number): void;
  /** The log cannot be read: call `ready` later. */
  failed(error: TodokuError): void;
}

/** Takes one item after the other from a topic's log, with at most one chunk of them in memory. */
export class LogReader {
  readonly #topic: FollowedTopic;
  readonly #durability: Durability;
  readonly #owner: ReaderOwner;
  #after: Position;
  #chunk: readonly TopicItem[] = [];
  #next = 0;
  #isReading = false;
  /** Grows when what is being read is no longer wanted. */
  #turn = 0;

  constructor(topic: FollowedTopic, durability: Durability, after: Position, owner: ReaderOwner) {
    this.#topic = topic;
    this.#durability = durability;
    this.#owner = owner;
    this.#after = after;
  }

  /** What was taken, up to here. */
  get after(): Position {
    return this.#after;
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** The next item; undefined when there is none now: `ready` is called when there is. `maxItems`: how many to read at once. */
  take(maxItems?: number): TopicItem | undefined {
    const item = this.#chunk[this.#next];
    if (item) {
      this.#next++;
      if (!follows(this.#after, item)) this.#skipTo({ page: item.page, sequence: item.sequence - 1 });
      this.#after = { page: item.page, sequence: item.sequence };
      return item;
    }
    if (!this.#isReading && comparePositions(this.#after, this.#topic.head) < 0) void this.#read(maxItems);
    return undefined;
  }

  /** The item there; undefined when the log has it no longer. @throws TodokuError `unavailable`. */
  async at(position: Position): Promise<TopicItem | undefined> {
    const { items } = await this.#topic.next({ page: position.page, sequence: position.sequence - 1 }, 1);
    const item = items[0];
    return item && comparePositions(item, position) === 0 ? item : undefined;
  }

  /** Gives up what was read ahead. */
  drop(): void {
    this.#chunk = [];
    this.#next = 0;
    this.#turn++;
    this.#isReading = false;
  }

  /** Goes on behind `after`. */
  moveTo(after: Position): void {
    this.drop();
    this.#after = after;
  }

  async #read(maxItems: number | undefined): Promise<void> {
    this.#isReading = true;
    const turn = ++this.#turn;
    const { key } = this.#topic;
    try {
      const { items, head } = await this.#topic.next(this.#after, maxItems);
      if (turn !== this.#turn) return;
      this.#isReading = false;
      // Flushed meanwhile: what was read is no longer the topic.
      if (key === this.#topic.key) {
        this.#chunk = items;
        this.#next = 0;
        if (items.length === 0) this.#skipTo(head);
      }
      this.#owner.ready();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#isReading = false;
      this.#owner.failed(toTodokuError(error));
    }
  }

  /**
   * What lies between was dropped. A log on disk keeps what a cursor needs, or makes dead letters of it; of one in memory it is lost. How
   * many there were of a page that ended is not known: those at the beginning of the next one are.
   */
  #skipTo(now: Position): void {
    if (comparePositions(this.#after, now) >= 0) return;
    const items = now.page === this.#after.page ? now.sequence - this.#after.sequence : now.sequence;
    this.#after = { page: now.page, sequence: now.sequence };
    if (this.#durability === "memory" && items > 0) this.#owner.missed(items);
  }
}
