import type { DatabaseSync } from "node:sqlite";
import { type ItemType, itemTypes } from "../../domain/cache/item-type.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Collections } from "./storage-collections.ts";
import type { EnvironmentUsage, StorageLedger } from "./storage-ledger.ts";

/** What SQLite keeps for an item beside key and value, the key's copy in the index not counted: rows, index entries. */
const itemOverheadBytes = 96;

/** A key's row, without its value. */
export interface ItemRow {
  readonly row: number;
  /** Number of its environment. */
  readonly environment: number;
  /** As the environment's budget counts it: key, overhead, and what it holds. */
  readonly bytes: number;
  readonly expiresAtMs: number;
  readonly type: ItemType;
  /** The number under which its elements lie; null for a scalar. */
  readonly collection: number | null;
  readonly elements: number;
  /** Of a list: positions of its first and its last element. */
  readonly front: number;
  readonly back: number;
}

/** The rows of all keys in the storage thread, and the budget that they share. */
export interface ItemRows {
  /** Of leaderboards, which lie under the negative id, too. @throws TodokuError `not_found`: the cache was forgotten. */
  checkLive(cacheId: number): void;
  find(cacheId: number, key: Uint8Array): ItemRow | undefined;
  /** With its elements, which are freed later. */
  drop(row: Pick<ItemRow, "row" | "environment" | "bytes" | "type" | "collection">): void;
  /** May what has `oldBytes` grow to `bytes`? @throws TodokuError `limit_exceeded`. */
  checkRoom(usage: EnvironmentUsage, oldBytes: number, bytes: number): void;
  account(usage: EnvironmentUsage, bytes: number): void;
}

/** What a key takes, whatever it holds. */
export function keyBytes(key: Uint8Array): number {
  return key.byteLength * 2 + itemOverheadBytes;
}

/** `environmentMaxBytes`: past it nothing may grow; what is on disk is never evicted. */
export function createItemRows(
  db: DatabaseSync,
  ledger: StorageLedger,
  collections: Collections,
  environmentMaxBytes: number,
): ItemRows {
  const select = db.prepare(
    "SELECT row, environment, bytes, expires_at_ms, type, collection, elements, front, back FROM items WHERE cache_id = ? AND key = ?",
  );
  const drop = db.prepare("DELETE FROM items WHERE row = ?");

  function account(usage: EnvironmentUsage, bytes: number): void {
    usage.itemBytes += bytes;
    ledger.touch(usage);
  }

  return {
    checkLive(cacheId) {
      if (!ledger.isLive(Math.abs(cacheId), "items"))
        throw new TodokuError("not_found", `cache ${cacheId} does not exist`);
    },
    find(cacheId, key) {
      const row = select.get(cacheId, key);
      return row === undefined ? undefined : toItemRow(row);
    },
    drop({ row, environment, bytes, type, collection }) {
      account(ledger.environmentById(environment), -bytes);
      drop.run(row);
      if (collection !== null) collections.free(collection, type);
    },
    checkRoom(usage, oldBytes, bytes) {
      const total = usage.itemBytes + bytes - oldBytes;
      if (total <= environmentMaxBytes || bytes <= oldBytes) return;
      throw new TodokuError(
        "limit_exceeded",
        `items of environment ${usage.name} may hold ${environmentMaxBytes} bytes, this would make ${total}`,
      );
    },
    account,
  };
}

/** Reads a row that has all columns of {@link ItemRow}. */
export function toItemRow(row: Record<string, unknown>): ItemRow {
  return {
    row: row.row as number,
    environment: row.environment as number,
    bytes: row.bytes as number,
    expiresAtMs: row.expires_at_ms as number,
    type: itemTypes[row.type as number] as ItemType,
    collection: row.collection as number | null,
    elements: row.elements as number,
    front: row.front as number,
    back: row.back as number,
  };
}
