import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Cache } from "./cache.ts";
import type { Caches } from "./caches.ts";
import { type CollectionTtl, checkCount, checkElements, expiryOf } from "./collections.ts";
import { checkKey, createOnKey, type OnKey } from "./keys.ts";
import { checkNumber, checkScoreRange } from "./scores.ts";
import type {
  ScoreAggregate,
  ScoredElement,
  ScoreOrder,
  ScoreRange,
  SortedSetRange,
  SortedSetSlice,
  SortedSetStore,
  UnionSource,
} from "./sorted-set-store.ts";
import { checkTtl } from "./ttl.ts";

/** A union of 1 to `limits.sortedSet.unionMaxSources` sorted sets, with finite weights. */
export interface Union {
  readonly sources: readonly UnionSource[];
  readonly aggregate: ScoreAggregate;
  /** 1..`limits.itemTtlMaxMs` */
  readonly ttlMs: number;
}

/**
 * The sorted sets of a cache. Elements have up to `limits.elementMaxBytes`, scores are finite or infinite; what is not a number is
 * `invalid_argument`. undefined: there is no sorted set. One without elements does not exist.
 * All: @throws TodokuError `failed_precondition`: the key holds another type.
 */
export interface SortedSets {
  /** Adds elements, or gives those that are there new scores; all or nothing. @throws TodokuError `limit_exceeded`. */
  put(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    elements: readonly ScoredElement[],
    ttl: CollectionTtl,
  ): Promise<void>;
  /** Answers the new score, so it reads and writes and needs both permissions. @throws TodokuError `failed_precondition` (infinities that cancel out), `limit_exceeded`. */
  increment(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    element: Uint8Array,
    amount: number,
    ttl: CollectionTtl,
  ): Promise<number>;
  /** `elements` undefined: all. No error when there is nothing. */
  remove(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    elements: readonly Uint8Array[] | undefined,
  ): Promise<void>;
  /** Puts the union under the key, in the place of what is there, and answers how many elements it has. Reads the sources, so it needs the permission for them too. @throws TodokuError `limit_exceeded`. */
  unionStore(principal: Principal, cache: string, key: Uint8Array, union: Union): Promise<number>;
  /** In the order of `elements`; undefined in place of one that is not there. */
  scores(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    elements: readonly Uint8Array[],
  ): Promise<readonly (number | undefined)[] | undefined>;
  /** The place of an element, from 0; "no element" when the sorted set is there, but not the element. */
  rank(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    element: Uint8Array,
    order: ScoreOrder,
  ): Promise<number | "no element" | undefined>;
  fetch(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    range: SortedSetRange,
    order: ScoreOrder,
  ): Promise<SortedSetSlice | undefined>;
  length(principal: Principal, cache: string, key: Uint8Array): Promise<number | undefined>;
  /** How many elements have a score in the range. */
  count(principal: Principal, cache: string, key: Uint8Array, scores: ScoreRange): Promise<number | undefined>;
}

export function createSortedSets(
  engine: Pick<Engine, "sortedSets">,
  caches: Pick<Caches, "known" | "get" | "current">,
  steadyMs: () => number,
): SortedSets {
  const onKey = createOnKey(caches, steadyMs);
  const sortedSetsOf = ({ durability }: Cache) => engine.sortedSets[durability];
  return { ...createChanges(onKey, sortedSetsOf), ...createReads(onKey, sortedSetsOf) };
}

type StoreOf = (cache: Cache) => SortedSetStore;

function createChanges(
  onKey: OnKey,
  sortedSetsOf: StoreOf,
): Pick<SortedSets, "put" | "increment" | "remove" | "unionStore"> {
  return {
    put(principal, name, key, elements, ttl) {
      return onKey(principal, ["item.write"], name, key, async (cache, nowMs) => {
        checkCount("elements to add", elements.length);
        checkScoredElements(elements);
        await sortedSetsOf(cache).put(cache, key, elements, expiryOf(ttl, nowMs), nowMs);
      });
    },
    increment(principal, name, key, element, amount, ttl) {
      return onKey(principal, ["item.read", "item.write"], name, key, (cache, nowMs) => {
        checkElements("element", [element]);
        checkNumber("amount", amount);
        return sortedSetsOf(cache).increment(cache, key, element, amount, expiryOf(ttl, nowMs), nowMs);
      });
    },
    remove(principal, name, key, elements) {
      return onKey(principal, ["item.write"], name, key, async (cache, nowMs) => {
        checkCount("elements to remove", elements?.length ?? 0);
        await sortedSetsOf(cache).remove(cache, key, elements, nowMs);
      });
    },
    unionStore(principal, name, key, { sources, aggregate, ttlMs }) {
      return onKey(principal, ["item.write"], name, key, (cache, nowMs) => {
        checkTtl(ttlMs);
        checkSources(principal, name, sources);
        return sortedSetsOf(cache).unionStore(cache, key, sources, aggregate, nowMs + ttlMs, nowMs);
      });
    },
  };
}

function createReads(
  onKey: OnKey,
  sortedSetsOf: StoreOf,
): Pick<SortedSets, "scores" | "rank" | "fetch" | "length" | "count"> {
  return {
    scores(principal, name, key, elements) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => {
        checkCount("elements to look for", elements.length);
        return sortedSetsOf(cache).scores(cache, key, elements, nowMs);
      });
    },
    rank(principal, name, key, element, order) {
      return onKey(principal, ["item.read"], name, key, async (cache, nowMs) => {
        const ranks = await sortedSetsOf(cache).ranks(cache, key, [element], order, false, nowMs);
        return ranks && (ranks[0]?.rank ?? "no element");
      });
    },
    fetch(principal, name, key, range, order) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => {
        if (range.by === "score") checkScoreRange(range);
        return sortedSetsOf(cache).fetch(cache, key, range, order, nowMs);
      });
    },
    length(principal, name, key) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) =>
        sortedSetsOf(cache).length(cache, key, nowMs),
      );
    },
    count(principal, name, key, scores) {
      return onKey(principal, ["item.read"], name, key, (cache, nowMs) => {
        checkScoreRange(scores);
        return sortedSetsOf(cache).count(cache, key, scores, nowMs);
      });
    },
  };
}

/** Of those that are to be written. @throws TodokuError `invalid_argument`, `limit_exceeded`. */
function checkScoredElements(elements: readonly ScoredElement[]): void {
  for (const { element, score } of elements) {
    checkElements("element", [element]);
    checkNumber("score", score);
  }
}

/** Who stores a union reads its sources. @throws TodokuError `invalid_argument`, `permission_denied`. */
function checkSources(principal: Principal, name: string, sources: readonly UnionSource[]): void {
  if (sources.length === 0) throw new TodokuError("invalid_argument", "0 sources of the union; must be >= 1");
  checkCount("sources of the union", sources.length, limits.sortedSet.unionMaxSources);
  for (const { key, weight } of sources) {
    authorize(principal, "item.read", name, key);
    checkKey(key);
    if (!Number.isFinite(weight)) throw new TodokuError("invalid_argument", `weight ${weight} must be a finite number`);
  }
}
