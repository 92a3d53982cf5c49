import type { CacheKey } from "./cache.ts";
import type { CollectionExpiry } from "./collections.ts";

/** An element and its score, a finite or infinite number that is not NaN; -0 counts as 0. */
export interface ScoredElement {
  readonly element: Uint8Array;
  readonly score: number;
}

/** By score; those of equal scores by their bytes, of which an engine may compare the first 480 of a larger element alone. Descending is the exact reverse of ascending. */
export type ScoreOrder = "ascending" | "descending";

/** A place of 0 or more in an order. */
export interface RankedElement {
  readonly rank: number;
  readonly score: number;
}

/** One end of a range of scores. */
export interface ScoreBound {
  readonly score: number;
  readonly isExclusive: boolean;
}

/** undefined: no bound. */
export interface ScoreRange {
  readonly min: ScoreBound | undefined;
  readonly max: ScoreBound | undefined;
}

/**
 * Which elements, always in an order: by places as `Array.slice` takes them (`end` exclusive, negative ones count from the last), or by
 * scores, of which `offset` are stepped over and at most `count` taken (undefined: all).
 */
export type SortedSetRange =
  | { readonly by: "rank"; readonly start: number | undefined; readonly end: number | undefined }
  | ({ readonly by: "score"; readonly offset: number; readonly count: number | undefined } & ScoreRange);

/** Elements that follow each other in an order; `firstRank` is the place of the first, if there is any. */
export interface SortedSetSlice {
  readonly firstRank: number;
  readonly elements: readonly ScoredElement[];
}

/** Part of a union: what its scores are multiplied with before those of equal elements are aggregated. */
export interface UnionSource {
  readonly key: Uint8Array;
  readonly weight: number;
}

/** How the scores of an element that is in several sources become one. */
export type ScoreAggregate = "sum" | "min" | "max";

/**
 * What an engine must do for sorted sets. They share keys, expiry and byte budget with the other items of a cache, whose `ItemStore` deletes,
 * sweeps and forgets them. The laws are in sorted-set-store.contract.ts. `nowMs` is of the steady clock: an expired sorted set is none.
 * A sorted set without elements does not exist. undefined: there was no sorted set.
 * All: @throws TodokuError `failed_precondition` (the key holds another type), `unavailable`. What changes one also `not_found`
 * (forgotten cache).
 * The same port serves leaderboards, which have keys and bounds of their own (`Engine.leaderboards`).
 */
export interface SortedSetStore {
  /** All or nothing; of an element that is given twice the last score counts. Answers how many there are. @throws TodokuError `limit_exceeded`: the sorted set, or the environment's byte budget. */
  put(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly ScoredElement[],
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<number>;
  /** An element that is not there counts as 0. Answers its score. @throws TodokuError `failed_precondition`: the sum is not a number; `limit_exceeded`. */
  increment(
    cache: CacheKey,
    key: Uint8Array,
    element: Uint8Array,
    amount: number,
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<number>;
  /** `elements` undefined: all. Answers how many are left. */
  remove(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly Uint8Array[] | undefined,
    nowMs: number,
  ): Promise<number | undefined>;
  /** The union takes the place of what the key held, if that is a sorted set or nothing; one without elements leaves none. Answers how many it has. @throws TodokuError `limit_exceeded`, also for sources of more than `limits.sortedSet.unionMaxElements` elements together. */
  unionStore(
    cache: CacheKey,
    key: Uint8Array,
    sources: readonly UnionSource[],
    aggregate: ScoreAggregate,
    expiresAtMs: number,
    nowMs: number,
  ): Promise<number>;
  /** In the order of `elements`; undefined in place of one that is not there. */
  scores(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly Uint8Array[],
    nowMs: number,
  ): Promise<readonly (number | undefined)[] | undefined>;
  /**
   * In the order of `elements`; undefined in place of one that is not there. `areTiesShared`: elements of equal scores have the place of the first of
   * them, and those behind them the place that they have anyway (0, 1, 1, 3).
   */
  ranks(
    cache: CacheKey,
    key: Uint8Array,
    elements: readonly Uint8Array[],
    order: ScoreOrder,
    areTiesShared: boolean,
    nowMs: number,
  ): Promise<readonly (RankedElement | undefined)[] | undefined>;
  fetch(
    cache: CacheKey,
    key: Uint8Array,
    range: SortedSetRange,
    order: ScoreOrder,
    nowMs: number,
  ): Promise<SortedSetSlice | undefined>;
  length(cache: CacheKey, key: Uint8Array, nowMs: number): Promise<number | undefined>;
  /** How many have a score in the range. */
  count(cache: CacheKey, key: Uint8Array, scores: ScoreRange, nowMs: number): Promise<number | undefined>;
}
