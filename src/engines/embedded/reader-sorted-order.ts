import type { DatabaseSync } from "node:sqlite";
import type { Places } from "../../domain/cache/score-order.ts";
import type { ScoredElement } from "../../domain/cache/sorted-set-store.ts";
import type { CollectionHead } from "./reader-collections.ts";
import { blockMaxElements, firstPlace } from "./storage-sorted-blocks.ts";

/** The order of a `disk` sorted set, by the counts of storage-sorted-blocks.ts. */
export interface SortedOrder {
  /** How many elements are before each of these places, which may be of no element, and ascend; `element` is a key. */
  countBefore(head: CollectionHead, places: readonly ScoredElement[]): number[];
  /** The elements at these places, ascending. */
  at(head: CollectionHead, places: Places): ScoredElement[];
}

export function createSortedOrder(db: DatabaseSync): SortedOrder {
  const blockOf = db.prepare(
    "SELECT score, element FROM sorted_set_blocks WHERE collection = ? AND (score, element) <= (?, ?) ORDER BY score DESC, element DESC LIMIT 1",
  );
  const inBlocks = db.prepare(
    "SELECT total(elements) AS n FROM sorted_set_blocks WHERE collection = ? AND (score, element) >= (?, ?) AND (score, element) < (?, ?)",
  );
  const between = db.prepare(
    "SELECT count(*) AS n FROM sorted_set_elements INDEXED BY sorted_set_order WHERE collection = ? AND (score, element) >= (?, ?) AND (score, element) < (?, ?)",
  );
  const counts = db.prepare("SELECT elements FROM sorted_set_blocks WHERE collection = ? ORDER BY score, element");
  counts.setReturnArrays(true);
  const blockAt = db.prepare(
    "SELECT score, element FROM sorted_set_blocks WHERE collection = ? ORDER BY score, element LIMIT 1 OFFSET ? + 0",
  );
  const elementOf =
    "SELECT score, coalesce((SELECT value FROM large_set_elements WHERE id = large), element) AS element FROM sorted_set_elements INDEXED BY sorted_set_order";
  const ascending = db.prepare(
    `${elementOf} WHERE collection = ? AND (score, element) >= (?, ?) ORDER BY score, sorted_set_elements.element LIMIT ? + 0 OFFSET ? + 0`,
  );
  const descending = db.prepare(
    `${elementOf} WHERE collection = ? ORDER BY score DESC, sorted_set_elements.element DESC LIMIT ? + 0 OFFSET ? + 0`,
  );
  const sum = (statement: typeof inBlocks, collection: number, from: ScoredElement, to: ScoredElement) =>
    statement.get(collection, from.score, from.element, to.score, to.element)?.n as number;

  /** The block that has this place of the order, and how many elements are before it. */
  function findBlock(collection: number, place: number): { start: ScoredElement; before: number } {
    if (place < blockMaxElements) return { start: firstPlace, before: 0 };
    let [index, before] = [-1, 0];
    for (const [elements] of counts.all(collection) as unknown as [number][]) {
      index++;
      if (before + elements > place) break;
      before += elements;
    }
    return { start: blockAt.get(collection, index) as unknown as ScoredElement, before };
  }

  return {
    countBefore({ collection }, places) {
      let [block, before] = [firstPlace, 0];
      let [last, count] = [firstPlace, 0];
      return places.map((place) => {
        const start = (blockOf.get(collection, place.score, place.element) ?? firstPlace) as ScoredElement;
        if (compareScored(start, block) > 0) {
          before += sum(inBlocks, collection, block, start);
          [block, last, count] = [start, start, before];
        }
        count += sum(between, collection, last, place);
        last = place;
        return count;
      });
    },
    at({ collection, elements }, { from, to }) {
      const count = to - from;
      if (count === 0) return [];
      // Most ask for the first or the last of all.
      if (elements - to < blockMaxElements) {
        return (descending.all(collection, count, elements - to) as unknown as ScoredElement[]).reverse();
      }
      const { start, before } = findBlock(collection, from);
      return ascending.all(collection, start.score, start.element, count, from - before) as unknown as ScoredElement[];
    },
  };
}

/** As SQLite orders them. */
export function compareScored(one: ScoredElement, other: ScoredElement): number {
  if (one.score !== other.score) return one.score < other.score ? -1 : 1;
  return Buffer.compare(one.element, other.element);
}
