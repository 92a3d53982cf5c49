import { randomInt } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { DeadLetterOrigin } from "../../domain/queues/store.ts";
import type { MessageState, QueueHead, QueueHeads } from "./storage-queue-heads.ts";

/** A message on its way into a row. */
export interface NewRow {
  readonly messageId: string;
  readonly body: string;
  /** JSON. */
  readonly attributes: string | null;
  readonly sender: string;
  readonly traceHeader: string | null;
  readonly sentAtMs: number;
  readonly readyAtMs: number;
  /** As the environment's budget counts it. */
  readonly bytes: number;
}

/** What moving or dropping a message needs to know. */
interface RowPlace extends MessageState {
  readonly sequence: number;
  readonly bytes: number;
  /** Its body lies in `queue_bodies`. */
  readonly isLarge: boolean;
}

/** A message that can be received. */
export interface ReadyRow extends RowPlace {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: string | null;
  readonly sender: string;
  readonly traceHeader: string | null;
  readonly sentAtMs: number;
  readonly firstReceivedAtMs: number | null;
  /** JSON of {@link DeadLetterOrigin}. */
  readonly deadLetter: string | null;
}

/** Of a row, what `row & sequenceMask` is: the upper bits are the queue's number. */
export const sequenceMask: number = 2 ** 44 - 1;
/** UTF-16 units of a body that lies in its message's row; four rows of this size fill a page. */
const inlineBodyLength = 1000;
/** Receipts are random below this. */
const receipts = 2 ** 48 - 1;

/** The rows of messages, and with each change the counters that depend on it. */
export interface QueueRows {
  insert(head: QueueHead, row: NewRow): void;
  /** Up to `limit` messages that can be received at `nowMs`, in the order in which they became ready. */
  ready(head: QueueHead, nowMs: number, limit: number): ReadyRow[];
  /** Counts a receive and answers its receipt's token. */
  take(head: QueueHead, row: ReadyRow, nowMs: number, hiddenUntilMs: number): number;
  /** To the end of another queue, ready, with no receives. */
  move(from: QueueHead, row: RowPlace, to: QueueHead, nowMs: number, origin: DeadLetterOrigin | undefined): void;
}

export function createQueueRows(db: DatabaseSync, heads: QueueHeads): QueueRows {
  const insert = db.prepare(
    "INSERT INTO queue_messages (row, queue, ready_at_ms, receives, sent_at_ms, enqueued_at_ms, bytes, message_id, attributes, sender, trace_header, body) VALUES ((?1 << 44) | ?2, ?1, ?3, 0, ?4, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
  );
  const insertBody = db.prepare("INSERT INTO queue_bodies (row, body) VALUES ((? << 44) | ?, ?)");
  const ready = db.prepare(
    `SELECT row & ${sequenceMask} AS sequence, ready_at_ms, receives, first_received_at_ms, sent_at_ms, bytes, message_id, attributes, sender, trace_header, dead_letter, body FROM queue_messages WHERE queue = ? AND ready_at_ms <= ? ORDER BY ready_at_ms, receives, row LIMIT ? + 0`,
  );
  const selectBody = db.prepare("SELECT body FROM queue_bodies WHERE row = (? << 44) | ?");
  const take = db.prepare(
    "UPDATE queue_messages SET ready_at_ms = ?, receives = receives + 1, receipt = ?, first_received_at_ms = coalesce(first_received_at_ms, ?) WHERE row = (? << 44) | ?",
  );
  const moveRow = db.prepare(
    "UPDATE queue_messages SET row = (?1 << 44) | ?2, queue = ?1, ready_at_ms = ?3, receives = 0, receipt = NULL, first_received_at_ms = NULL, enqueued_at_ms = ?3, dead_letter = ?4 WHERE row = (?5 << 44) | ?6",
  );
  const moveBody = db.prepare("UPDATE queue_bodies SET row = (? << 44) | ? WHERE row = (? << 44) | ?");

  return {
    insert(head, row) {
      const sequence = head.next++;
      const isLarge = row.body.length > inlineBodyLength;
      const body = isLarge ? null : row.body;
      const { readyAtMs, sentAtMs, bytes, messageId, attributes, sender, traceHeader } = row;
      // `get` of an insert answers nothing; `run` would make an object of what changed.
      const texts = [messageId, attributes, sender, traceHeader, body];
      insert.get(head.queue, sequence, readyAtMs, sentAtMs, bytes, ...texts);
      if (isLarge) insertBody.get(head.queue, sequence, row.body);
      heads.note(head, bytes, undefined, { readyAtMs, receives: 0 });
    },
    ready(head, nowMs, limit) {
      return ready.all(head.queue, nowMs, limit).map((row) => ({
        sequence: row.sequence as number,
        readyAtMs: row.ready_at_ms as number,
        receives: row.receives as number,
        bytes: row.bytes as number,
        isLarge: row.body === null,
        messageId: row.message_id as string,
        body: (row.body ?? selectBody.get(head.queue, row.sequence as number)?.body) as string,
        attributes: row.attributes as string | null,
        sender: row.sender as string,
        traceHeader: row.trace_header as string | null,
        sentAtMs: row.sent_at_ms as number,
        firstReceivedAtMs: row.first_received_at_ms as number | null,
        deadLetter: row.dead_letter as string | null,
      }));
    },
    take(head, row, nowMs, hiddenUntilMs) {
      const token = randomInt(receipts);
      take.get(hiddenUntilMs, token, nowMs, head.queue, row.sequence);
      heads.note(head, row.bytes, row, { readyAtMs: hiddenUntilMs, receives: row.receives + 1 });
      return token;
    },
    move(from, row, to, nowMs, origin) {
      const sequence = to.next++;
      const deadLetter = origin === undefined ? null : JSON.stringify(origin);
      moveRow.get(to.queue, sequence, nowMs, deadLetter, from.queue, row.sequence);
      if (row.isLarge) moveBody.get(to.queue, sequence, from.queue, row.sequence);
      heads.note(from, row.bytes, row, undefined);
      heads.note(to, row.bytes, undefined, { readyAtMs: nowMs, receives: 0 });
    },
  };
}
