import type { DatabaseSync } from "node:sqlite";
import { type CollectionExpiry, checkCollection } from "../../domain/cache/collections.ts";
import type { DictionaryEntry } from "../../domain/cache/dictionary-store.ts";
import { addWholeNumber, wholeNumberBytes } from "../../domain/cache/whole-number.ts";
import { readBlobs, readExpiry } from "./disk-collections.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { budgetOf, type CollectionPlace, type CollectionRows, readPlace } from "./storage-collection-rows.ts";
import { addingOperation, type Collections } from "./storage-collections.ts";
import {
  createDictionaryElements,
  type DictionarySize,
  dictionaryBudget,
  dictionarySize,
  noSize,
} from "./storage-dictionary-elements.ts";
import type { ItemRow } from "./storage-item-rows.ts";
import { createUndoable } from "./storage-undoable.ts";
import { answering, type Operation } from "./storage-verdict.ts";

/** Operations on `disk` dictionaries in the storage thread, by their names. Each has read all of its part before it does anything. */
export function dictionaryOperations(
  db: DatabaseSync,
  rows: CollectionRows,
  collections: Collections,
): Readonly<Record<string, Operation>> {
  const elements = createDictionaryElements(db);
  const undoable = createUndoable(db);

  function sizeOf(place: CollectionPlace, row: ItemRow): DictionarySize {
    return dictionarySize(row.elements, budgetOf(row, place.key));
  }

  /** @throws TodokuError `limit_exceeded`, and then nothing has changed. */
  function put(
    place: CollectionPlace,
    row: ItemRow | undefined,
    entries: readonly DictionaryEntry[],
    { expiresAtMs, isRefreshed }: CollectionExpiry,
  ): void {
    const collection = row?.collection ?? collections.nextNumber();
    // Stored first: to look a hundred thousand fields up takes as long as storing them.
    undoable(() => {
      const size = elements.put(collection, row === undefined ? noSize : sizeOf(place, row), entries);
      checkCollection(size.elements, size.elementBytes);
      const bytes = dictionaryBudget(size);
      rows.checkRoom(place, row, bytes);
      const state = { elements: size.elements, bytes };
      if (row === undefined) rows.create(place, "dictionary", collection, { ...state, expiresAtMs });
      else rows.update(place, row, { ...state, expiresAtMs: isRefreshed ? expiresAtMs : row.expiresAtMs });
    });
  }

  function set(op: FieldReader, answer: FieldWriter): void {
    const [place, expiry, blobs] = [readPlace(op), readExpiry(op), readBlobs(op)];
    const row = rows.find(place, "dictionary");
    const entries = entriesOf(blobs);
    if (row !== undefined || entries.length > 0) put(place, row, entries, expiry);
    answer.put("ok");
  }

  function increment(op: FieldReader, answer: FieldWriter): void {
    const [place, expiry, field, amount] = [readPlace(op), readExpiry(op), op.blob(), BigInt(op.text())];
    const row = rows.find(place, "dictionary");
    const held = row && elements.valueOf(row.collection as number, field);
    const sum = addWholeNumber(held, amount);
    put(place, row, [{ field, value: wholeNumberBytes(sum) }], expiry);
    answer.put("ok");
    answer.put(`${sum}`);
  }

  function drop(op: FieldReader, answer: FieldWriter): void {
    const [place, isAll, fields] = [readPlace(op), op.number() === 1, readBlobs(op)];
    const row = rows.find(place, "dictionary");
    if (row !== undefined) {
      const size = isAll ? noSize : elements.drop(row.collection as number, sizeOf(place, row), fields);
      const bytes = dictionaryBudget(size);
      rows.update(place, row, { elements: size.elements, bytes, expiresAtMs: row.expiresAtMs });
    }
    answer.put("ok");
  }

  return {
    "dictionaries.set": addingOperation(collections, set),
    "dictionaries.increment": addingOperation(collections, increment),
    "dictionaries.delete": answering(drop),
  };
}

/** Of fields and values in turn. */
function entriesOf(blobs: readonly Uint8Array[]): DictionaryEntry[] {
  const entries: DictionaryEntry[] = [];
  for (let n = 0; n < blobs.length; n += 2) {
    entries.push({ field: blobs[n] as Uint8Array, value: blobs[n + 1] as Uint8Array });
  }
  return entries;
}
