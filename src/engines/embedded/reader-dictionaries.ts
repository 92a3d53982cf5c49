import type { DatabaseSync } from "node:sqlite";
import { readBlobs } from "./disk-collections.ts";
import { keyOf } from "./element-keys.ts";
import { createFindCollection, lengthRead, type Read } from "./reader-collections.ts";

/** Reads of `disk` dictionaries in the reader thread, by their names. */
export function dictionaryReads(db: DatabaseSync): Readonly<Record<string, Read>> {
  const find = createFindCollection(db, "dictionary");
  const value = db.prepare("SELECT value FROM dictionary_elements WHERE collection = ? AND key = ?");
  const entries = db.prepare(
    "SELECT coalesce(field, key) AS field, value FROM dictionary_elements WHERE collection = ?",
  );

  return {
    "dictionaries.length": lengthRead(find),
    "dictionaries.get"(op, answer) {
      const head = find(op, answer);
      const fields = readBlobs(op);
      if (head === undefined) return;
      for (const field of fields) {
        const row = value.get(head.collection, keyOf(field));
        answer.put(Number(row !== undefined));
        if (row !== undefined) answer.putBlob(row.value as Uint8Array);
      }
    },
    "dictionaries.fetch"(op, answer) {
      const head = find(op, answer);
      if (head === undefined) return;
      answer.put(head.elements);
      for (const entry of entries.iterate(head.collection)) {
        answer.putBlob(entry.field as Uint8Array);
        answer.putBlob(entry.value as Uint8Array);
      }
    },
  };
}
