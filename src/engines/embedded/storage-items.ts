import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** What SQLite keeps for an item beside key and value, the key's copy in the index not counted: rows, index entries. */
const itemOverheadBytes = 96;

/** Rows freed in one step: about 5 ms, so that a commit behind it stays short. */
const sweepRows = 512;

/** Applies operations on `disk` items in the storage thread. */
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

/** `environmentMaxBytes`: past it `set` answers `limit_exceeded`; what is on disk is never evicted. */
export function createItemWriter(db: DatabaseSync, ledger: StorageLedger, environmentMaxBytes: number): ItemWriter {
  const select = db.prepare("SELECT row, environment, bytes FROM items WHERE cache_id = ? AND key = ?");
  const insert = db.prepare(
    "INSERT INTO items (cache_id, environment, bytes, expires_at_ms, key, value) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const update = db.prepare("UPDATE items SET bytes = ?, expires_at_ms = ?, value = ? WHERE row = ?");
  const drop = db.prepare("DELETE FROM items WHERE row = ?");
  const expired = db.prepare(
    "SELECT row, environment, bytes FROM items WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ? + 0",
  );
  const ofCache = db.prepare("SELECT row, environment, bytes FROM items WHERE cache_id = ? LIMIT ? + 0");
  const nextCache = db.prepare("SELECT cache_id FROM items WHERE cache_id > ? ORDER BY cache_id LIMIT 1");
  let orphanCursor: number | undefined = -1;

  function free(rows: readonly Record<string, unknown>[]): void {
    for (const row of rows) {
      const usage = ledger.environmentById(Number(row.environment));
      usage.itemBytes -= Number(row.bytes);
      ledger.touch(usage);
      drop.run(row.row as number);
    }
  }

  // Once after a start or a rollback: rows of caches whose record went but which the crash kept from being forgotten, or whose
  // last rows were freed by what never happened.
  function findOrphans(): void {
    for (let step = 0; step < sweepRows && orphanCursor !== undefined; step++) {
      const row = nextCache.get(orphanCursor);
      orphanCursor = row === undefined ? undefined : Number(row.cache_id);
      if (orphanCursor !== undefined && !ledger.isLive(orphanCursor, "items")) ledger.toSweep.items.add(orphanCursor);
    }
  }

  function freeForgotten(): boolean {
    findOrphans();
    const [cacheId] = ledger.toSweep.items;
    if (cacheId === undefined) return orphanCursor !== undefined;
    const rows = ofCache.all(cacheId, sweepRows);
    free(rows);
    if (rows.length < sweepRows) ledger.swept(cacheId, "items");
    return true;
  }

  return {
    set(op, answer) {
      const [environment, cacheId] = [op.text(), op.number()];
      const [key, value, expiresAtMs] = [op.blob(), op.blob(), op.number()];
      if (!ledger.isLive(cacheId, "items")) {
        answer.put("not_found");
        return answer.put(`cache ${cacheId} does not exist`);
      }
      const old = select.get(cacheId, key);
      const usage = ledger.environment(environment);
      const bytes = key.byteLength * 2 + value.byteLength + itemOverheadBytes;
      const total = usage.itemBytes + bytes - Number(old?.bytes ?? 0);
      if (total > environmentMaxBytes && bytes > Number(old?.bytes ?? 0)) {
        answer.put("limit_exceeded");
        return answer.put(
          `items of environment ${environment} may hold ${environmentMaxBytes} bytes, this would make ${total}`,
        );
      }
      if (old === undefined) insert.run(cacheId, usage.id, bytes, expiresAtMs, key, value);
      else update.run(bytes, expiresAtMs, value, old.row as number);
      usage.itemBytes = total;
      ledger.touch(usage);
      answer.put("ok");
    },
    delete(op) {
      const [cacheId, key] = [op.number(), op.blob()];
      const old = select.get(cacheId, key);
      if (old !== undefined) free([old]);
    },
    sweep(nowMs) {
      const old = expired.all(nowMs, sweepRows);
      free(old);
      return old.length === sweepRows || freeForgotten();
    },
    freeForgotten,
    reset() {
      orphanCursor = -1;
    },
  };
}
