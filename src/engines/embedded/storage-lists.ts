import type { DatabaseSync } from "node:sqlite";
import { itemTypes, wrongType } from "../../domain/cache/item-type.ts";
import {
  checkCollection,
  type ListEnd,
  type ListRange,
  type ListSlice,
  mergeRanges,
  planPush,
  resolveSlice,
} from "../../domain/cache/list-store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { Collections } from "./storage-collections.ts";
import { type ItemRow, type ItemRows, keyBytes } from "./storage-item-rows.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import { boundsOf, budgetOf, createListElements, type ListBounds } from "./storage-list-elements.ts";
import { answering } from "./storage-verdict.ts";

/** Where a list is, or is to be. */
interface Place {
  readonly environment: string;
  readonly cacheId: number;
  readonly key: Uint8Array;
  readonly nowMs: number;
}

interface Found {
  readonly row: ItemRow;
  readonly list: ListBounds;
}

type Operation = (op: FieldReader, answer: FieldWriter) => void;

/** Operations on `disk` lists in the storage thread, by their names. Each has read all of its part before it does anything. */
export function listOperations(
  db: DatabaseSync,
  ledger: StorageLedger,
  rows: ItemRows,
  collections: Collections,
): Readonly<Record<string, Operation>> {
  const elements = createListElements(db, collections);
  const insert = db.prepare(
    `INSERT INTO items (cache_id, environment, bytes, expires_at_ms, key, value, type, collection, elements, front, back) VALUES (?, ?, ?, ?, ?, x'', ${itemTypes.indexOf("list")}, ?, ?, ?, ?)`,
  );
  const update = db.prepare(
    "UPDATE items SET bytes = ?, expires_at_ms = ?, elements = ?, front = ?, back = ? WHERE row = ?",
  );

  /** The list there. What has expired is none, and goes. @throws TodokuError `not_found`, `failed_precondition`. */
  function find({ cacheId, key, nowMs }: Place): Found | undefined {
    rows.checkLive(cacheId);
    const row = rows.find(cacheId, key);
    if (row === undefined) return undefined;
    if (row.expiresAtMs <= nowMs) {
      rows.drop(row);
      return undefined;
    }
    if (row.type !== "list") throw wrongType(row.type, "list");
    return { row, list: boundsOf(row, keyBytes(key)) };
  }

  /** Stores what a change made of a list, and answers its length. */
  function settle({ key }: Place, { row, list }: Found, answer: FieldWriter, expiresAtMs = row.expiresAtMs): void {
    if (list.elements === 0) rows.drop(row);
    else {
      const bytes = keyBytes(key) + budgetOf(list);
      rows.account(ledger.environmentById(row.environment), bytes - row.bytes);
      update.get(bytes, expiresAtMs, list.elements, list.front, list.back, row.row);
    }
    answer.put("ok");
    answer.put(list.elements);
  }

  /** Lets `work` change the list, if there is one; answers its length or null. */
  function change(place: Place, answer: FieldWriter, work: (list: ListBounds) => void, expiresAtMs?: number): void {
    const found = find(place);
    if (found !== undefined) {
      work(found.list);
      settle(place, found, answer, expiresAtMs);
    } else {
      answer.put("ok");
      answer.put(null);
    }
  }

  function create(place: Place, values: readonly Uint8Array[], elementBytes: number, expiresAtMs: number): void {
    const { environment, cacheId, key } = place;
    const usage = ledger.environment(environment);
    const bytes = keyBytes(key) + budgetOf({ elements: values.length, elementBytes });
    const list = { collection: collections.nextNumber(), elements: 0, front: 0, back: -1, elementBytes: 0 };
    elements.append(list, values);
    insert.get(cacheId, usage.id, bytes, expiresAtMs, key, list.collection, list.elements, list.front, list.back);
    rows.account(usage, bytes);
  }

  /** Bytes of all elements after a push. @throws TodokuError `limit_exceeded`. */
  function checkPush(
    { environment, key }: Place,
    found: Found | undefined,
    values: readonly Uint8Array[],
    cut: { readonly from: number; readonly to: number },
  ): number {
    let elementBytes = found === undefined ? 0 : found.list.elementBytes - elements.bytes(found.list, cut.from, cut.to);
    for (const value of values) elementBytes += value.byteLength;
    const count = (found?.list.elements ?? 0) + values.length - (cut.to - cut.from);
    checkCollection(count, elementBytes);
    const budget = keyBytes(key) + budgetOf({ elements: count, elementBytes });
    rows.checkRoom(ledger.environment(environment), found?.row.bytes ?? 0, budget);
    return elementBytes;
  }

  function push(op: FieldReader, answer: FieldWriter): void {
    const [place, expiresAtMs, isRefreshed] = [readPlace(op), op.number(), op.number() === 1];
    const [end, truncateTo] = [op.text() as ListEnd, op.numberOrNull() ?? undefined];
    const all = Array.from({ length: op.number() }, () => op.blob());
    const found = find(place);
    const length = found?.list.elements ?? 0;
    const { values, cut } = planPush({ end, values: all, truncateTo }, length);
    const isBack = end === "back";
    const elementBytes = checkPush(
      place,
      found,
      values,
      isBack ? { from: 0, to: cut } : { from: length - cut, to: length },
    );
    if (found === undefined) {
      if (values.length > 0) create(place, values, elementBytes, expiresAtMs);
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

  function pushAndFree(op: FieldReader, answer: FieldWriter): void {
    const startMs = performance.now();
    push(op, answer);
    collections.added(performance.now() - startMs);
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
    const [place, slice] = [readPlace(op), readSlice(op)];
    const [expiresAtMs, isRefreshed] = [op.number(), op.number() === 1];
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
    "lists.push": answering(pushAndFree),
    "lists.pop": answering(pop),
    "lists.retain": answering(retain),
    "lists.remove": answering(remove),
    "lists.erase": answering(erase),
  };
}

function readPlace(op: FieldReader): Place {
  return { environment: op.text(), cacheId: op.number(), key: op.blob(), nowMs: op.number() };
}

function readSlice(op: FieldReader): ListSlice {
  return { start: op.numberOrNull() ?? undefined, end: op.numberOrNull() ?? undefined };
}
