import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { sequenceMask } from "./storage-queue-rows.ts";

/** Looks at queues in the reader thread. */
export interface QueueReader {
  /** Each message after a 1, then a 0. */
  peek(op: FieldReader, answer: FieldWriter): void;
  /** All messages, those not ready, those of them that are received, bytes, and when the oldest came (null: none). */
  counts(op: FieldReader, answer: FieldWriter): void;
}

export function createQueueReader(db: DatabaseSync): QueueReader {
  const head = db.prepare("SELECT queue, messages, bytes FROM queues WHERE queue_id = ?");
  // As a blob, for only blobs are counted when an answer is cut.
  const after = db.prepare(
    `SELECT row & ${sequenceMask} AS sequence, ready_at_ms, receives, first_received_at_ms, sent_at_ms, message_id, attributes, sender, trace_header, dead_letter, CAST(coalesce(queue_messages.body, queue_bodies.body) AS BLOB) AS body FROM queue_messages LEFT JOIN queue_bodies USING (row) WHERE row BETWEEN ((?1 << 44) | ?2) + 1 AND (?1 << 44) | ${sequenceMask} ORDER BY row LIMIT ?3 + 0`,
  );
  const hidden = db.prepare(
    "SELECT count(*) AS n, count(*) FILTER (WHERE receives > 0) AS received FROM queue_messages WHERE queue = ? AND ready_at_ms > ?",
  );
  const oldest = db.prepare(
    `SELECT enqueued_at_ms FROM queue_messages WHERE row BETWEEN ?1 << 44 AND (?1 << 44) | ${sequenceMask} ORDER BY row LIMIT 1`,
  );

  return {
    peek(op, answer) {
      const queue = head.get(op.number())?.queue as number | undefined;
      const [sequence, maxMessages, maxBytes] = [op.number(), op.number(), op.number()];
      let bytes = 0;
      for (const row of queue === undefined ? [] : after.iterate(queue, sequence, maxMessages)) {
        const body = row.body as Uint8Array;
        answer.put(1);
        answer.put(Number(row.sequence));
        answer.put(String(row.message_id));
        answer.putBlob(body);
        answer.put(row.attributes as string | null);
        answer.put(String(row.sender));
        answer.put(row.trace_header as string | null);
        answer.put(Number(row.sent_at_ms));
        answer.put(Number(row.receives));
        answer.put(row.first_received_at_ms as number | null);
        answer.put(Number(row.ready_at_ms));
        answer.put(row.dead_letter as string | null);
        bytes += body.byteLength;
        if (bytes >= maxBytes) break;
      }
      answer.put(0);
    },
    counts(op, answer) {
      const one = head.get(op.number());
      const nowMs = op.number();
      const queue = (one?.queue ?? -1) as number;
      const notReady = hidden.get(queue, nowMs);
      answer.put(Number(one?.messages ?? 0));
      answer.put(Number(notReady?.n));
      answer.put(Number(notReady?.received));
      answer.put(Number(one?.bytes ?? 0));
      answer.put((oldest.get(queue)?.enqueued_at_ms ?? null) as number | null);
    },
  };
}
