import type { DatabaseSync } from "node:sqlite";
import { type ListSlice, resolveSlice } from "../../domain/cache/list-store.ts";
import { createFindCollection, lengthRead, type Read } from "./reader-collections.ts";

/** Reads of `disk` lists in the reader thread, by their names. */
export function listReads(db: DatabaseSync): Readonly<Record<string, Read>> {
  const find = createFindCollection(db, "list");
  const values = db.prepare(
    "SELECT value FROM list_elements WHERE collection = ? AND position >= ? ORDER BY position LIMIT ? + 0 OFFSET ? + 0",
  );

  return {
    "lists.length": lengthRead(find),
    "lists.fetch"(op, answer) {
      const head = find(op, answer);
      const slice: ListSlice = { start: op.numberOrNull() ?? undefined, end: op.numberOrNull() ?? undefined };
      if (head === undefined) return;
      const { collection, elements, front, back } = head;
      const { from, to } = resolveSlice(slice, elements);
      const count = Math.max(to - from, 0);
      answer.put(count);
      // Without a gap the place of the first is known; else those before it are stepped over.
      const [first, skipped] = back - front === elements - 1 ? [front + from, 0] : [front, from];
      for (const { value } of count === 0 ? [] : values.iterate(collection, first, count, skipped)) {
        answer.putBlob(value as Uint8Array);
      }
    },
  };
}
