import { Buffer } from "node:buffer";
import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { checkCount } from "./collections.ts";
import { createInCache } from "./keys.ts";
import { checkNumber, checkScoreRange } from "./scores.ts";
import type { RankedElement, ScoreOrder, ScoreRange, SortedSetRange, SortedSetStore } from "./sorted-set-store.ts";

/** `id`: 0..4,294,967,295; whose it is, is the client's. `score`: not NaN. */
export interface LeaderboardElement {
  readonly id: number;
  readonly score: number;
}

/** An element with its place in an order, from 0. */
interface LeaderboardPlace extends LeaderboardElement, RankedElement {}

/** The elements from place `start` to before place `end`, 1 to `limits.leaderboard.callMaxElements` of them. */
interface PlaceRange {
  readonly start: number;
  readonly end: number;
}

/** Of the elements with these scores `offset` are stepped over and at most `count` taken, 1..`limits.leaderboard.callMaxElements`. */
interface LeaderboardScores extends ScoreRange {
  readonly offset: number;
  readonly count: number;
}

/**
 * The leaderboards of a cache: ids with scores, each with a place in the order of scores (those of equal scores by id; descending is the
 * exact reverse). They go with the cache, but are none of its items, so they need a permission on all of its keys. Names have 1..255 bytes of UTF-8.
 * A leaderboard that is not there is as one without elements. A call has at most `limits.leaderboard.callMaxElements` elements or ids.
 */
export interface Leaderboards {
  /** Adds elements, or gives those that are there new scores, all or nothing; then the leaderboard lives for `limits.leaderboard.ttlMs`. @throws TodokuError `limit_exceeded`. */
  upsert(
    principal: Principal,
    cache: string,
    leaderboard: string,
    elements: readonly LeaderboardElement[],
  ): Promise<void>;
  remove(principal: Principal, cache: string, leaderboard: string, ids: readonly number[]): Promise<void>;
  delete(principal: Principal, cache: string, leaderboard: string): Promise<void>;
  length(principal: Principal, cache: string, leaderboard: string): Promise<number>;
  /** Those that are there: the range may go past the last. */
  byRank(
    principal: Principal,
    cache: string,
    leaderboard: string,
    range: PlaceRange,
    order: ScoreOrder,
  ): Promise<LeaderboardPlace[]>;
  byScore(
    principal: Principal,
    cache: string,
    leaderboard: string,
    scores: LeaderboardScores,
    order: ScoreOrder,
  ): Promise<LeaderboardPlace[]>;
  /** In the order of `ids`, without those that are not there. `areTiesShared`: as {@link SortedSetStore.ranks}. */
  places(
    principal: Principal,
    cache: string,
    leaderboard: string,
    ids: readonly number[],
    order: ScoreOrder,
    areTiesShared: boolean,
  ): Promise<LeaderboardPlace[]>;
}

/** A leaderboard where the engine keeps it. */
interface Kept {
  readonly store: SortedSetStore;
  readonly cache: Cache;
  readonly key: Uint8Array;
  readonly nowMs: number;
}

/** Authorises, checks the name, then does work on the leaderboard of this name. */
type OnLeaderboard = <T>(
  principal: Principal,
  action: "leaderboard.read" | "leaderboard.write",
  name: string,
  leaderboard: string,
  work: (kept: Kept) => Promise<T>,
) => Promise<T>;

export function createLeaderboards(
  engine: Pick<Engine, "leaderboards">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): Leaderboards {
  const inCache = createInCache(caches);
  const onLeaderboard: OnLeaderboard = async (principal, action, name, leaderboard, work) => {
    authorize(principal, action, name);
    checkName("leaderboard", leaderboard);
    const key = Buffer.from(leaderboard);
    return inCache(principal.environment, name, (cache) =>
      work({ store: engine.leaderboards[cache.durability], cache, key, nowMs: steadyMs() }),
    );
  };
  return { ...createChanges(onLeaderboard), ...createReads(onLeaderboard) };
}

