import type { RecordStore } from "../records/store.ts";

/** Kinds whose documents say how a thing is, and nothing of what is in it: a copy of the record is the same thing, empty. */
const copiedKinds = ["cache", "queue", "event-topic"];

/** Gives the environment `to` the caches, queues and event topics of `from`. All in one turn of the loop, so that the embedded engine commits them together. */
export async function copyContents(records: RecordStore, from: string, to: string, nowMs: number): Promise<void> {
  const listed = await Promise.all(copiedKinds.map((kind) => records.list(kind, from)));
  const copies = listed.flat().map(({ kind, name, document }) => {
    return records.create({ kind, environment: to, name }, { ...document, createdAtMs: nowMs });
  });
  await Promise.all(copies);
}
