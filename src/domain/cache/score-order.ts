import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { CollectionBounds } from "./collections.ts";
import { resolveSlice } from "./list-store.ts";
import type { ScoreAggregate, ScoreBound, ScoreOrder, ScoreRange, SortedSetRange } from "./sorted-set-store.ts";

/** What a score takes of `limits.collectionMaxBytes`: an answer of Momento's protocol has some 16 bytes for an element beside its own. */
export const scoreBytes = 12;

/** Of a leaderboard, which no answer has whole. */
export const leaderboardBounds: CollectionBounds = {
  maxBytes: Infinity,
  maxElements: limits.leaderboard.maxElements,
};

/** How many elements have a lower score; undefined: how many there are. */
export type CountBelow = (score: number | undefined) => number;

/** Places in ascending order, `from` to before `to`. */
export interface Places {
  readonly from: number;
  readonly to: number;
}

/** The least score that is greater; undefined: there is none. */
export function nextScore(score: number): number | undefined {
  if (score === Infinity) return undefined;
  const bits = new DataView(new ArrayBuffer(8));
  // As whole numbers the bits of positive scores ascend with them, those of negative ones descend. -0 is 0 here.
  bits.setFloat64(0, score + 0);
  bits.setBigInt64(0, bits.getBigInt64(0) + (score >= 0 ? 1n : -1n));
  return bits.getFloat64(0) + 0;
}

/** The places of the scores in a range; none: both are the same. */
export function placesOf({ min, max }: ScoreRange, countBelow: CountBelow): Places {
  const below = ({ score, isExclusive }: ScoreBound, isMax: boolean) =>
    countBelow(isExclusive === isMax ? score : nextScore(score));
  const from = min === undefined ? 0 : below(min, false);
  const to = max === undefined ? countBelow(undefined) : below(max, true);
  return { from, to: Math.max(from, to) };
}

/** The ascending places of a range of `order`; none: both are the same. */
export function resolveRange(range: SortedSetRange, order: ScoreOrder, countBelow: CountBelow): Places {
  const length = countBelow(undefined);
  if (range.by === "rank") {
    const { from, to } = resolveSlice(range, length);
    const end = Math.max(from, to);
    return order === "ascending" ? { from, to: end } : { from: length - end, to: length - from };
  }
  const { from, to } = placesOf(range, countBelow);
  const skipped = Math.min(range.offset, to - from);
  const count = Math.min(range.count ?? Infinity, to - from - skipped);
  return order === "ascending"
    ? { from: from + skipped, to: from + skipped + count }
    : { from: to - skipped - count, to: to - skipped };
}

/** What an element has after another source, beside what it has from those before. What is not a number counts as 0, as in Redis. */
export function aggregateScore(
  aggregate: ScoreAggregate,
  known: number | undefined,
  score: number,
  weight: number,
): number {
  const weighted = score * weight || 0;
  if (known === undefined) return weighted;
  if (aggregate === "sum") return known + weighted || 0;
  return aggregate === "min" ? Math.min(known, weighted) : Math.max(known, weighted);
}

/** `elements`: of all sources together. @throws TodokuError `limit_exceeded`. */
export function checkUnion(elements: number): void {
  const max = limits.sortedSet.unionMaxElements;
  if (elements <= max) return;
  const text = `item size: the sources of the union have ${elements} elements together; must be <= ${max}`;
  throw new TodokuError("limit_exceeded", text, { subject: "item_size" });
}
