import type { DatabaseSync } from "node:sqlite";
import type { Read } from "./reader-collections.ts";

/** Reads who is ONLINE or not told, in the reader thread: each row after the name of its environment, then a null. */
export function createPresenceReader(db: DatabaseSync): Read {
  const idOf = db.prepare("SELECT id FROM environments WHERE name = ?");
  const after = db.prepare(
    `SELECT environments.name, user_id, is_online, seq, at_ms, is_told FROM presence JOIN environments ON environments.id = environment
     WHERE (environment, user_id) > (?, ?) AND (is_online = 1 OR is_told = 0) ORDER BY environment, user_id LIMIT ? + 0`,
  );
  return (op, answer) => {
    const [environment, userId, limit] = [op.textOrNull(), op.text(), op.number()];
    // One that has gone meanwhile: some rows are read once more.
    const id = environment === null ? undefined : idOf.get(environment)?.id;
    for (const row of after.iterate(Number(id ?? -1), userId, limit)) {
      answer.put(String(row.name));
      answer.put(String(row.user_id));
      for (const field of [row.is_online, row.seq, row.at_ms, row.is_told]) answer.put(Number(field));
    }
    answer.put(null);
  };
}
