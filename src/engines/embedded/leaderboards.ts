import type { CacheKey } from "../../domain/cache/cache.ts";
import type { SortedSetStore } from "../../domain/cache/sorted-set-store.ts";

/** Sorted sets with keys of their own in the cache, under its negative id: the leaderboards. */
export function createLeaderboards(sets: SortedSetStore): SortedSetStore {
  return {
    put: (cache, ...rest) => sets.put(apart(cache), ...rest),
    increment: (cache, ...rest) => sets.increment(apart(cache), ...rest),
    remove: (cache, ...rest) => sets.remove(apart(cache), ...rest),
    unionStore: (cache, ...rest) => sets.unionStore(apart(cache), ...rest),
    scores: (cache, ...rest) => sets.scores(apart(cache), ...rest),
    ranks: (cache, ...rest) => sets.ranks(apart(cache), ...rest),
    fetch: (cache, ...rest) => sets.fetch(apart(cache), ...rest),
    length: (cache, ...rest) => sets.length(apart(cache), ...rest),
    count: (cache, ...rest) => sets.count(apart(cache), ...rest),
  };
}

function apart(cache: CacheKey): CacheKey {
  return { ...cache, cacheId: -cache.cacheId };
}
