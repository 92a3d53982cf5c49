import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import type { QueueHeads } from "./storage-queue-heads.ts";
import { type QueueRows, sequenceMask } from "./storage-queue-rows.ts";

/** Rows that one operation looks at, at most; about 10 us for each that moves, so that a commit stays short. */
export const moveRows = 512;

interface Target {
  readonly queueId: number;
  readonly queue: string;
  moved: number;
}

/** One bounded step: answers the sequence to go on after, or null when there is nothing behind it, then how many went to each target. */
export function createMover(
  db: DatabaseSync,
  ledger: StorageLedger,
  heads: QueueHeads,
  rows: QueueRows,
): (op: FieldReader, answer: FieldWriter) => void {
  const inOrder = db.prepare(
    `SELECT row & ${sequenceMask} AS sequence, ready_at_ms, receives, bytes, dead_letter, body IS NULL AS is_large FROM queue_messages WHERE row BETWEEN ((?1 << 44) | ?2) + 1 AND (?1 << 44) | ${sequenceMask} ORDER BY row LIMIT ?3 + 0`,
  );

  // Without `isByOrigin` there is one target, for all.
  function targetOf(row: Record<string, unknown>, targets: readonly Target[], isByOrigin: boolean): Target | undefined {
    if (!isByOrigin) return targets[0];
    if (row.dead_letter === null) return undefined;
    const { queue } = JSON.parse(row.dead_letter as string);
    return targets.find((target) => target.queue === queue);
  }

  function readTargets(op: FieldReader): Target[] {
    return Array.from({ length: op.number() }, () => ({ queueId: op.number(), queue: op.text(), moved: 0 }));
  }

  return (op, answer) => {
    const [environment, queueId, after, maxMessages, nowMs] = [
      op.text(),
      op.number(),
      op.number(),
      op.number(),
      op.number(),
    ];
    const [isByOrigin, targets] = [op.number() === 1, readTargets(op)];
    const live = targets.filter((target) => ledger.isLive(target.queueId, "messages"));
    const head = heads.live(queueId);
    const found = head === undefined ? [] : inOrder.all(head.queue, after, moveRows);
    let [moved, last] = [0, after];
    for (const row of found) {
      if (moved === maxMessages || head === undefined) break;
      const [sequence, readyAtMs, receives] = [Number(row.sequence), Number(row.ready_at_ms), Number(row.receives)];
      last = sequence;
      const target = readyAtMs > nowMs ? undefined : targetOf(row, live, isByOrigin);
      if (target === undefined) continue;
      const place = { sequence, readyAtMs, receives, bytes: Number(row.bytes), isLarge: row.is_large === 1 };
      rows.move(head, place, heads.open(environment, target.queueId), nowMs, undefined);
      target.moved++;
      moved++;
    }
    answer.put(found.length < moveRows && last === (found.at(-1)?.sequence ?? after) ? null : last);
    for (const target of targets) answer.put(target.moved);
  };
}
