import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";
import type { HistoryBounds } from "../../domain/topics/store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";
import type { Burial } from "./storage-burial.ts";
import { type TopicHead, TopicHeads } from "./storage-heads.ts";
import type { StorageLedger } from "./storage-ledger.ts";
import { createTopicTrimmer } from "./storage-trim.ts";

/** Applies operations on `disk` topics in the storage thread: the one place that gives sequence numbers. */
export interface TopicWriter {
  /** Per item of the operation: its topic's page, the sequence (negative: a known messageId), or page 0 for `not_found`. */
  append(op: FieldReader, answer: FieldWriter): void;
  trim(nowMs: number): boolean;
  /** One bounded step over forgotten caches alone; answers whether there is more to do. */
  freeForgotten(): boolean;
  /** Writes the heads that moved; called inside the batch's transaction. */
  flush(): void;
  /** After a rollback: what memory says never happened. */
  reset(): void;
}

/** `ledger` says which caches live; `history` bounds each topic, `burial` takes what is dropped too soon. */
export function createTopicWriter(
  db: DatabaseSync,
  ledger: StorageLedger,
  history: HistoryBounds,
  burial: Burial,
): TopicWriter {
  const heads = new TopicHeads(db, ledger);
  const trimmer = createTopicTrimmer(db, ledger, heads, history, burial);
  const insert = db.prepare(
    "INSERT INTO topic_items (row, topic_id, page, sequence, published_at_ms, bytes, is_text, token_id, attributes, value) VALUES ((? << 44) | ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const findId = db.prepare(
    "SELECT page, sequence FROM message_ids WHERE topic_id = ? AND message_id = ? AND at_ms > ?",
  );
  const insertId = db.prepare(
    "INSERT OR REPLACE INTO message_ids (topic_id, message_id, page, sequence, at_ms) VALUES (?, ?, ?, ?, ?)",
  );

  function appendOne(head: TopicHead, op: FieldReader, answer: FieldWriter): void {
    const [isText, value, attributes] = [op.number(), op.blob(), op.textOrNull()];
    const [tokenId, atMs, messageId] = [op.text(), op.number(), op.textOrNull()];
    if (messageId !== null) {
      const first = findId.get(head.id, messageId, atMs - limits.messageIdWindowMs);
      if (first !== undefined) {
        answer.put(Number(first.page));
        answer.put(-Number(first.sequence));
        return;
      }
    }
    const sequence = ++head.sequence;
    const bytes = value.byteLength + (attributes === null ? 0 : attributes.length);
    const usage = head.environment;
    // `get` of an insert answers nothing; `run` would make an object of what changed, 9 % of the whole.
    insert.get(
      usage.id,
      usage.nextRow++,
      head.id,
      head.page,
      sequence,
      atMs,
      bytes,
      isText,
      tokenId,
      attributes,
      value,
    );
    heads.account(head, 1, bytes);
    if (messageId !== null) insertId.run(head.id, messageId, head.page, sequence, atMs);
    answer.put(head.page);
    answer.put(sequence);
  }

  function skipOne(op: FieldReader, answer: FieldWriter): void {
    op.number();
    op.blob();
    op.textOrNull();
    op.text();
    op.number();
    op.textOrNull();
    answer.put(0);
    answer.put(0);
  }

  return {
    append(op, answer) {
      for (let left = op.number(); left > 0; left--) {
        const topic = op.topic();
        if (!ledger.isLive(topic.cacheId, "topics")) skipOne(op, answer);
        else appendOne(heads.open(topic), op, answer);
      }
    },
    trim: (nowMs) => trimmer.trim(nowMs),
    freeForgotten: () => trimmer.freeForgotten(),
    flush() {
      for (const head of heads.moved()) trimmer.trimTopic(head);
      heads.flush();
    },
    reset() {
      heads.clear();
      trimmer.reset();
    },
  };
}
