import type { DatabaseSync } from "node:sqlite";
import type { FieldReader, FieldWriter } from "./fields.ts";
import { putState } from "./subscription-codec.ts";

/** Looks at durable subscriptions in the reader thread. Lists put each row's columns after a 1, then a 0. */
export interface SubscriptionReader {
  state(op: FieldReader, answer: FieldWriter): void;
  deliveries(op: FieldReader, answer: FieldWriter): void;
  failures(op: FieldReader, answer: FieldWriter): void;
  deadLetters(op: FieldReader, answer: FieldWriter): void;
  /** Each topic once. */
  deadTopics(op: FieldReader, answer: FieldWriter): void;
}

type Value = string | number | null;

export function createSubscriptionReader(db: DatabaseSync): SubscriptionReader {
  const state = db.prepare("SELECT * FROM subscriptions WHERE id = ?");
  const newest = (table: string, columns: string) =>
    db.prepare(
      `SELECT number, topic, page, sequence, ${columns} FROM subscription_${table} WHERE row BETWEEN ?1 << 20 AND (?1 << 20) | ((1 << 20) - 1) AND number < ?2 ORDER BY number DESC LIMIT ?3 + 0`,
    );
  const deliveries = newest("deliveries", "outcome, at_ms, attempts, status, latency_ms, is_replay");
  const failures = newest("failures", "at_ms, attempt, status, latency_ms, error, answer");
  const letters = (condition: string) =>
    db.prepare(
      `SELECT id, is_replaying, reason, died_at_ms, attempts, error, status, topic, page, sequence, published_at_ms, is_text, token_id, attributes, value FROM dead_letters WHERE subscription = ? AND id > ?${condition} ORDER BY id LIMIT ? + 0`,
    );
  const [allLetters, replayingLetters] = [letters(""), letters(" AND is_replaying = 1")];

  const nextTopic = db.prepare(
    "SELECT topic FROM dead_letters WHERE subscription = ? AND topic > ? ORDER BY topic LIMIT 1",
  );

  function putNewest(statement: typeof deliveries, op: FieldReader, answer: FieldWriter): void {
    const [id, before, maxItems] = [op.number(), op.number(), op.number()];
    for (const row of statement.iterate(id, before, Math.max(0, maxItems))) {
      answer.put(1);
      for (const column in row) answer.put(row[column] as Value);
    }
    answer.put(0);
  }

  return {
    deadTopics(op, answer) {
      const id = op.number();
      for (let row = nextTopic.get(id, ""); row !== undefined; row = nextTopic.get(id, row.topic as string)) {
        answer.put(1);
        answer.put(String(row.topic));
      }
      answer.put(0);
    },
    state: (op, answer) => putState(state.get(op.number()), answer),
    deliveries: (op, answer) => putNewest(deliveries, op, answer),
    failures: (op, answer) => putNewest(failures, op, answer),
    deadLetters(op, answer) {
      const [id, afterId, maxItems, maxBytes] = [op.number(), op.number(), op.number(), op.number()];
      const statement = op.number() === 1 ? replayingLetters : allLetters;
      let bytes = 0;
      for (const { value, ...row } of statement.iterate(id, afterId, Math.max(0, maxItems))) {
        answer.put(1);
        for (const column in row) answer.put(row[column] as Value);
        answer.putBlob(value as Uint8Array);
        bytes += (value as Uint8Array).byteLength;
        if (bytes >= maxBytes) break;
      }
      answer.put(0);
    },
  };
}
