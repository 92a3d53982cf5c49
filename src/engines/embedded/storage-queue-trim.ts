import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import type { QueueHead, QueueHeads } from "./storage-queue-heads.ts";
import { type QueueRows, sequenceMask } from "./storage-queue-rows.ts";

/** Rows freed or moved in one step: about 5 ms, so that a commit behind it stays short. */
const trimRows = 512;
/** Index entries that a search for dead letters looks at in one step: about 0.3 ms. */
const scanEntries = 4096;

/** Upkeep of queues in the storage thread. */
export interface QueueTrimmer {
  /** One bounded step over the rules that it reads: for each the expired and the dead letters, then whether any has more to do. */
  trim(op: FieldReader, answer: FieldWriter): void;
  /** One bounded step over what needs no rule: forgotten queues, old message ids. Answers whether there is more to do. */
  sweep(nowMs: number): boolean;
  /** One bounded step over forgotten queues alone; answers whether there is more to do. */
  freeForgotten(): boolean;
  /** After a rollback. */
  reset(): void;
}

interface Rule {
  readonly queueId: number;
  readonly environment: string;
  readonly queue: string;
  readonly retentionMs: number;
  readonly deadLetterId: number;
  readonly maxReceives: number;
}

export function createQueueTrimmer(
  db: DatabaseSync,
  ledger: StorageLedger,
  heads: QueueHeads,
  rows: QueueRows,
): QueueTrimmer {
  const oldest = db.prepare(
    `SELECT row & ${sequenceMask} AS sequence, ready_at_ms, receives, bytes, enqueued_at_ms FROM queue_messages WHERE row BETWEEN ?1 << 44 AND (?1 << 44) | ${sequenceMask} ORDER BY row LIMIT ?2 + 0`,
  );
  const [drop, dropBodies] = ["queue_messages", "queue_bodies"].map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE row BETWEEN ?1 << 44 AND (?1 << 44) | ?2`),
  );
  const entryAt = db.prepare(
    `SELECT ready_at_ms FROM queue_messages WHERE queue = ? AND ready_at_ms > ? ORDER BY ready_at_ms LIMIT 1 OFFSET ${scanEntries}`,
  );
  const dead = db.prepare(
    `SELECT row & ${sequenceMask} AS sequence, ready_at_ms, receives, bytes, body IS NULL AS is_large FROM queue_messages WHERE queue = ? AND ready_at_ms > ? AND ready_at_ms <= ? AND receives >= ? ORDER BY ready_at_ms LIMIT ? + 0`,
  );
  const dropOldIds = db.prepare(
    "DELETE FROM queue_message_ids WHERE (queue, message_id) IN (SELECT queue, message_id FROM queue_message_ids WHERE at_ms <= ? ORDER BY at_ms LIMIT ? + 0)",
  );
  const dropIdsOf = db.prepare(
    "DELETE FROM queue_message_ids WHERE (queue, message_id) IN (SELECT queue, message_id FROM queue_message_ids WHERE queue = ? LIMIT ? + 0)",
  );
  const dropQueue = db.prepare("DELETE FROM queues WHERE queue = ?");
  const nextQueue = db.prepare("SELECT queue_id FROM queues WHERE queue_id > ? ORDER BY queue_id LIMIT 1");
  let orphanCursor: number | undefined = -1;

  // Stops at the first message that may stay: those behind it came later.
  function dropOldest(head: QueueHead, isOld: (enqueuedAtMs: number) => boolean, limit: number): number {
    let [count, last] = [0, -1];
    for (const row of oldest.all(head.queue, limit)) {
      if (!isOld(Number(row.enqueued_at_ms))) break;
      const state = { readyAtMs: Number(row.ready_at_ms), receives: Number(row.receives) };
      heads.note(head, Number(row.bytes), state, undefined);
      last = Number(row.sequence);
      count++;
    }
    if (count > 0) for (const statement of [drop, dropBodies]) statement?.run(head.queue, last);
    return count;
  }

  /**
   * A message becomes ready with too many receives only when a visibility ends, so each look begins where the last one ended: what was
   * sent or became visible since. The first look at a queue goes through all that is ready, in steps.
   */
  function buryDead(head: QueueHead, rule: Rule, nowMs: number, limit: number): { count: number; hasMore: boolean } {
    if (head.scannedReceives !== rule.maxReceives) head.scannedUntilMs = 0;
    head.scannedReceives = rule.maxReceives;
    if (head.taken === 0) head.scannedUntilMs = nowMs;
    if (head.taken === 0 || !ledger.isLive(rule.deadLetterId, "messages")) return { count: 0, hasMore: false };
    const entry = entryAt.get(head.queue, head.scannedUntilMs);
    const untilMs = Math.min(nowMs, Number(entry?.ready_at_ms ?? nowMs));
    const found = dead.all(head.queue, head.scannedUntilMs, untilMs, rule.maxReceives, limit);
    for (const row of found) {
      const [sequence, receives] = [Number(row.sequence), Number(row.receives)];
      const place = { sequence, receives, readyAtMs: Number(row.ready_at_ms), bytes: Number(row.bytes) };
      const origin = { queue: rule.queue, receiveCount: receives, movedAtMs: nowMs };
      const target = heads.open(rule.environment, rule.deadLetterId);
      rows.move(head, { ...place, isLarge: row.is_large === 1 }, target, nowMs, origin);
    }
    if (found.length < limit) head.scannedUntilMs = untilMs;
    return { count: found.length, hasMore: found.length === limit || untilMs < nowMs };
  }

  // Once after a start or a rollback: rows of queues whose record went but which the crash kept from being forgotten, or whose
  // last rows were freed by what never happened.
  function findOrphans(): void {
    for (let step = 0; step < trimRows && orphanCursor !== undefined; step++) {
      const row = nextQueue.get(orphanCursor);
      orphanCursor = row === undefined ? undefined : Number(row.queue_id);
      if (orphanCursor !== undefined && !ledger.isLive(orphanCursor, "messages")) {
        ledger.toSweep.messages.add(orphanCursor);
      }
    }
  }

  function sweepForgotten(): boolean {
    const [queueId] = ledger.toSweep.messages;
    if (queueId === undefined) return orphanCursor !== undefined;
    const head = heads.byId(queueId);
    if (head !== undefined) {
      if (dropOldest(head, () => true, trimRows) === trimRows) return true;
      if (dropIdsOf.run(head.queue, trimRows).changes === trimRows) return true;
      dropQueue.run(head.queue);
      heads.drop(head);
    }
    ledger.swept(queueId, "messages");
    return true;
  }

  return {
    trim(op, answer) {
      const nowMs = op.number();
      let [left, hasMore] = [trimRows, false];
      for (let rules = op.number(); rules > 0; rules--) {
        const rule = readRule(op);
        const head = heads.live(rule.queueId);
        const limit = left;
        const expired = head && limit > 0 ? dropOldest(head, (atMs) => atMs <= nowMs - rule.retentionMs, limit) : 0;
        left -= expired;
        const buried = head && left > 0 ? buryDead(head, rule, nowMs, left) : { count: 0, hasMore: left === 0 };
        left -= buried.count;
        hasMore ||= buried.hasMore;
        answer.put(expired);
        answer.put(buried.count);
      }
      answer.put(Number(hasMore));
    },
    sweep(nowMs) {
      findOrphans();
      const hasMoreIds = dropOldIds.run(nowMs - limits.messageIdWindowMs, trimRows).changes === trimRows;
      return sweepForgotten() || hasMoreIds;
    },
    freeForgotten() {
      findOrphans();
      return sweepForgotten();
    },
    reset() {
      orphanCursor = -1;
    },
  };
}

function readRule(op: FieldReader): Rule {
  return {
    environment: op.text(),
    queue: op.text(),
    queueId: op.number(),
    retentionMs: op.number(),
    deadLetterId: op.number(),
    maxReceives: op.number(),
  };
}
