import type { Attributes } from "../attributes.ts";
import type { CacheKey } from "../cache/cache.ts";
import type { TodokuError } from "../errors.ts";
import type { Position } from "./position.ts";

/** One message value. `bytes` of a text are its valid UTF-8. Never empty for a text. */
export interface TopicValue {
  readonly isText: boolean;
  readonly bytes: Uint8Array;
}

/** What a topic is called, in every engine: the cache's incarnation and the topic's name. */
export interface TopicKey {
  readonly cache: CacheKey;
  readonly topic: string;
}

/** An item before it has a position. */
export interface NewItem {
  readonly key: TopicKey;
  /** Made for it alone, and never changed: a store may keep it as it is. */
  readonly value: TopicValue;
  readonly attributes: Attributes | undefined;
  /** The publisher's token id; "" when it has none. */
  readonly tokenId: string;
  /** Of the steady clock. */
  readonly publishedAtMs: number;
  /** The same id in the same topic within `limits.messageIdWindowMs` answers with the first result. */
  readonly messageId: string | undefined;
}

/** An item of the log. */
export interface TopicItem extends Position {
  readonly value: TopicValue;
  readonly attributes: Attributes | undefined;
  readonly tokenId: string;
  /** Of the steady clock: it never goes back along a log. */
  readonly publishedAtMs: number;
}

/** What became of one item of a batch. `isRepeat`: its messageId was known; the position is that of the first. */
export type AppendResult = { readonly position: Position; readonly isRepeat: boolean } | TodokuError;

/** How much a topic's log keeps. Whichever bound is reached first counts; see `limits.history` for the defaults. */
export interface HistoryBounds {
  readonly maxItems: number;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Per environment, all topics of one durability together; past it the oldest history goes first. */
  readonly environmentMaxBytes: number;
}

/**
 * What an engine must do for topics. The laws are in store.contract.ts.
 *
 * Not promised here: live delivery (the domain's, from the committed batch), order between topics, and that an item
 * disappears at once when a bound is passed (trimming may lag by a sixteenth of `maxItems` / `maxBytes`, and by one `trim` for age).
 */
export interface TopicStore {
  /**
   * Appends in order, all or nothing as far as the engine's own failures go, and answers when all are as durable as
   * the store promises. One result per item: a position, or `not_found` when the item's cache was forgotten.
   * The first sequence of a page is 1, with no gaps; a topic's first page is its `cacheId` or greater.
   * @throws TodokuError `unavailable`: nothing of the batch was stored.
   */
  append(batch: readonly NewItem[]): Promise<readonly AppendResult[]>;

  /**
   * Kept items after `after`, oldest first: at most `maxItems`, and no more once `maxBytes` of values are reached (at
   * least one if there is any). `head` is the last position given. A gap between `after` and the first item (or `head`,
   * when there is none) means that history was dropped or a page began.
   */
  read(
    key: TopicKey,
    after: Position,
    bounds: { readonly maxItems: number; readonly maxBytes: number },
  ): Promise<{ readonly items: readonly TopicItem[]; readonly head: Position }>;

  /** The last position given; `sequence` 0 when the topic's page has no item yet. */
  head(key: TopicKey): Promise<Position>;

  /** Forgets all topics of a cache's incarnation: from now on `append` answers `not_found`, `read` nothing. Space is freed later. */
  forget(cache: CacheKey): Promise<void>;

  /** One bounded step of upkeep (age, budgets, forgotten caches, old message ids). True when there is more to do now. */
  trim(nowMs: number): Promise<boolean>;
}
