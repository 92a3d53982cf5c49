import type { DatabaseSync } from "node:sqlite";
import { type Collections, freedChunk } from "./storage-collections.ts";
import type { ItemRow } from "./storage-item-rows.ts";

/**
 * What SQLite keeps for an element beside its bytes: its row, its place in the index, and room that pages leave free. 28 with 8 bytes, 32 with 100,
 * 42 with 1,000. The migration to version 5 counts with it too.
 */
const elementOverheadBytes = 32;

/** The elements of a list that exists, in the storage thread. Indexes are within its bounds. */
export interface ListElements {
  append(list: ListBounds, values: readonly Uint8Array[]): void;
  prepend(list: ListBounds, values: readonly Uint8Array[]): void;
  /** Bytes of the elements with indexes `from` to before `to`. */
  bytes(list: ListBounds, from: number, to: number): number;
  valueAt(list: ListBounds, index: number): Uint8Array;
  /** Keeps the elements with indexes `from` to before `to`, at least one. */
  keep(list: ListBounds, from: number, to: number): void;
  /** Drops all with this value, which may be all. */
  dropValue(list: ListBounds, value: Uint8Array): void;
  /** Drops ranges of indexes that lie apart, from the front to the back, which may be all. */
  dropRanges(list: ListBounds, ranges: readonly { from: number; to: number }[]): void;
}

/** What changes about a list's row while its elements do. */
export interface ListBounds {
  readonly collection: number;
  elements: number;
  /** Positions of the first and the last element. Without a gap there are as many positions as elements. */
  front: number;
  back: number;
  /** Bytes of its elements. */
  elementBytes: number;
}

/** What elements take of the environment's budget. */
export function listBudget({ elements, elementBytes }: Pick<ListBounds, "elements" | "elementBytes">): number {
  return elementBytes + elements * elementOverheadBytes;
}

/** `budget`: what its elements take of the environment's budget. */
export function boundsOf(row: ItemRow, budget: number): ListBounds {
  const { elements, front, back } = row;
  return {
    collection: row.collection as number,
    elements,
    front,
    back,
    elementBytes: budget - elements * elementOverheadBytes,
  };
}

export function createListElements(db: DatabaseSync, collections: Collections): ListElements {
  // The place of an element that was cut off and not yet freed may be taken again.
  const put = db.prepare("INSERT OR REPLACE INTO list_elements (collection, position, value) VALUES (?, ?, ?)");
  const fromFront = db.prepare(
    "SELECT position FROM list_elements WHERE collection = ? AND position >= ? ORDER BY position LIMIT 1 OFFSET ? + 0",
  );
  const fromBack = db.prepare(
    "SELECT position FROM list_elements WHERE collection = ? AND position <= ? ORDER BY position DESC LIMIT 1 OFFSET ? + 0",
  );
  const value = db.prepare("SELECT value FROM list_elements WHERE collection = ? AND position = ?");
  const bytesBetween = db.prepare(
    "SELECT total(length(value)) AS n FROM list_elements WHERE collection = ? AND position BETWEEN ? AND ?",
  );
  const dropBetween = db.prepare("DELETE FROM list_elements WHERE collection = ? AND position BETWEEN ? AND ?");
  const dropValue = db.prepare(
    "DELETE FROM list_elements WHERE collection = ? AND position BETWEEN ? AND ? AND value = ?",
  );

  function positionAt({ collection, elements, front, back }: ListBounds, index: number): number {
    if (back - front === elements - 1) return front + index;
    const row =
      index < elements / 2
        ? fromFront.get(collection, front, index)
        : fromBack.get(collection, back, elements - 1 - index);
    return row?.position as number;
  }

  /** Of indexes that ascend: each place is counted from the one before it, for from an end a thousand of them are 2 s away. */
  function positionsAt(list: ListBounds, indexes: readonly number[]): number[] {
    const { collection, elements, front, back } = list;
    const hasGaps = back - front !== elements - 1;
    let known: { readonly index: number; readonly position: number } | undefined;
    return indexes.map((index) => {
      const position =
        known !== undefined && hasGaps
          ? (fromFront.get(collection, known.position, index - known.index)?.position as number)
          : positionAt(list, index);
      known = { index, position };
      return position;
    });
  }

  function bytes(list: ListBounds, from: number, to: number): number {
    if (from >= to) return 0;
    const [first, last] = [positionAt(list, from), positionAt(list, to - 1)];
    return bytesBetween.get(list.collection, first, last)?.n as number;
  }

  /** After elements have gone from anywhere. */
  function findEnds(list: ListBounds): void {
    if (list.elements === 0) return;
    list.front = fromFront.get(list.collection, list.front, 0)?.position as number;
    list.back = fromBack.get(list.collection, list.back, 0)?.position as number;
  }

  function add(list: ListBounds, values: readonly Uint8Array[], firstPosition: number): void {
    for (const [n, value] of values.entries()) {
      put.get(list.collection, firstPosition + n, value);
      list.elementBytes += value.byteLength;
    }
    list.elements += values.length;
  }

  return {
    append(list, values) {
      add(list, values, list.back + 1);
      list.back += values.length;
    },
    prepend(list, values) {
      add(list, values, list.front - values.length);
      list.front -= values.length;
    },
    bytes,
    valueAt: (list, index) => value.get(list.collection, positionAt(list, index))?.value as Uint8Array,
    keep(list, from, to) {
      const dropped = list.elements - (to - from);
      if (dropped === 0) return;
      // The sum that reads less.
      list.elementBytes =
        dropped < to - from
          ? list.elementBytes - bytes(list, 0, from) - bytes(list, to, list.elements)
          : bytes(list, from, to);
      const { collection, front, back } = list;
      [list.front, list.back] = [positionAt(list, from), positionAt(list, to - 1)];
      list.elements -= dropped;
      if (dropped > freedChunk) return collections.free(collection, "list");
      if (list.front > front) dropBetween.get(collection, front, list.front - 1);
      if (list.back < back) dropBetween.get(collection, list.back + 1, back);
    },
    dropValue(list, value) {
      const dropped = Number(dropValue.run(list.collection, list.front, list.back, value).changes);
      list.elements -= dropped;
      list.elementBytes -= dropped * value.byteLength;
      findEnds(list);
    },
    dropRanges(list, ranges) {
      const places = positionsAt(
        list,
        ranges.flatMap(({ from, to }) => [from, to - 1]),
      );
      for (let n = 0; n < places.length; n += 2) {
        const [first, last] = [places[n] as number, places[n + 1] as number];
        list.elementBytes -= bytesBetween.get(list.collection, first, last)?.n as number;
        list.elements -= Number(dropBetween.run(list.collection, first, last).changes);
      }
      findEnds(list);
    },
  };
}
