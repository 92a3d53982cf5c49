import type { DatabaseSync } from "node:sqlite";
import type { DeadLetterBounds } from "../../domain/subscriptions/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { type Burial, createBurial } from "./storage-burial.ts";
import { createDeadLetterRows, type LetterOwner, letterRows } from "./storage-dead-letters.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import { isFirstDelivery, isReplay, readChange, readCursor, type SavedChange } from "./storage-subscription-changes.ts";
import { createSubscriptionLogs, type LogFields } from "./storage-subscription-logs.ts";
import { putState } from "./subscription-codec.ts";

/** Applies operations on durable subscriptions in the storage thread. Their state lies in the file alone: a rollback has nothing to undo. */
export interface SubscriptionWriter {
  readonly burial: Burial;
  /** Answers the state; none when it has no record. */
  open(op: FieldReader, answer: FieldWriter): void;
  save(op: FieldReader): void;
  /** One bounded step over the dead letters in a range of ids: behind which to go on (0: all is done), then how many were marked. */
  replay(op: FieldReader, answer: FieldWriter): void;
  /** The same; they are dropped. */
  drop(op: FieldReader, answer: FieldWriter): void;
  /** One step of {@link SubscriptionWriter.sweep}, then what is to be told: each alarm after a 1, then a 0. */
  trim(op: FieldReader, answer: FieldWriter): void;
  /** One bounded step; answers whether there is more to do. */
  sweep(nowMs: number): boolean;
  /** One bounded step over removed subscriptions alone; answers whether there is more to do. */
  freeForgotten(): boolean;
  /** After a rollback. */
  reset(): void;
}

/** Alarms told in one step. */
const alarmsPerStep = 64;

