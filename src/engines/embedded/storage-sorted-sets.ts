import type { DatabaseSync } from "node:sqlite";
import { type CollectionExpiry, checkCollection } from "../../domain/cache/collections.ts";
import { aggregateScore, checkUnion, leaderboardBounds, scoreBytes } from "../../domain/cache/score-order.ts";
import type { ScoreAggregate, ScoredElement } from "../../domain/cache/sorted-set-store.ts";
import { TodokuError } from "../../domain/errors.ts";
import { bytesOfText, textOf } from "../../lib/byte-text.ts";
import { readBlobs, readExpiry } from "./disk-collections.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { budgetOf, type CollectionPlace, type CollectionRows, readPlace } from "./storage-collection-rows.ts";
import { addingOperation, type Collections } from "./storage-collections.ts";
import type { ItemRow } from "./storage-item-rows.ts";
import {
  createSortedElements,
  elementBytesOf,
  type ScoreChange,
  type SortedSetState,
  sortedSetBudget,
} from "./storage-sorted-elements.ts";
import { answering, type Operation } from "./storage-verdict.ts";

const none = { elements: 0, elementBytes: 0 };

interface Found {
  readonly row: ItemRow;
  readonly set: SortedSetState;
}

/** Operations on `disk` sorted sets and leaderboards in the storage thread, by their names. Each has read all of its part before it does anything. */
export function sortedSetOperations(
  db: DatabaseSync,
  rows: CollectionRows,
  collections: Collections,
): Readonly<Record<string, Operation>> {
  const elements = createSortedElements(db);

  function find(place: CollectionPlace): Found | undefined {
    const row = rows.find(place, "sorted set");
    if (row === undefined) return undefined;
    const elementBytes = elementBytesOf(budgetOf(row, place.key), row.elements);
    return { row, set: { collection: row.collection as number, elements: row.elements, elementBytes } };
  }

  /** @throws TodokuError `limit_exceeded`. */
  function check(
    place: CollectionPlace,
    row: ItemRow | undefined,
    set: Omit<SortedSetState, "collection">,
    changes: readonly ScoreChange[],
  ): void {
    let [count, bytes] = [set.elements, set.elementBytes];
    for (const { element, from } of changes) {
      if (from !== undefined) continue;
      count++;
      bytes += element.byteLength;
    }
    checkCollection(count, bytes + count * scoreBytes, place.cacheId < 0 ? leaderboardBounds : undefined);
    rows.checkRoom(place, row, sortedSetBudget({ elements: count, elementBytes: bytes }));
  }

  /** Changes a sorted set, or makes it; answers how many elements it has. */
  function change(
    place: CollectionPlace,
    found: Found | undefined,
    changes: readonly ScoreChange[],
    { expiresAtMs, isRefreshed }: CollectionExpiry,
  ): number {
    if (found === undefined && changes.length === 0) return 0;
    const set = found?.set ?? { collection: collections.nextNumber(), elements: 0, elementBytes: 0 };
    elements.apply(set, changes);
    const state = { elements: set.elements, bytes: sortedSetBudget(set) };
    if (found === undefined) rows.create(place, "sorted set", set.collection, { ...state, expiresAtMs });
    else rows.update(place, found.row, { ...state, expiresAtMs: isRefreshed ? expiresAtMs : found.row.expiresAtMs });
    return set.elements;
  }

  const scoreIn = (found: Found | undefined, element: Uint8Array) =>
    found && elements.scoreOf(found.set.collection, element);

  function put(op: FieldReader, answer: FieldWriter): void {
    const [place, expiry, scores] = [readPlace(op), readExpiry(op), readScores(op)];
    const found = find(place);
    const changes: ScoreChange[] = [];
    for (const { element, score } of scores.values()) {
      const from = scoreIn(found, element);
      if (from !== score) changes.push({ element, from, to: score });
    }
    check(place, found?.row, found?.set ?? none, changes);
    const length = change(place, found, changes, expiry);
    answer.put("ok");
    answer.put(length);
  }

  function increment(op: FieldReader, answer: FieldWriter): void {
    const [place, expiry, element, amount] = [readPlace(op), readExpiry(op), op.blob(), op.number()];
    const found = find(place);
    const from = scoreIn(found, element);
    const to = (from ?? 0) + amount + 0;
    if (Number.isNaN(to)) throw new TodokuError("failed_precondition", `${from} + ${amount} is not a number`);
    const changes = from === to ? [] : [{ element, from, to }];
    check(place, found?.row, found?.set ?? none, changes);
    change(place, found, changes, expiry);
    answer.put("ok");
    answer.put(to);
  }

  const clear = (place: CollectionPlace, { row }: Found) =>
    rows.update(place, row, { elements: 0, bytes: 0, expiresAtMs: row.expiresAtMs });

  /** Answers how many are left. */
  function drop(place: CollectionPlace, { row, set }: Found, names: Iterable<Uint8Array>): number {
    const changes: ScoreChange[] = [];
    for (const element of names) {
      const from = elements.scoreOf(set.collection, element);
      if (from !== undefined) changes.push({ element, from, to: undefined });
    }
    elements.apply(set, changes);
    rows.update(place, row, { elements: set.elements, bytes: sortedSetBudget(set), expiresAtMs: row.expiresAtMs });
    return set.elements;
  }

  function remove(op: FieldReader, answer: FieldWriter): void {
    const [place, isAll, blobs] = [readPlace(op), op.number() === 1, readBlobs(op)];
    const names = new Map(blobs.map((element) => [textOf(element), element]));
    const found = find(place);
    if (found !== undefined && isAll) clear(place, found);
    answer.put("ok");
    if (found === undefined) answer.put(null);
    else answer.put(isAll ? 0 : drop(place, found, names.values()));
  }

  /** The scores of the union by the elements' texts. @throws TodokuError `limit_exceeded`. */
  function unite(
    sources: readonly { readonly set: SortedSetState | undefined; readonly weight: number }[],
    aggregate: ScoreAggregate,
  ): Map<string, number> {
    checkUnion(sources.reduce((sum, { set }) => sum + (set?.elements ?? 0), 0));
    const scores = new Map<string, number>();
    for (const { set, weight } of sources) {
      for (const { element, score } of set === undefined ? [] : elements.all(set.collection)) {
        const text = textOf(element);
        scores.set(text, aggregateScore(aggregate, scores.get(text), score, weight));
      }
    }
    return scores;
  }

  function unionStore(op: FieldReader, answer: FieldWriter): void {
    const [place, expiresAtMs, aggregate] = [readPlace(op), op.number(), op.text() as ScoreAggregate];
    const from = Array.from({ length: op.number() }, () => ({ key: op.blob(), weight: op.number() }));
    const found = find(place);
    const sources = from.map(({ key, weight }) => ({ set: find({ ...place, key })?.set, weight }));
    const changes: ScoreChange[] = [];
    for (const [text, to] of unite(sources, aggregate)) {
      changes.push({ element: bytesOfText(text), from: undefined, to });
    }
    check(place, found?.row, none, changes);
    if (found !== undefined) clear(place, found);
    const length = change(place, undefined, changes, { expiresAtMs, isRefreshed: false });
    answer.put("ok");
    answer.put(length);
  }

  return {
    "sortedSets.put": addingOperation(collections, put),
    "sortedSets.increment": addingOperation(collections, increment),
    "sortedSets.remove": answering(remove),
    "sortedSets.unionStore": addingOperation(collections, unionStore),
  };
}

/** Of an element that is there twice the last score counts. */
function readScores(op: FieldReader): Map<string, ScoredElement> {
  const scores = new Map<string, ScoredElement>();
  for (let left = op.number(); left > 0; left--) {
    const scored = { element: op.blob(), score: op.number() };
    scores.set(textOf(scored.element), scored);
  }
  return scores;
}
