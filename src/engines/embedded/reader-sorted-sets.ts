import type { DatabaseSync } from "node:sqlite";
import { type CountBelow, nextScore, placesOf, resolveRange } from "../../domain/cache/score-order.ts";
import type { ScoredElement, ScoreOrder } from "../../domain/cache/sorted-set-store.ts";
import { readBlobs } from "./disk-collections.ts";
import { keyOf } from "./element-keys.ts";
import type { FieldWriter } from "./fields.ts";
import { type CollectionHead, createFindCollection, lengthRead, type Read } from "./reader-collections.ts";
import { compareScored, createSortedOrder } from "./reader-sorted-order.ts";
import { readRange, readScoreRange } from "./sorted-sets.ts";

const noBytes = new Uint8Array(0);

/** Reads of `disk` sorted sets and leaderboards in the reader thread, by their names. */
export function sortedSetReads(db: DatabaseSync): Readonly<Record<string, Read>> {
  const find = createFindCollection(db, "sorted set");
  const score = db.prepare("SELECT score FROM sorted_set_elements WHERE collection = ? AND element = ?");
  const order = createSortedOrder(db);
  const scoreOf = ({ collection }: CollectionHead, element: Uint8Array) =>
    score.get(collection, keyOf(element))?.score as number | undefined;

  function countBelowIn(head: CollectionHead): CountBelow {
    return (below) =>
      below === undefined
        ? head.elements
        : (order.countBefore(head, [{ score: below, element: noBytes }])[0] as number);
  }

  /** Ranks of elements with these scores, in their order; undefined: not there. */
  function ranks(
    head: CollectionHead,
    scored: readonly (ScoredElement | undefined)[],
    towards: ScoreOrder,
    areTiesShared: boolean,
  ): number[] {
    const placeOf = ({ element, score }: ScoredElement) => {
      if (!areTiesShared) return { element: keyOf(element), score };
      const first = towards === "ascending" ? score : nextScore(score);
      return first === undefined ? undefined : { element: noBytes, score: first };
    };
    const asked = scored.map((one, index) => ({ index, place: one && placeOf(one) }));
    const places = asked.filter((one): one is { index: number; place: ScoredElement } => one.place !== undefined);
    places.sort((a, b) => compareScored(a.place, b.place));
    const before = Array.from(scored, () => head.elements);
    const counts = order.countBefore(
      head,
      places.map(({ place }) => place),
    );
    for (const [n, { index }] of places.entries()) before[index] = counts[n] as number;
    if (towards === "ascending") return before;
    return before.map((count) => head.elements - count - (areTiesShared ? 0 : 1));
  }

  function answerSlice(
    head: CollectionHead,
    answer: FieldWriter,
    towards: ScoreOrder,
    places: { from: number; to: number },
  ) {
    answer.put(towards === "ascending" ? places.from : head.elements - places.to);
    answer.put(places.to - places.from);
    for (const { element, score } of order.at(head, places)) {
      answer.putBlob(element);
      answer.put(score);
    }
  }

  return {
    "sortedSets.length": lengthRead(find),
    "sortedSets.scores"(op, answer) {
      const [head, elements] = [find(op, answer), readBlobs(op)];
      if (head === undefined) return;
      for (const element of elements) answer.put(scoreOf(head, element) ?? null);
    },
    "sortedSets.ranks"(op, answer) {
      const head = find(op, answer);
      const [towards, areTiesShared, elements] = [op.text() as ScoreOrder, op.number() === 1, readBlobs(op)];
      if (head === undefined) return;
      const scored = elements.map((element) => {
        const score = scoreOf(head, element);
        return score === undefined ? undefined : { element, score };
      });
      const found = ranks(head, scored, towards, areTiesShared);
      for (const [n, one] of scored.entries()) {
        answer.put(one?.score ?? null);
        if (one !== undefined) answer.put(found[n] as number);
      }
    },
    "sortedSets.fetch"(op, answer) {
      const head = find(op, answer);
      const [towards, range] = [op.text() as ScoreOrder, readRange(op)];
      if (head !== undefined) answerSlice(head, answer, towards, resolveRange(range, towards, countBelowIn(head)));
    },
    "sortedSets.count"(op, answer) {
      const [head, range] = [find(op, answer), readScoreRange(op)];
      if (head === undefined) return;
      const { from, to } = placesOf(range, countBelowIn(head));
      answer.put(to - from);
    },
  };
}
