import type { DatabaseSync } from "node:sqlite";
import { checkCollection } from "../../domain/cache/collections.ts";
import { readBlobs, readExpiry } from "./disk-collections.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { type CollectionPlace, type CollectionRows, readPlace } from "./storage-collection-rows.ts";
import { addingOperation, type Collections } from "./storage-collections.ts";
import type { ItemRow } from "./storage-item-rows.ts";
import { countsOf, createSetWriter, type SetCounts, setBudget } from "./storage-set-elements.ts";
import { createUndoable } from "./storage-undoable.ts";
import { answering, type Operation } from "./storage-verdict.ts";

/** Operations on `disk` sets in the storage thread, by their names. Each has read all of its part before it does anything. */
export function setOperations(
  db: DatabaseSync,
  rows: CollectionRows,
  collections: Collections,
): Readonly<Record<string, Operation>> {
  const writer = createSetWriter(db, collections);
  const undoable = createUndoable(db);

  /** @throws TodokuError `limit_exceeded`. */
  function checkRoom(place: CollectionPlace, row: ItemRow | undefined, set: SetCounts): void {
    checkCollection(set.elements, set.elementBytes);
    rows.checkRoom(place, row, setBudget(set));
  }

  function update(place: CollectionPlace, row: ItemRow, set: SetCounts, expiresAtMs = row.expiresAtMs): void {
    rows.update(place, row, { elements: set.elements, bytes: setBudget(set), expiresAtMs });
  }

  /** Of a key that holds nothing. */
  function create(place: CollectionPlace, set: SetCounts, expiresAtMs: number): void {
    const { collection, elements } = set;
    if (elements > 0) rows.create(place, "set", collection, { elements, bytes: setBudget(set), expiresAtMs });
  }

  /** By elements under another number: those that were there are freed later. */
  function replace(place: CollectionPlace, row: ItemRow, set: SetCounts): void {
    rows.update(place, row, { elements: 0, bytes: 0, expiresAtMs: row.expiresAtMs });
    create(place, set, row.expiresAtMs);
  }

  function union(op: FieldReader, answer: FieldWriter): void {
    const [place, { expiresAtMs, isRefreshed }, elements] = [readPlace(op), readExpiry(op), readBlobs(op)];
    const row = rows.find(place, "set");
    // How many of them are new is known once they are stored: to look for them before takes as long again.
    undoable(() => {
      const set = row === undefined ? writer.newSet() : countsOf(row, place.key);
      writer.add(set, elements);
      checkRoom(place, row, set);
      if (row === undefined) create(place, set, expiresAtMs);
      else update(place, row, set, isRefreshed ? expiresAtMs : undefined);
    });
    answer.put("ok");
  }

  function subtract(op: FieldReader, answer: FieldWriter): void {
    const [place, elements] = [readPlace(op), op.number() === 1 ? undefined : readBlobs(op)];
    const row = rows.find(place, "set");
    const set = row && countsOf(row, place.key);
    if (row !== undefined && set !== undefined) {
      if (elements === undefined) set.elements = 0;
      else writer.drop(set, elements);
      update(place, row, set);
    }
    answer.put("ok");
    answer.put(set?.elements ?? null);
  }

  function subtractFrom(op: FieldReader, answer: FieldWriter): void {
    const [place, minuend] = [readPlace(op), readBlobs(op)];
    const row = rows.find(place, "set");
    let left: number | null = null;
    undoable(() => {
      if (row === undefined) return;
      const set = writer.remainder(minuend, row.collection as number);
      checkRoom(place, row, set);
      replace(place, row, set);
      left = set.elements;
    });
    answer.put("ok");
    answer.put(left);
  }

  /** Where more is popped than is left, what is left is written anew: that is the lesser work. */
  function take(place: CollectionPlace, row: ItemRow, wanted: number): readonly Uint8Array[] {
    const set = countsOf(row, place.key);
    if (wanted > set.elements / 2) {
      const { popped, left } = writer.popMost(set, wanted);
      replace(place, row, left);
      return popped;
    }
    const popped = writer.pop(set, wanted);
    update(place, row, set);
    return popped;
  }

  function pop(op: FieldReader, answer: FieldWriter): void {
    const [place, wanted] = [readPlace(op), op.number()];
    const row = rows.find(place, "set");
    const popped = row && take(place, row, wanted);
    answer.put("ok");
    answer.put(popped?.length ?? null);
    for (const element of popped ?? []) answer.putBlob(element);
  }

  return {
    "sets.union": addingOperation(collections, union),
    "sets.subtract": answering(subtract),
    "sets.subtractFrom": addingOperation(collections, subtractFrom),
    "sets.pop": answering(pop),
  };
}
