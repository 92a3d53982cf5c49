import type { DatabaseSync } from "node:sqlite";
import { itemTypes } from "../../domain/cache/item-type.ts";
import { type ListSlice, resolveSlice } from "../../domain/cache/list-store.ts";
import type { FieldReader, FieldWriter } from "./fields.ts";

/** What a key holds, of which only the elements of lists are read here. Answers its type's number or null, then what was asked of a list. */
export interface ListReader {
  length(op: FieldReader, answer: FieldWriter): void;
  fetch(op: FieldReader, answer: FieldWriter): void;
}

const listType = itemTypes.indexOf("list");

export function createListReader(db: DatabaseSync): ListReader {
  const head = db.prepare(
    "SELECT type, expires_at_ms, collection, elements, front, back FROM items WHERE cache_id = ? AND key = ?",
  );
  const values = db.prepare(
    "SELECT value FROM list_elements WHERE collection = ? AND position >= ? ORDER BY position LIMIT ? + 0 OFFSET ? + 0",
  );

  /** The row of a list; of anything else only its type is answered. */
  function find(op: FieldReader, answer: FieldWriter): Record<string, unknown> | undefined {
    const [cacheId, key, nowMs] = [op.number(), op.blob(), op.number()];
    const row = head.get(cacheId, key);
    const isThere = row !== undefined && (row.expires_at_ms as number) > nowMs;
    answer.put(isThere ? (row.type as number) : null);
    return isThere && row.type === listType ? row : undefined;
  }

  return {
    length(op, answer) {
      const row = find(op, answer);
      if (row !== undefined) answer.put(row.elements as number);
    },
    fetch(op, answer) {
      const row = find(op, answer);
      const slice: ListSlice = { start: op.numberOrNull() ?? undefined, end: op.numberOrNull() ?? undefined };
      if (row === undefined) return;
      const [elements, front, back] = [row.elements as number, row.front as number, row.back as number];
      const { from, to } = resolveSlice(slice, elements);
      const count = Math.max(to - from, 0);
      answer.put(count);
      // Without a gap the place of the first is known; else those before it are stepped over.
      const [first, skipped] = back - front === elements - 1 ? [front + from, 0] : [front, from];
      for (const { value } of count === 0 ? [] : values.iterate(row.collection as number, first, count, skipped)) {
        answer.putBlob(value as Uint8Array);
      }
    },
  };
}
