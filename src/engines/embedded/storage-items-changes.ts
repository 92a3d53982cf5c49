import type { DatabaseSync } from "node:sqlite";
import { wrongType } from "../../domain/cache/item-type.ts";
import { isMet, movesEnd } from "../../domain/cache/items-conditions.ts";
import type { TtlChange } from "../../domain/cache/store.ts";
import { addWholeNumber, wholeNumberBytes } from "../../domain/cache/whole-number.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { readCondition } from "./items-changes.ts";
import { type CollectionPlace, readPlace } from "./storage-collection-rows.ts";
import type { Collections } from "./storage-collections.ts";
import { type ItemRow, type ItemRows, keyBytes } from "./storage-item-rows.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import { answering, type Operation } from "./storage-verdict.ts";

/** Operations on `disk` items in the storage thread, by their names. Each has read all of its part before it does anything. */
export function itemOperations(
  db: DatabaseSync,
  ledger: StorageLedger,
  rows: ItemRows,
  collections: Collections,
): Readonly<Record<string, Operation>> {
  const insert = db.prepare(
    "INSERT INTO items (cache_id, environment, bytes, expires_at_ms, key, value) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const update = db.prepare("UPDATE items SET bytes = ?, expires_at_ms = ?, value = ? WHERE row = ?");
  const replaceCollection = db.prepare(
    "UPDATE items SET bytes = ?, expires_at_ms = ?, value = ?, type = 0, collection = NULL, elements = NULL, front = NULL, back = NULL WHERE row = ?",
  );
  const expireAt = db.prepare("UPDATE items SET expires_at_ms = ? WHERE row = ?");
  const selectValue = db.prepare("SELECT value FROM items WHERE row = ?");

  /** What has expired is none, but its row is there to be written over. */
  function find({ cacheId, key, nowMs }: CollectionPlace): { row?: ItemRow | undefined; held?: ItemRow | undefined } {
    rows.checkLive(cacheId);
    const row = rows.find(cacheId, key);
    return { row, held: row !== undefined && row.expiresAtMs > nowMs ? row : undefined };
  }

  const readValue = ({ row }: ItemRow) => selectValue.get(row)?.value as Uint8Array;

  /** `row` is what the key had. @throws TodokuError `limit_exceeded`. */
  function store(
    { environment, cacheId, key }: Omit<CollectionPlace, "nowMs">,
    row: ItemRow | undefined,
    value: Uint8Array,
    expiresAtMs: number,
  ): void {
    const usage = ledger.environment(environment);
    const bytes = keyBytes(key) + value.byteLength;
    rows.checkRoom(usage, row?.bytes ?? 0, bytes);
    if (row === undefined) insert.run(cacheId, usage.id, bytes, expiresAtMs, key, value);
    else (row.collection === null ? update : replaceCollection).run(bytes, expiresAtMs, value, row.row);
    if (row !== undefined && row.collection !== null) collections.free(row.collection, row.type);
    rows.account(usage, bytes - (row?.bytes ?? 0));
  }

  function set(op: FieldReader, answer: FieldWriter): void {
    const [environment, cacheId] = [op.text(), op.number()];
    const [key, value, expiresAtMs] = [op.blob(), op.blob(), op.number()];
    rows.checkLive(cacheId);
    store({ environment, cacheId, key }, rows.find(cacheId, key), value, expiresAtMs);
    answer.put("ok");
  }

  function setIf(op: FieldReader, answer: FieldWriter): void {
    const [place, value, expiresAtMs, condition] = [readPlace(op), op.blob(), op.number(), readCondition(op)];
    const { row, held } = find(place);
    const isStored = isMet(condition, held && { type: held.type, value: () => readValue(held) });
    if (isStored) store(place, row, value, expiresAtMs);
    answer.put("ok");
    answer.put(Number(isStored));
  }

  function increment(op: FieldReader, answer: FieldWriter): void {
    const [place, amount, expiresAtMs] = [readPlace(op), BigInt(op.text()), op.number()];
    const { row, held } = find(place);
    if (held !== undefined && held.type !== "scalar") throw wrongType(held.type, "scalar");
    const sum = addWholeNumber(held && readValue(held), amount);
    store(place, row, wholeNumberBytes(sum), expiresAtMs);
    answer.put("ok");
    answer.put(`${sum}`);
  }

  /** Answers 1 when the end was moved, 0 when not, null when the key holds nothing. */
  function updateTtl(op: FieldReader, answer: FieldWriter): void {
    const [place, to, expiresAtMs] = [readPlace(op), op.text() as TtlChange["to"], op.number()];
    const { held } = find(place);
    const isMoved = held !== undefined && movesEnd({ to, expiresAtMs }, held.expiresAtMs);
    if (isMoved) expireAt.run(expiresAtMs, held.row);
    answer.put("ok");
    answer.put(held === undefined ? null : Number(isMoved));
  }

  return {
    "items.set": answering(set),
    "items.setIf": answering(setIf),
    "items.increment": answering(increment),
    "items.updateTtl": answering(updateTtl),
  };
}
