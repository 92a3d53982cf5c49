import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { readMeta, writeMeta } from "./schema.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** Rows of one step: some 2 ms. */
const rowsPerStep = 500;
const floorKey = "presence_floor";

/** Applies announcements in the storage thread. */
export interface PresenceWriter {
  /** Answers a `seq` for each. */
  announce(op: FieldReader, answer: FieldWriter): void;
  told(op: FieldReader): void;
  /** One step; true while there is more. */
  sweep(nowMs: number): boolean;
  /** One step over the rows of an environment; true while there is more. */
  freeEnvironment(environment: string): boolean;
  /** After a rollback: what memory says never happened. */
  reset(): void;
}

/** A user's row is all that knows its last number, so the greatest that was ever dropped stays in `meta`: who comes anew begins above it. */
export function createPresenceWriter(db: DatabaseSync, ledger: StorageLedger): PresenceWriter {
  const last = db.prepare("SELECT seq FROM presence WHERE environment = ? AND user_id = ?");
  const save = db.prepare("INSERT OR REPLACE INTO presence VALUES (?, ?, ?, ?, ?, 0)");
  const mark = db.prepare("UPDATE presence SET is_told = 1 WHERE environment = ? AND user_id = ? AND seq = ?");
  const old = db.prepare(
    "SELECT environment, user_id, seq FROM presence WHERE is_online = 0 AND is_told = 1 AND at_ms < ? ORDER BY at_ms LIMIT ? + 0",
  );
  const idOf = db.prepare("SELECT id FROM environments WHERE name = ?");
  const ofEnvironment = db.prepare("SELECT environment, user_id, seq FROM presence WHERE environment = ? LIMIT ? + 0");
  const drop = db.prepare("DELETE FROM presence WHERE environment = ? AND user_id = ?");
  let floor = readMeta(db, floorKey) ?? 0;

  function announceOne(environmentId: number, userId: string, isOnline: number, atMs: number): number {
    const row = last.get(environmentId, userId);
    const seq = Math.max((row === undefined ? floor : Number(row.seq)) + 1, Math.floor(atMs / 1000));
    save.run(environmentId, userId, isOnline, seq, atMs);
    return seq;
  }

  function dropAll(rows: readonly Record<string, unknown>[]): boolean {
    const highest = rows.reduce((most, { seq }) => Math.max(most, Number(seq)), floor);
    for (const row of rows) drop.run(row.environment as number, row.user_id as string);
    if (highest > floor) writeMeta(db, floorKey, highest);
    floor = highest;
    return rows.length === rowsPerStep;
  }

  return {
    announce(op, answer) {
      for (let left = op.number(); left > 0; left--) {
        const [environment, userId, isOnline, atMs] = [op.text(), op.text(), op.number(), op.number()];
        if (ledger.isClosed(environment)) answer.put(0);
        else answer.put(announceOne(ledger.environment(environment).id, userId, isOnline, atMs));
      }
    },
    told(op) {
      for (let left = op.number(); left > 0; left--) {
        const [environment, userId, seq] = [op.text(), op.text(), op.number()];
        const id = idOf.get(environment)?.id;
        if (id !== undefined) mark.run(id as number, userId, seq);
      }
    },
    sweep: (nowMs) => dropAll(old.all(nowMs - limits.connection.offlineKeptMs, rowsPerStep)),
    freeEnvironment(environment) {
      const id = idOf.get(environment)?.id;
      return id !== undefined && dropAll(ofEnvironment.all(id as number, rowsPerStep));
    },
    reset() {
      floor = readMeta(db, floorKey) ?? 0;
    },
  };
}
