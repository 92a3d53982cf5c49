import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import type { QueueHead, QueueHeads } from "./storage-queue-heads.ts";
import type { QueueRows, ReadyRow } from "./storage-queue-rows.ts";

/** Dead letters of one receive, about 10 us each. */
const maxMoves = 100;

interface Found {
  readonly rows: readonly ReadyRow[];
  /** Dead letters that went before them. */
  readonly moved: number;
  /** There may be more. */
  readonly isCut: boolean;
}

/** Applies receives in the storage thread. */
export interface QueueReceiver {
  /**
   * Answers 1 when too many messages are in flight already; else 0, then each message after a 1, a 0, how many moved to the
   * dead letters, and when it is worth asking again, or null.
   */
  receive(op: FieldReader, answer: FieldWriter): void;
  /** The next receive belongs to another batch. */
  endBatch(): void;
}

/** One batch answers `limits.batchMaxBytes` of messages: 400 receives of ten large ones together would be 1 GiB. */
export function createReceiver(
  db: DatabaseSync,
  ledger: StorageLedger,
  heads: QueueHeads,
  rows: QueueRows,
): QueueReceiver {
  let answeredBytes = 0;
  const nextReady = db.prepare(
    "SELECT ready_at_ms FROM queue_messages WHERE queue = ? AND ready_at_ms > ? ORDER BY ready_at_ms LIMIT 1",
  );

  function findReady(
    head: QueueHead,
    nowMs: number,
    limit: number,
    deadAt: number,
    bury: (row: ReadyRow) => void,
  ): Found {
    for (let moved = 0; ; ) {
      const found = rows.ready(head, nowMs, limit);
      const dead = found.filter((row) => row.receives >= deadAt).slice(0, maxMoves - moved);
      for (const row of dead) bury(row);
      moved += dead.length;
      if (dead.length > 0 && moved < maxMoves) continue;
      const alive = dead.length === 0 ? found : found.filter((row) => row.receives < deadAt);
      return { rows: alive, moved, isCut: dead.length > 0 || found.length === limit };
    }
  }

  function putTaken(head: QueueHead, row: ReadyRow, nowMs: number, hiddenUntilMs: number, answer: FieldWriter): void {
    const token = rows.take(head, row, nowMs, hiddenUntilMs);
    answer.put(1);
    answer.put(row.sequence);
    answer.put(token);
    answer.put(row.messageId);
    answer.put(row.body);
    answer.put(row.attributes);
    answer.put(row.sender);
    answer.put(row.traceHeader);
    answer.put(row.sentAtMs);
    answer.put(row.receives + 1);
    answer.put(row.firstReceivedAtMs ?? nowMs);
    answer.put(row.readyAtMs);
    answer.put(row.deadLetter);
  }

  function receive(op: FieldReader, answer: FieldWriter): void {
    const [environment, queue, queueId] = [op.text(), op.text(), op.number()];
    const [maxMessages, nowMs, hiddenUntilMs] = [op.number(), op.number(), op.number()];
    const [deadLetterId, maxReceives] = [op.number(), op.number()];
    const head = heads.live(queueId);
    const room = head === undefined ? maxMessages : limits.queue.inFlightMax - heads.inFlight(head, nowMs);
    answer.put(Number(room <= 0));
    if (room <= 0) return;
    if (head === undefined || answeredBytes >= limits.batchMaxBytes) {
      putEnd(answer, 0, head === undefined ? null : nowMs);
      return;
    }
    // To a queue that is gone nothing can move: its messages are received once more.
    const deadAt = ledger.isLive(deadLetterId, "messages") ? maxReceives : Number.POSITIVE_INFINITY;
    const bury = (row: ReadyRow) => {
      const origin = { queue, receiveCount: row.receives, movedAtMs: nowMs };
      rows.move(head, row, heads.open(environment, deadLetterId), nowMs, origin);
    };
    const found = findReady(head, nowMs, Math.min(maxMessages, room), deadAt, bury);
    let taken = 0;
    for (const row of found.rows) {
      if (answeredBytes >= limits.batchMaxBytes) break;
      answeredBytes += row.bytes;
      putTaken(head, row, nowMs, hiddenUntilMs, answer);
      taken++;
    }
    if (taken === maxMessages) putEnd(answer, found.moved, null);
    else if (found.isCut || taken < found.rows.length) putEnd(answer, found.moved, nowMs);
    else putEnd(answer, found.moved, (nextReady.get(head.queue, nowMs)?.ready_at_ms ?? null) as number | null);
  }

  return {
    receive,
    endBatch() {
      answeredBytes = 0;
    },
  };
}

function putEnd(answer: FieldWriter, moved: number, nextReadyAtMs: number | null): void {
  answer.put(0);
  answer.put(moved);
  answer.put(nextReadyAtMs);
}
