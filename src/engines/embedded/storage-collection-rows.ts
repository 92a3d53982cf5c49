import type { DatabaseSync } from "node:sqlite";
import { type ItemType, itemTypes, wrongType } from "../../domain/cache/item-type.ts";
import type { FieldReader } from "./fields.ts";
import { type ItemRow, type ItemRows, keyBytes } from "./storage-item-rows.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** Where a collection is, or is to be. `cacheId` is negative for leaderboards, which have keys of their own in the cache. */
export interface CollectionPlace {
  readonly environment: string;
  readonly cacheId: number;
  readonly key: Uint8Array;
  readonly nowMs: number;
}

/** What a change makes of a collection. */
interface CollectionState {
  readonly elements: number;
  /** What its elements take of the environment's budget. */
  readonly bytes: number;
  readonly expiresAtMs: number;
  /** Of a list: positions of its first and its last element. */
  readonly front?: number;
  readonly back?: number;
}

/** The rows of collections in the storage thread. */
export interface CollectionRows {
  /** What has expired is none, and goes. @throws TodokuError `not_found`, `failed_precondition`. */
  find(place: CollectionPlace, type: ItemType): ItemRow | undefined;
  /** May its elements come to `bytes` of the budget? @throws TodokuError `limit_exceeded`. */
  checkRoom(place: CollectionPlace, row: ItemRow | undefined, bytes: number): void;
  /** Of a key that {@link CollectionRows.find} did not find; `collection` is the number of its elements. */
  create(place: CollectionPlace, type: ItemType, collection: number, state: CollectionState): void;
  /** A collection without elements goes. */
  update(place: CollectionPlace, row: ItemRow, state: CollectionState): void;
}

/** As {@link CollectionPlace} was written by disk-collections.ts. */
export function readPlace(op: FieldReader): CollectionPlace {
  return { environment: op.text(), cacheId: op.number(), key: op.blob(), nowMs: op.number() };
}

/** What its elements take of the environment's budget, as `CollectionState.bytes` was. */
export function budgetOf(row: ItemRow, key: Uint8Array): number {
  return row.bytes - keyBytes(key);
}

export function createCollectionRows(db: DatabaseSync, ledger: StorageLedger, rows: ItemRows): CollectionRows {
  const insert = db.prepare(
    "INSERT INTO items (cache_id, environment, bytes, expires_at_ms, key, value, type, collection, elements, front, back) VALUES (?, ?, ?, ?, ?, x'', ?, ?, ?, ?, ?)",
  );
  const update = db.prepare(
    "UPDATE items SET bytes = ?, expires_at_ms = ?, elements = ?, front = ?, back = ? WHERE row = ?",
  );

  return {
    find({ environment, cacheId, key, nowMs }, type) {
      rows.checkLive(cacheId);
      // Made before any savepoint that takes things back: the ledger knows it by heart.
      ledger.environment(environment);
      const row = rows.find(cacheId, key);
      if (row === undefined) return undefined;
      if (row.expiresAtMs <= nowMs) {
        rows.drop(row);
        return undefined;
      }
      if (row.type !== type) throw wrongType(row.type, type);
      return row;
    },
    checkRoom({ environment, key }, row, bytes) {
      rows.checkRoom(ledger.environment(environment), row?.bytes ?? 0, keyBytes(key) + bytes);
    },
    create({ environment, cacheId, key }, type, collection, { elements, expiresAtMs, front, back, ...state }) {
      const usage = ledger.environment(environment);
      const bytes = keyBytes(key) + state.bytes;
      const [first, last] = [front ?? null, back ?? null];
      const number = itemTypes.indexOf(type);
      insert.get(cacheId, usage.id, bytes, expiresAtMs, key, number, collection, elements, first, last);
      rows.account(usage, bytes);
    },
    update({ key }, row, { elements, expiresAtMs, front, back, ...state }) {
      if (elements === 0) return rows.drop(row);
      const bytes = keyBytes(key) + state.bytes;
      rows.account(ledger.environmentById(row.environment), bytes - row.bytes);
      update.get(bytes, expiresAtMs, elements, front ?? null, back ?? null, row.row);
    },
  };
}
