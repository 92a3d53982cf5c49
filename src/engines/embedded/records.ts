import type { RecordKey, RecordStore, StoredRecord } from "../../domain/records/store.ts";
import type { Storage } from "./storage.ts";
import { partsOf, type StoredPart } from "./storage-ledger.ts";
import type { RecordRow } from "./storage-thread.ts";
import { readVerdict, type WriteOperation } from "./write-queue.ts";

/** The record store of a data directory, and what it knows about caches, queues and subscriptions. */
export interface EmbeddedRecords extends RecordStore {
  /** False once the record with this id is gone or renewed, or this part of it was forgotten. */
  isLive(id: number, part: StoredPart): boolean;
  /** Remembers a committed `forget`. */
  forgotten(id: number, part: StoredPart): void;
  /** Those that have a record of any kind. */
  environments(): readonly string[];
  /** Takes over that the records of an environment were removed, its own only if `isDone`. Answers the ids of its caches. */
  forgetEnvironment(environment: string, isDone: boolean): readonly number[];
}

/** Records are few, so all of them lie in memory as last committed; changes go through the storage thread. */
export function createRecords(storage: Storage): EmbeddedRecords {
  const byPath = new Map<string, StoredRecord>();
  // The parts of each existing cache, queue and subscription that were not forgotten.
  const liveParts = new Map<number, Set<StoredPart>>();

  function keep(path: string, record: StoredRecord | undefined): void {
    const old = byPath.get(path);
    if (record === undefined) byPath.delete(path);
    else byPath.set(path, record);
    if (old?.id === record?.id) return;
    if (old !== undefined) liveParts.delete(old.id);
    if (record !== undefined && isPartKind(record.kind)) liveParts.set(record.id, new Set(partsOf[record.kind]));
  }

  function forgotten(id: number, part: StoredPart): void {
    liveParts.get(id)?.delete(part);
  }

  function forgetEnvironment(environment: string, isDone: boolean): readonly number[] {
    const cacheIds: number[] = [];
    for (const [path, record] of byPath) {
      if (record.environment !== environment || (record.kind === "environment" && !isDone)) continue;
      if (record.kind === "cache") cacheIds.push(record.id);
      keep(path, undefined);
    }
    return cacheIds;
  }

  function submit<T>(
    name: "create" | "replace" | "renew" | "remove",
    key: RecordKey,
    more: readonly (string | number)[],
    decode: WriteOperation<T>["decode"],
    apply: (result: T) => void,
  ): Promise<T> {
    return storage.writes.submit<T>({
      name: `records.${name}`,
      items: 1,
      bytes: typeof more[0] === "string" ? more[0].length : 0,
      encode: (op) => {
        for (const field of [key.kind, key.environment, key.name, ...more]) op.put(field);
      },
      decode,
      apply,
    });
  }

  for (const row of storage.openedRecords) keep(pathOf(row), fromRow(row));
  for (const { id, part } of storage.openedForgotten) forgotten(id, part);

  return {
    isLive: (id, part) => liveParts.get(id)?.has(part) === true,
    forgotten,
    environments: () => [...new Set([...byPath.values()].map(({ environment }) => environment))],
    forgetEnvironment,
    create(key, document) {
      const text = JSON.stringify(document);
      return submit(
        "create",
        key,
        [text],
        (answer) => {
          readVerdict(answer);
          return fromRow({ ...keyOf(key), id: answer.number(), version: 1, document: text });
        },
        (record) => keep(pathOf(key), record),
      );
    },
    async read(key) {
      return byPath.get(pathOf(key));
    },
    replace(key, document, expectedVersion) {
      const text = JSON.stringify(document);
      return submit(
        "replace",
        key,
        [text, expectedVersion],
        (answer) => {
          readVerdict(answer);
          const id = (byPath.get(pathOf(key)) as StoredRecord).id;
          return fromRow({ ...keyOf(key), id, version: expectedVersion + 1, document: text });
        },
        (record) => keep(pathOf(key), record),
      );
    },
    renew(key) {
      return submit(
        "renew",
        key,
        [],
        (answer) => {
          readVerdict(answer);
          return { ...(byPath.get(pathOf(key)) as StoredRecord), id: answer.number() };
        },
        (record) => keep(pathOf(key), record),
      );
    },
    remove(key) {
      return submit(
        "remove",
        key,
        [],
        (answer) => {
          readVerdict(answer);
          return byPath.get(pathOf(key));
        },
        () => keep(pathOf(key), undefined),
      );
    },
    async list(kind, environment) {
      return [...byPath.values()]
        .filter((record) => record.kind === kind && (environment === undefined || record.environment === environment))
        .sort((a, b) => compareText(a.environment, b.environment) || compareText(a.name, b.name));
    },
  };
}

function isPartKind(kind: string): kind is keyof typeof partsOf {
  return Object.hasOwn(partsOf, kind);
}

function keyOf({ kind, environment, name }: RecordKey): RecordKey {
  return { kind, environment, name };
}

// JSON keeps the parts apart whatever characters a name has.
function pathOf(key: RecordKey): string {
  return JSON.stringify([key.kind, key.environment, key.name]);
}

function fromRow(row: RecordRow): StoredRecord {
  return { ...keyOf(row), id: row.id, version: row.version, document: JSON.parse(row.document) };
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
