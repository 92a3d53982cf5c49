import type { DatabaseSync } from "node:sqlite";
import type { FieldReader } from "./fields.ts";
import type { Collections } from "./storage-collections.ts";
import { type ItemRows, toItemRow } from "./storage-item-rows.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** Rows freed in one step: about 5 ms, so that a commit behind it stays short. */
const sweepRows = 512;

/** The end of `disk` items in the storage thread, whatever their keys hold. */
export interface ItemWriter {
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
