// Statements of this folder say `LIMIT ? + 0`: SQLite looks at the value of a bare parameter there (since 3.47), and so prepares the
// statement anew each time it runs: 2 us for the simplest one, 20 for a search in a queue.
import { DatabaseSync } from "node:sqlite";
import { migrate, readMeta, writeMeta } from "./schema.ts";

/** How to open the data file for writing. */
export interface DatabaseOptions {
  readonly path: string;
  readonly nowMs: number;
  /** `OFF` only in the test that shows what a power cut does to it. */
  readonly synchronous: "FULL" | "OFF";
}

/**
 * How far ids jump past the stored one when a file is a restored backup. The original went on after the backup was made; it gave
 * one id for each cache or key made or flushed since, and the clock covers one a second: this covers a burst beyond that.
 */
const restoredIdLead = 1_000_000;

/** Opens the file for the storage thread: settings, migrations, then the floor under ids and pages, committed before anything else. */
export function openForWriting(options: DatabaseOptions): DatabaseSync {
  const db = new DatabaseSync(options.path);
  try {
    // auto_vacuum counts only before the first table; checkpoints are made by the thread, after it has answered.
    db.exec(`PRAGMA busy_timeout = 10000; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;
      PRAGMA synchronous = ${options.synchronous}; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
      PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY`);
    migrate(db);
    db.exec("BEGIN IMMEDIATE");
    raiseFloors(db, options.nowMs);
    db.exec("COMMIT");
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** Opens the file for reading only, beside the storage thread. */
export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec("PRAGMA busy_timeout = 10000; PRAGMA cache_size = -32768; PRAGMA query_only = 1");
  return db;
}

/**
 * An id names a cache's incarnation and is its topics' first page, so none may be given twice, not even after an old backup is
 * put back: ids start again at the clock's second if they have fallen behind it. The start itself takes one, the page of `memory` topics,
 * whose numbers begin again. Topics of a restored file go on in a new page, for the original may have given numbers past the backup's.
 * The same backup may be put back twice, so a restored file jumps by the clock's milliseconds too: each time further, by a
 * thousand ids for each second between. From then on its ids keep that distance (`id_lead`) from the clock's second.
 */
function raiseFloors(db: DatabaseSync, nowMs: number): void {
  const second = Math.floor(nowMs / 1000);
  let floor = Math.max(readMeta(db, "next_id") ?? 1, second + (readMeta(db, "id_lead") ?? 0));
  if (readMeta(db, "restored") !== undefined) {
    floor += restoredIdLead + nowMs;
    writeMeta(db, "id_lead", floor - second);
    writeMeta(db, "page_floor", floor);
    db.exec("DELETE FROM meta WHERE key = 'restored'");
  }
  writeMeta(db, "start_id", floor);
  writeMeta(db, "next_id", floor + 1);
}