function createChanges(onLeaderboard: OnLeaderboard): Pick<Leaderboards, "upsert" | "remove" | "delete"> {
  return {
    upsert(principal, name, leaderboard, elements) {
      return onLeaderboard(principal, "leaderboard.write", name, leaderboard, async ({ store, cache, key, nowMs }) => {
        checkCount("elements to add", elements.length, limits.leaderboard.callMaxElements);
        for (const { score } of elements) checkNumber("score", score);
        const scored = elements.map(({ id, score }) => ({ element: bytesOf(id), score }));
        const expiry = { expiresAtMs: nowMs + limits.leaderboard.ttlMs, isRefreshed: true };
        await store.put(cache, key, scored, expiry, nowMs);
      });
    },
    remove(principal, name, leaderboard, ids) {
      return onLeaderboard(principal, "leaderboard.write", name, leaderboard, async ({ store, cache, key, nowMs }) => {
        checkCount("ids to remove", ids.length, limits.leaderboard.callMaxElements);
        await store.remove(cache, key, ids.map(bytesOf), nowMs);
      });
    },
    delete(principal, name, leaderboard) {
      return onLeaderboard(principal, "leaderboard.write", name, leaderboard, async ({ store, cache, key, nowMs }) => {
        await store.remove(cache, key, undefined, nowMs);
      });
    },
  };
}

function createReads(onLeaderboard: OnLeaderboard): Pick<Leaderboards, "length" | "byRank" | "byScore" | "places"> {
  return {
    length(principal, name, leaderboard) {
      return onLeaderboard(principal, "leaderboard.read", name, leaderboard, async ({ store, cache, key, nowMs }) => {
        return (await store.length(cache, key, nowMs)) ?? 0;
      });
    },
    byRank(principal, name, leaderboard, range, order) {
      return onLeaderboard(principal, "leaderboard.read", name, leaderboard, (kept) => {
        checkPlaces(range);
        return placesIn(kept, { by: "rank", ...range }, order);
      });
    },
    byScore(principal, name, leaderboard, scores, order) {
      return onLeaderboard(principal, "leaderboard.read", name, leaderboard, (kept) => {
        checkScoreRange(scores);
        checkCount("elements to fetch", scores.count, limits.leaderboard.callMaxElements);
        return placesIn(kept, { by: "score", ...scores }, order);
      });
    },
    places(principal, name, leaderboard, ids, order, areTiesShared) {
      return onLeaderboard(principal, "leaderboard.read", name, leaderboard, async ({ store, cache, key, nowMs }) => {
        checkCount("ids to look for", ids.length, limits.leaderboard.callMaxElements);
        const ranks = (await store.ranks(cache, key, ids.map(bytesOf), order, areTiesShared, nowMs)) ?? [];
        return ids.flatMap((id, n) => (ranks[n] ? [{ id, ...ranks[n] }] : []));
      });
    },
  };
}

async function placesIn(
  { store, cache, key, nowMs }: Kept,
  range: SortedSetRange,
  order: ScoreOrder,
): Promise<LeaderboardPlace[]> {
  const slice = await store.fetch(cache, key, range, order, nowMs);
  if (!slice) return [];
  return slice.elements.map(({ element, score }, n) => ({ id: idOf(element), score, rank: slice.firstRank + n }));
}

/** Four bytes, the highest first: those of equal scores are in the order of their bytes, and so of their ids. */
function bytesOf(id: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(id);
  return bytes;
}

function idOf(element: Uint8Array): number {
  return new DataView(element.buffer, element.byteOffset, 4).getUint32(0);
}

function checkPlaces({ start, end }: PlaceRange): void {
  const { callMaxElements } = limits.leaderboard;
  if (end - start >= 1 && end - start <= callMaxElements) return;
  const text = `ranks from ${start} to before ${end} are ${end - start}; must be >= 1 and <= ${callMaxElements}`;
  throw new TodokuError("invalid_argument", text);
}
