import type { DatabaseSync } from "node:sqlite";
import { putBlobs, readBlobs } from "./disk-collections.ts";
import { createFindCollection, lengthRead, type Read } from "./reader-collections.ts";
import { createSetElements } from "./set-elements.ts";

/** Reads of `disk` sets in the reader thread, by their names. */
export function setReads(db: DatabaseSync): Readonly<Record<string, Read>> {
  const find = createFindCollection(db, "set");
  const stored = createSetElements(db);

  return {
    "sets.length": lengthRead(find),
    "sets.fetch"(op, answer) {
      const head = find(op, answer);
      if (head !== undefined) putBlobs(answer, stored.all(head.collection));
    },
    "sets.sample"(op, answer) {
      const [head, count] = [find(op, answer), op.number()];
      if (head !== undefined) putBlobs(answer, stored.pick(head.collection, head.elements, count));
    },
    "sets.contains"(op, answer) {
      const [head, elements] = [find(op, answer), readBlobs(op)];
      if (head === undefined) return;
      for (const element of elements) answer.put(Number(stored.has(head.collection, element)));
    },
  };
}
