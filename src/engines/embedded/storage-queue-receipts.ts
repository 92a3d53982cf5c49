import type { DatabaseSync } from "node:sqlite";
import type { ReceiptOutcome } from "../../domain/queues/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { MessageState, QueueHead, QueueHeads } from "./storage-queue-heads.ts";

/** Operations on what a receipt names. `delete` and `changeVisibility` answer a {@link ReceiptOutcome} for each. */
export interface ReceiptOperations {
  giveBack(op: FieldReader): void;
  delete(op: FieldReader, answer: FieldWriter): void;
  changeVisibility(op: FieldReader, answer: FieldWriter): void;
}

interface Named extends MessageState {
  readonly bytes: number;
}

export function createReceiptOperations(db: DatabaseSync, heads: QueueHeads): ReceiptOperations {
  const select = db.prepare(
    "SELECT receipt, ready_at_ms, receives, bytes FROM queue_messages WHERE row = (? << 44) | ?",
  );
  const remove = db.prepare(
    "DELETE FROM queue_messages WHERE row = (? << 44) | ? AND receipt = ? RETURNING ready_at_ms, receives, bytes, body IS NULL AS is_large",
  );
  const removeBody = db.prepare("DELETE FROM queue_bodies WHERE row = (? << 44) | ?");
  const setReady = db.prepare("UPDATE queue_messages SET ready_at_ms = ? WHERE row = (? << 44) | ?");
  const untake = db.prepare(
    "UPDATE queue_messages SET ready_at_ms = ?, receives = receives - 1, receipt = NULL, first_received_at_ms = CASE receives WHEN 1 THEN NULL ELSE first_received_at_ms END WHERE row = (? << 44) | ?",
  );

  function find(head: QueueHead | undefined, sequence: number, token: number): Named | "gone" | "stale" {
    const row = head && select.get(head.queue, sequence);
    if (row === undefined) return "gone";
    if (row.receipt !== token) return "stale";
    return { readyAtMs: row.ready_at_ms as number, receives: row.receives as number, bytes: row.bytes as number };
  }

  function deleteOne(head: QueueHead | undefined, sequence: number, token: number): ReceiptOutcome {
    const row = head && remove.get(head.queue, sequence, token);
    if (head === undefined || row === undefined) return find(head, sequence, token) === "stale" ? "stale" : "gone";
    if (row.is_large === 1) removeBody.get(head.queue, sequence);
    const state = { readyAtMs: row.ready_at_ms as number, receives: row.receives as number };
    heads.note(head, row.bytes as number, state, undefined);
    return "done";
  }

  return {
    giveBack(op) {
      const head = heads.live(op.number());
      for (let left = op.number(); left > 0; left--) {
        const [sequence, token, readyAtMs] = [op.number(), op.number(), op.number()];
        const row = find(head, sequence, token);
        if (head === undefined || typeof row === "string") continue;
        untake.get(readyAtMs, head.queue, sequence);
        heads.note(head, row.bytes, row, { readyAtMs, receives: row.receives - 1 });
      }
    },
    delete(op, answer) {
      const head = heads.live(op.number());
      for (let left = op.number(); left > 0; left--) answer.put(deleteOne(head, op.number(), op.number()));
    },
    changeVisibility(op, answer) {
      const head = heads.live(op.number());
      const nowMs = op.number();
      for (let left = op.number(); left > 0; left--) {
        const [sequence, token, asked] = [op.number(), op.number(), op.number()];
        const row = find(head, sequence, token);
        if (head === undefined || typeof row === "string") {
          answer.put(row as ReceiptOutcome);
        } else if (row.readyAtMs <= nowMs) {
          answer.put("expired");
        } else {
          // What is released becomes ready now: behind what became ready before.
          const readyAtMs = Math.max(asked, nowMs);
          setReady.get(readyAtMs, head.queue, sequence);
          heads.note(head, row.bytes, row, { readyAtMs, receives: row.receives });
          answer.put("done");
        }
      }
    },
  };
}
