import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import { QueueHeads } from "./storage-queue-heads.ts";
import { createMover } from "./storage-queue-move.ts";
import { createReceiptOperations, type ReceiptOperations } from "./storage-queue-receipts.ts";
import { createReceiver } from "./storage-queue-receive.ts";
import { createQueueRows, type NewRow } from "./storage-queue-rows.ts";
import { createQueueTrimmer, type QueueTrimmer } from "./storage-queue-trim.ts";

/** Applies operations on queues in the storage thread: all that is decided about a message is decided here, in the batch's transaction. */
export interface QueueWriter extends ReceiptOperations, Pick<QueueTrimmer, "trim" | "sweep" | "freeForgotten"> {
  /** Per message a {@link SendOutcome}. */
  send(op: FieldReader, answer: FieldWriter): void;
  receive(op: FieldReader, answer: FieldWriter): void;
  move(op: FieldReader, answer: FieldWriter): void;
  /** Writes the heads that moved; called inside the batch's transaction. */
  flush(): void;
  /** After a rollback: what memory says never happened. */
  reset(): void;
}

/** What `send` answers for a message. */
export type SendOutcome = "sent" | "repeat" | "not_found" | "limit_exceeded";

/** `environmentMaxBytes`: past it `send` is refused; nothing is ever evicted. */
export function createQueueWriter(db: DatabaseSync, ledger: StorageLedger, environmentMaxBytes: number): QueueWriter {
  const heads = new QueueHeads(db, ledger);
  const rows = createQueueRows(db, heads);
  const receiver = createReceiver(db, ledger, heads, rows);
  const trimmer = createQueueTrimmer(db, ledger, heads, rows);
  const findId = db.prepare("SELECT 1 FROM queue_message_ids WHERE queue = ? AND message_id = ? AND at_ms > ?");
  const insertId = db.prepare("INSERT OR REPLACE INTO queue_message_ids (queue, message_id, at_ms) VALUES (?, ?, ?)");

  function sendOne(environment: string, queueId: number, message: NewRow, isIdChosen: boolean): SendOutcome {
    if (!ledger.isLive(queueId, "messages")) return "not_found";
    const head = heads.open(environment, queueId);
    const { messageId, sentAtMs, bytes } = message;
    if (isIdChosen && findId.get(head.queue, messageId, sentAtMs - limits.messageIdWindowMs) !== undefined) {
      return "repeat";
    }
    if (head.environment.queueBytes + bytes > environmentMaxBytes) return "limit_exceeded";
    rows.insert(head, message);
    if (isIdChosen) insertId.get(head.queue, messageId, sentAtMs);
    return "sent";
  }

  return {
    ...createReceiptOperations(db, heads),
    send(op, answer) {
      const [environment, queueId] = [op.text(), op.number()];
      for (let left = op.number(); left > 0; left--) {
        const isIdChosen = op.number() === 1;
        answer.put(sendOne(environment, queueId, readMessage(op), isIdChosen));
      }
    },
    receive: receiver.receive,
    move: createMover(db, ledger, heads, rows),
    trim: trimmer.trim,
    sweep: trimmer.sweep,
    freeForgotten: trimmer.freeForgotten,
    flush() {
      receiver.endBatch();
      heads.flush();
    },
    reset() {
      receiver.endBatch();
      heads.clear();
      trimmer.reset();
    },
  };
}

function readMessage(op: FieldReader): NewRow {
  return {
    messageId: op.text(),
    body: op.text(),
    attributes: op.textOrNull(),
    sender: op.text(),
    traceHeader: op.textOrNull(),
    sentAtMs: op.number(),
    readyAtMs: op.number(),
    bytes: op.number(),
  };
}