/** `nowMs`: of the steady clock. */
export function createSubscriptionWriter(
  db: DatabaseSync,
  ledger: StorageLedger,
  bounds: DeadLetterBounds,
  nowMs: () => number,
): SubscriptionWriter {
  const letters = createDeadLetterRows(db, ledger, bounds);
  const logs = createSubscriptionLogs(db);
  const burial = createBurial(db, ledger, letters, nowMs);
  const select = db.prepare("SELECT * FROM subscriptions WHERE id = ?");
  const insert = db.prepare(
    "INSERT INTO subscriptions (id, environment, cache_id, cache, topic, page, sequence, pending) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const move = db.prepare(
    "UPDATE subscriptions SET cache_id = ?, cache = ?, topic = ?, page = ?, sequence = ?, pending = ? WHERE id = ?",
  );
  const count = db.prepare(
    `UPDATE subscriptions SET missed = missed + ?2, delivered = delivered + ?3, failures = failures + ?4, dead = dead + ?5,
    last_delivery = last_delivery + ?6, last_failure = last_failure + ?4 WHERE id = ?1 RETURNING environment, last_delivery, last_failure`,
  );
  const countReplayed = db.prepare(
    "UPDATE subscriptions SET replayed = replayed + ?1, replaying = replaying + ?2 WHERE id = ?3",
  );
  const countDropped = db.prepare("UPDATE subscriptions SET dropped = dropped + ? WHERE id = ?");
  const countUndead = db.prepare("UPDATE subscriptions SET dead = dead - ? WHERE id = ?");
  const failReplay = db.prepare(
    "UPDATE dead_letters SET is_replaying = 0, reason = ?, died_at_ms = ?, attempts = ?, error = ?, status = ? WHERE id = ? AND subscription = ? RETURNING 1",
  );
  const lettersBetween = db.prepare(
    "SELECT id, is_replaying FROM dead_letters WHERE subscription = ? AND id > ? AND id <= ? ORDER BY id LIMIT ? + 0",
  );
  const mark = db.prepare("UPDATE dead_letters SET is_replaying = 1 WHERE id = ?");
  const alarms = db.prepare(
    "SELECT subscriptions.id, environments.name, alarm_history, alarm_dropped FROM subscriptions JOIN environments ON environments.id = subscriptions.environment WHERE alarm_history + alarm_dropped > 0 ORDER BY subscriptions.id LIMIT ? + 0",
  );
  const told = db.prepare("UPDATE subscriptions SET alarm_history = 0, alarm_dropped = 0 WHERE id = ?");
  const forget = db.prepare("DELETE FROM subscriptions WHERE id = ?");
  const nextId = db.prepare("SELECT id FROM subscriptions WHERE id > ? ORDER BY id LIMIT 1");
  let orphanCursor: number | undefined = -1;

  function ownerOf(id: number): LetterOwner | undefined {
    const row = ledger.isLive(id, "cursors") ? select.get(id) : undefined;
    return row && { id, environment: Number(row.environment) };
  }

  /** The dead letters in a range of ids; answers the last of them when there may be more, else 0. */
  function readStep(op: FieldReader, answer: FieldWriter) {
    const [id, afterId, uptoId] = [op.number(), op.number(), op.number()];
    const owner = ownerOf(id);
    const rows = owner === undefined ? [] : lettersBetween.all(id, afterId, uptoId, letterRows);
    answer.put(rows.length < letterRows ? 0 : Number(rows.at(-1)?.id));
    return { id, owner, rows };
  }

  function apply(change: SavedChange): void {
    const { id, cursor, missed, deliveries, failures, dead, replayed, failedReplays } = change;
    if (!ledger.isLive(id, "cursors")) return;
    const delivered = deliveries.filter(isFirstDelivery).length;
    const row = count.get(id, missed, delivered, failures.length, dead.length, deliveries.length);
    if (row === undefined) return;
    const owner = { id, environment: Number(row.environment) };
    if (cursor !== undefined) move.run(...cursor, id);
    logs.addDeliveries(id, Number(row.last_delivery) - deliveries.length + 1, deliveries);
    logs.addFailures(id, Number(row.last_failure) - failures.length + 1, failures);
    if (deliveries.length > 0) takeBack(owner, deliveries);
    letters.add(owner, dead);
    const gone = letters.remove(owner, replayed);
    let unmarked = 0;
    for (const { id: letterId, death } of failedReplays) {
      if (failReplay.get(...death, letterId, id) !== undefined) unmarked++;
    }
    if (gone + unmarked > 0) countReplayed.run(gone, -unmarked, id);
  }

  // Items that the history dropped while they were on their way, and that came to their end after all.
  function takeBack(owner: LetterOwner, deliveries: readonly LogFields[]): void {
    const ids: number[] = [];
    for (const fields of deliveries) {
      const letterId = isReplay(fields) ? undefined : burial.takeBack(owner.id, fields);
      if (letterId !== undefined) ids.push(letterId);
    }
    if (ids.length > 0) countUndead.run(letters.remove(owner, ids), owner.id);
  }

  // Once after a start or a rollback: rows of subscriptions whose record went but which the crash kept from being forgotten, or whose
  // last rows were freed by what never happened.
  function findOrphans(): void {
    for (let step = 0; step < letterRows && orphanCursor !== undefined; step++) {
      const row = nextId.get(orphanCursor);
      orphanCursor = row === undefined ? undefined : Number(row.id);
      if (orphanCursor !== undefined && !ledger.isLive(orphanCursor, "cursors"))
        ledger.toSweep.cursors.add(orphanCursor);
    }
  }

  function freeForgotten(): boolean {
    findOrphans();
    const [id] = ledger.toSweep.cursors;
    if (id === undefined) return orphanCursor !== undefined;
    const row = select.get(id);
    if (row !== undefined) {
      const owner = { id, environment: Number(row.environment) };
      if (letters.removeStep(owner) === letterRows) return true;
      logs.free(id);
      forget.run(id);
    }
    ledger.swept(id, "cursors");
    return true;
  }

  function sweep(atMs: number): boolean {
    const hasMoreLetters = letters.trim(atMs);
    return freeForgotten() || hasMoreLetters;
  }

  return {
    burial,
    open(op, answer) {
      const [environment, id, cursor] = [op.text(), op.number(), readCursor(op)];
      const isLive = ledger.isLive(id, "cursors");
      if (isLive && select.get(id) === undefined) insert.run(id, ledger.environment(environment).id, ...cursor);
      putState(isLive ? select.get(id) : undefined, answer);
    },
    save(op) {
      for (let left = op.number(); left > 0; left--) apply(readChange(op));
    },
    replay(op, answer) {
      const { id, rows } = readStep(op, answer);
      const unmarked = rows.filter((row) => row.is_replaying === 0);
      for (const row of unmarked) mark.run(row.id as number);
      if (unmarked.length > 0) countReplayed.run(0, unmarked.length, id);
      answer.put(unmarked.length);
    },
    drop(op, answer) {
      const { id, owner, rows } = readStep(op, answer);
      const dropped =
        owner === undefined
          ? 0
          : letters.remove(
              owner,
              rows.map((row) => Number(row.id)),
            );
      if (dropped > 0) countDropped.run(dropped, id);
      answer.put(dropped);
    },
    trim(op, answer) {
      const hasMore = sweep(op.number());
      const found = alarms.all(alarmsPerStep);
      for (const row of found) {
        told.run(row.id as number);
        answer.put(1);
        answer.put(Number(row.id));
        answer.put(String(row.name));
        answer.put(Number(row.alarm_history));
        answer.put(Number(row.alarm_dropped));
      }
      answer.put(0);
      answer.put(Number(hasMore || found.length === alarmsPerStep));
    },
    sweep,
    freeForgotten,
    reset() {
      burial.reset();
      orphanCursor = -1;
    },
  };
}
