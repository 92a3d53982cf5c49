import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { Collections } from "./storage-collections.ts";
import { type ItemRows, keyBytes, toItemRow } from "./storage-item-rows.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import { answering } from "./storage-verdict.ts";

/** Rows freed in one step: about 5 ms, so that a commit behind it stays short. */
const sweepRows = 512;

/** Applies operations on `disk` items in the storage thread: those on scalars, and those on keys whatever they hold. */
export interface ItemWriter {
  set(op: FieldReader, answer: FieldWriter): void;
  delete(op: FieldReader): void;
  /** One bounded step; answers whether there is more to do. */
  sweep(nowMs: number): boolean;
  /** One bounded step over forgotten caches alone; answers whether there is more to do. */
  freeForgotten(): boolean;
  /** After a rollback: what memory says never happened. */
  reset(): void;
}

export function createItemWriter(
  db: DatabaseSync,
  ledger: StorageLedger,
  rows: ItemRows,
  collections: Collections,
): ItemWriter {
  const insert = db.prepare(
    "INSERT INTO items (cache_id, environment, bytes, expires_at_ms, key, value) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const update = db.prepare("UPDATE items SET bytes = ?, expires_at_ms = ?, value = ? WHERE row = ?");
  const replaceCollection = db.prepare(
    "UPDATE items SET bytes = ?, expires_at_ms = ?, value = ?, type = 0, collection = NULL, elements = NULL, front = NULL, back = NULL WHERE row = ?",
  );
  const expired = db.prepare(
    "SELECT row, environment, bytes, type, collection FROM items WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ? + 0",
  );
  const ofCache = db.prepare(
    "SELECT row, environment, bytes, type, collection FROM items WHERE cache_id IN (?1, -?1) LIMIT ? + 0",
  );
  const nextCache = db.prepare("SELECT cache_id FROM items WHERE cache_id > ? ORDER BY cache_id LIMIT 1");
  let orphanCursor: number | undefined = Number.MIN_SAFE_INTEGER;

  // Once after a start or a rollback: rows of caches whose record went but which the crash kept from being forgotten, or whose
  // last rows were freed by what never happened.
  function findOrphans(): void {
    for (let step = 0; step < sweepRows && orphanCursor !== undefined; step++) {
      const row = nextCache.get(orphanCursor);
      orphanCursor = row === undefined ? undefined : Number(row.cache_id);
      const cacheId = Math.abs(orphanCursor ?? 0);
      if (orphanCursor !== undefined && !ledger.isLive(cacheId, "items")) ledger.toSweep.items.add(cacheId);
    }
  }

  function freeForgotten(): boolean {
    findOrphans();
    const [cacheId] = ledger.toSweep.items;
    if (cacheId === undefined) return collections.step() || orphanCursor !== undefined;
    const old = ofCache.all(cacheId, sweepRows);
    for (const row of old) rows.drop(toItemRow(row));
    if (old.length < sweepRows) ledger.swept(cacheId, "items");
    return true;
  }

  return {
    set: answering((op, answer) => {
      const [environment, cacheId] = [op.text(), op.number()];
      const [key, value, expiresAtMs] = [op.blob(), op.blob(), op.number()];
      rows.checkLive(cacheId);
      const old = rows.find(cacheId, key);
      const usage = ledger.environment(environment);
      const bytes = keyBytes(key) + value.byteLength;
      rows.checkRoom(usage, old?.bytes ?? 0, bytes);
      if (old === undefined) insert.run(cacheId, usage.id, bytes, expiresAtMs, key, value);
      else (old.collection === null ? update : replaceCollection).run(bytes, expiresAtMs, value, old.row);
      if (old !== undefined && old.collection !== null) collections.free(old.collection, old.type);
      rows.account(usage, bytes - (old?.bytes ?? 0));
      answer.put("ok");
    }),
    delete(op) {
      const [cacheId, key] = [op.number(), op.blob()];
      const old = rows.find(cacheId, key);
      if (old !== undefined) rows.drop(old);
    },
    sweep(nowMs) {
      const old = expired.all(nowMs, sweepRows);
      for (const row of old) rows.drop(toItemRow(row));
      return old.length === sweepRows || freeForgotten();
    },
    freeForgotten,
    reset() {
      orphanCursor = Number.MIN_SAFE_INTEGER;
    },
  };
}
