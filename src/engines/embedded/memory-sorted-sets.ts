import type { CacheKey } from "../../domain/cache/cache.ts";
import type { CollectionBounds } from "../../domain/cache/collections.ts";
import { aggregateScore, checkUnion, placesOf, resolveRange, scoreBytes } from "../../domain/cache/score-order.ts";
import type { ScoreAggregate, SortedSetStore } from "../../domain/cache/sorted-set-store.ts";
import { TodokuError } from "../../domain/errors.ts";
import { textOf } from "../../lib/byte-text.ts";
import { createMemoryCollections, type FoundCollection } from "./memory-collections.ts";
import type { MemoryKeys } from "./memory-keys.ts";
import { MemorySortedSet } from "./memory-sorted-set.ts";

/** An element: the text and its place in the map, the place in its chunk, beside {@link scoreBytes} for the score: 96 to 123; 176 when most of them are gone. */
const overhead = { bytes: 640, elementBytes: 128 };

type Found = FoundCollection<MemorySortedSet>;

/** The sorted sets, or the leaderboards, of caches with durability `memory`. */
export function createMemorySortedSets(keys: MemoryKeys, bounds?: CollectionBounds): SortedSetStore {
  const sets = createMemoryCollections(keys, MemorySortedSet, overhead, bounds);

  /** @throws TodokuError `limit_exceeded`, and then nothing has changed. */
  function check(cache: CacheKey, key: Uint8Array, set: MemorySortedSet | undefined, elements: Iterable<string>): void {
    let [count, bytes] = [set?.length ?? 0, set?.bytes ?? 0];
    for (const element of elements) {
      if (set?.scoreOf(element) !== undefined) continue;
      count++;
      bytes += element.length + scoreBytes;
    }
    sets.checkRoom(cache, key, count, bytes);
  }

  /** Puts scores into a sorted set, or into a new one, that has room for them. */
  function put(found: Found | undefined, scores: Iterable<readonly [string, number]>): MemorySortedSet {
    const set = found?.collection ?? new MemorySortedSet();
    for (const [element, score] of scores) set.put(element, score);
    return set;
  }

  return {
    async put(cache, key, elements, expiry, nowMs) {
      const found = sets.open(cache, key, nowMs);
      const scores = new Map(elements.map(({ element, score }) => [textOf(element), score + 0]));
      check(cache, key, found?.collection, scores.keys());
      return sets.settle(cache, key, found, put(found, scores), expiry);
    },
    async increment(cache, key, element, amount, expiry, nowMs) {
      const found = sets.open(cache, key, nowMs);
      const text = textOf(element);
      const old = found?.collection.scoreOf(text) ?? 0;
      const score = old + amount + 0;
      if (Number.isNaN(score)) throw new TodokuError("failed_precondition", `${old} + ${amount} is not a number`);
      check(cache, key, found?.collection, [text]);
      sets.settle(cache, key, found, put(found, [[text, score]]), expiry);
      return score;
    },
    async remove(cache, key, elements, nowMs) {
      const found = sets.open(cache, key, nowMs);
      if (found === undefined) return undefined;
      if (elements === undefined) return sets.settle(cache, key, found, new MemorySortedSet());
      for (const element of elements) found.collection.delete(textOf(element));
      return sets.settle(cache, key, found, found.collection);
    },
    async unionStore(cache, key, sources, aggregate, expiresAtMs, nowMs) {
      const found = sets.open(cache, key, nowMs);
      const scores = unite(
        sources.map((source) => ({ set: sets.find(cache, source.key, nowMs), weight: source.weight })),
        aggregate,
      );
      check(cache, key, undefined, scores.keys());
      if (found !== undefined) keys.drop(found.kept);
      return sets.settle(cache, key, undefined, put(undefined, scores), { expiresAtMs, isRefreshed: false });
    },
    async scores(cache, key, elements, nowMs) {
      const set = sets.find(cache, key, nowMs);
      return set && elements.map((element) => set.scoreOf(textOf(element)));
    },
    async ranks(cache, key, elements, order, areTiesShared, nowMs) {
      const set = sets.find(cache, key, nowMs);
      return set && elements.map((element) => set.rank(textOf(element), order, areTiesShared));
    },
    async fetch(cache, key, range, order, nowMs) {
      const set = sets.find(cache, key, nowMs);
      if (set === undefined) return undefined;
      const places = resolveRange(range, order, set.countBelow);
      const elements = set.at(places);
      if (order === "ascending") return { firstRank: places.from, elements };
      return { firstRank: set.length - places.to, elements: elements.reverse() };
    },
    async length(cache, key, nowMs) {
      return sets.find(cache, key, nowMs)?.length;
    },
    async count(cache, key, scores, nowMs) {
      const set = sets.find(cache, key, nowMs);
      if (set === undefined) return undefined;
      const { from, to } = placesOf(scores, set.countBelow);
      return to - from;
    },
  };
}

/** @throws TodokuError `limit_exceeded`. */
function unite(
  sources: readonly { readonly set: MemorySortedSet | undefined; readonly weight: number }[],
  aggregate: ScoreAggregate,
): Map<string, number> {
  checkUnion(sources.reduce((sum, { set }) => sum + (set?.length ?? 0), 0));
  const scores = new Map<string, number>();
  for (const { set, weight } of sources) {
    for (const [element, score] of set?.scores() ?? []) {
      scores.set(element, aggregateScore(aggregate, scores.get(element), score, weight));
    }
  }
  return scores;
}
