import type { DatabaseSync } from "node:sqlite";
import { checkCollection } from "../../domain/cache/collections.ts";
import {
  type ListEnd,
  type ListRange,
  type ListSlice,
  mergeRanges,
  planPush,
  resolveSlice,
} from "../../domain/cache/list-store.ts";
import { readBlobs, readExpiry } from "./disk-collections.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { budgetOf, type CollectionPlace, type CollectionRows, readPlace } from "./storage-collection-rows.ts";
import { addingOperation, type Collections } from "./storage-collections.ts";
import type { ItemRow } from "./storage-item-rows.ts";
import { boundsOf, createListElements, type ListBounds, listBudget } from "./storage-list-elements.ts";
import { answering, type Operation } from "./storage-verdict.ts";

interface Found {
  readonly row: ItemRow;
  readonly list: ListBounds;
}

/** Operations on `disk` lists in the storage thread, by their names. Each has read all of its part before it does anything. */
export function listOperations(
  db: DatabaseSync,
  rows: CollectionRows,
  collections: Collections,
): Readonly<Record<string, Operation>> {
  const elements = createListElements(db, collections);

  function find(place: CollectionPlace): Found | undefined {
    const row = rows.find(place, "list");
    return row && { row, list: boundsOf(row, budgetOf(row, place.key)) };
  }

  /** Stores what a change made of a list, and answers its length. */
  function settle(
    place: CollectionPlace,
    { row, list }: Found,
    answer: FieldWriter,
    expiresAtMs = row.expiresAtMs,
  ): void {
    rows.update(place, row, { ...list, bytes: listBudget(list), expiresAtMs });
    answer.put("ok");
    answer.put(list.elements);
  }

  /** Lets `work` change the list, if there is one; answers its length or null. */
  function change(
    place: CollectionPlace,
    answer: FieldWriter,
    work: (list: ListBounds) => void,
    expiresAtMs?: number,
  ): void {
    const found = find(place);
    if (found !== undefined) {
      work(found.list);
      settle(place, found, answer, expiresAtMs);
    } else {
      answer.put("ok");
      answer.put(null);
    }
  }

  function create(place: CollectionPlace, values: readonly Uint8Array[], expiresAtMs: number): void {
    const list = { collection: collections.nextNumber(), elements: 0, front: 0, back: -1, elementBytes: 0 };
    elements.append(list, values);
    rows.create(place, "list", list.collection, { ...list, bytes: listBudget(list), expiresAtMs });
  }

  /** @throws TodokuError `limit_exceeded`. */
  function checkPush(
    place: CollectionPlace,
    found: Found | undefined,
    values: readonly Uint8Array[],
    cut: { readonly from: number; readonly to: number },
  ): void {
    let elementBytes = found === undefined ? 0 : found.list.elementBytes - elements.bytes(found.list, cut.from, cut.to);
    for (const value of values) elementBytes += value.byteLength;
    const count = (found?.list.elements ?? 0) + values.length - (cut.to - cut.from);
    checkCollection(count, elementBytes);
    rows.checkRoom(place, found?.row, listBudget({ elements: count, elementBytes }));
  }

  function push(op: FieldReader, answer: FieldWriter): void {
    const [place, { expiresAtMs, isRefreshed }] = [readPlace(op), readExpiry(op)];
    const [end, truncateTo, all] = [op.text() as ListEnd, op.numberOrNull() ?? undefined, readBlobs(op)];
    const found = find(place);
    const length = found?.list.elements ?? 0;
    const { values, cut } = planPush({ end, values: all, truncateTo }, length);
    const isBack = end === "back";
    checkPush(place, found, values, isBack ? { from: 0, to: cut } : { from: length - cut, to: length });
    if (found === undefined) {
      if (values.length > 0) create(place, values, expiresAtMs);
      answer.put("ok");
      answer.put(values.length);
      return;
    }
    // The new ones first: then something is left to keep.
    const { list } = found;
    if (isBack) elements.append(list, values);
    else elements.prepend(list, values);
    elements.keep(list, isBack ? cut : 0, isBack ? list.elements : list.elements - cut);
    settle(place, found, answer, isRefreshed ? expiresAtMs : undefined);
  }

  function pop(op: FieldReader, answer: FieldWriter): void {
    const [place, end] = [readPlace(op), op.text() as ListEnd];
    let value: Uint8Array | undefined;
    change(place, answer, (list) => {
      const last = list.elements - 1;
      value = elements.valueAt(list, end === "front" ? 0 : last);
      if (last === 0) list.elements = 0;
      else if (end === "front") elements.keep(list, 1, list.elements);
      else elements.keep(list, 0, last);
    });
    if (value !== undefined) answer.putBlob(value);
  }

  function retain(op: FieldReader, answer: FieldWriter): void {
    const [place, slice, { expiresAtMs, isRefreshed }] = [readPlace(op), readSlice(op), readExpiry(op)];
    const keep = (list: ListBounds) => {
      const { from, to } = resolveSlice(slice, list.elements);
      if (from < to) elements.keep(list, from, to);
      else list.elements = 0;
    };
    change(place, answer, keep, isRefreshed ? expiresAtMs : undefined);
  }

  function remove(op: FieldReader, answer: FieldWriter): void {
    const [place, value] = [readPlace(op), op.blob()];
    change(place, answer, (list) => elements.dropValue(list, value));
  }

  function erase(op: FieldReader, answer: FieldWriter): void {
    const place = readPlace(op);
    const ranges: ListRange[] = Array.from({ length: op.number() }, () => ({ start: op.number(), count: op.number() }));
    change(place, answer, (list) => {
      const merged = mergeRanges(ranges, list.elements);
      const isAll = merged[0]?.from === 0 && merged[0].to === list.elements;
      if (isAll) list.elements = 0;
      else elements.dropRanges(list, merged);
    });
  }

  return {
    "lists.push": addingOperation(collections, push),
    "lists.pop": answering(pop),
    "lists.retain": answering(retain),
    "lists.remove": answering(remove),
    "lists.erase": answering(erase),
  };
}

function readSlice(op: FieldReader): ListSlice {
  return { start: op.numberOrNull() ?? undefined, end: op.numberOrNull() ?? undefined };
}
