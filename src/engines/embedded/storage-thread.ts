// The storage thread: the only writer. One message is one batch is one transaction.
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { DeadLetterBounds } from "../../domain/subscriptions/store.ts";
import type { HistoryBounds } from "../../domain/topics/store.ts";
import { type DatabaseOptions, openForWriting } from "./database.ts";
import { classifyFailure, type StorageFailure } from "./failures.ts";
import { FieldReader, FieldWriter, type Packed } from "./fields.ts";
import { createCollectionRows } from "./storage-collection-rows.ts";
import { createCollections } from "./storage-collections.ts";
import { dictionaryOperations } from "./storage-dictionaries.ts";
import { createEnvironmentForgetter } from "./storage-environments.ts";
import { createItemRows } from "./storage-item-rows.ts";
import { createItemWriter, type ItemWriter } from "./storage-items.ts";
import { itemOperations } from "./storage-items-changes.ts";
import { StorageLedger, type StoredPart } from "./storage-ledger.ts";
import { listOperations } from "./storage-lists.ts";
import { createPresenceWriter, type PresenceWriter } from "./storage-presence.ts";
import { createQueueWriter, type QueueWriter } from "./storage-queues.ts";
import { createRecordWriter } from "./storage-records.ts";
import { setOperations } from "./storage-sets.ts";
import { sortedSetOperations } from "./storage-sorted-sets.ts";
import { SteadyMark } from "./storage-steady.ts";
import { createSubscriptionWriter, type SubscriptionWriter } from "./storage-subscriptions.ts";
import { createTopicWriter } from "./storage-topics.ts";
import { StorageTransactions } from "./storage-transactions.ts";

/** What the main thread starts this thread with. */
export interface StorageThreadData extends DatabaseOptions {
  readonly history: HistoryBounds;
  readonly itemsEnvironmentMaxBytes: number;
  readonly queuesEnvironmentMaxBytes: number;
  readonly deadLetters: DeadLetterBounds;
}

/** What the main thread sends; `nowMs` is of the steady clock. `probe`: is there room again, once what is too old is gone? */
export type StorageRequest =
  | { readonly kind: "batch"; readonly batch: Packed; readonly nowMs: number }
  | { readonly kind: "probe"; readonly nowMs: number }
  | { readonly kind: "limit"; readonly maxFileBytes: number }
  | { readonly kind: "close"; readonly nowMs: number };

/** A record as it lies in the file. */
export interface RecordRow {
  readonly kind: string;
  readonly environment: string;
  readonly name: string;
  readonly id: number;
  readonly version: number;
  readonly document: string;
}

/** What this thread answers. `opened` comes first. */
export type StorageAnswer =
  | {
      readonly kind: "opened";
      readonly records: readonly RecordRow[];
      readonly forgotten: readonly { readonly id: number; readonly part: StoredPart }[];
      readonly pageFloor: number;
      readonly startId: number;
      readonly lastSteadyMs: number;
    }
  | { readonly kind: "committed"; readonly answer: Packed; readonly commitMs: number }
  | { readonly kind: "failed"; readonly failure: StorageFailure }
  | { readonly kind: "probed"; readonly failure: StorageFailure | undefined }
  | { readonly kind: "closed" };

const port = parentPort;
if (port === null) throw new Error("storage-thread.ts runs as a worker");
const data: StorageThreadData = workerData;

/** One entry per operation; the main thread writes the same names. */
type Operations = Readonly<Record<string, (op: FieldReader, answer: FieldWriter) => void>>;

function send(answer: StorageAnswer, transfer: ArrayBuffer[] = []): void {
  port?.postMessage(answer, transfer);
}

function start(): ((request: StorageRequest) => void) | undefined {
  try {
    return openStorage();
  } catch (error) {
    send({ kind: "failed", failure: classifyFailure(error) });
    return undefined;
  }
}

function openStorage(): (request: StorageRequest) => void {
  const db = openForWriting(data);
  const ledger = new StorageLedger(db);
  const mark = new SteadyMark(db);
  let nowMs = data.nowMs;
  const subscriptions = createSubscriptionWriter(db, ledger, data.deadLetters, () => nowMs);
  const topics = createTopicWriter(db, ledger, data.history, subscriptions.burial);
  const collections = createCollections(db);
  const rows = createItemRows(db, ledger, collections, data.itemsEnvironmentMaxBytes);
  const collectionRows = createCollectionRows(db, ledger, rows);
  const items = createItemWriter(db, ledger, rows, collections);
  const queues = createQueueWriter(db, ledger, data.queuesEnvironmentMaxBytes);
  const presence = createPresenceWriter(db, ledger);
  const operations: Operations = {
    ...recordOperations(db, ledger),
    "environments.forget": createEnvironmentForgetter(
      db,
      ledger,
      {
        topics: topics.freeForgotten,
        items: items.freeForgotten,
        messages: queues.freeForgotten,
        cursors: subscriptions.freeForgotten,
      },
      presence.freeEnvironment,
    ),
    ...itemOperations(db, ledger, rows, collections),
    ...itemEndOperations(items, ledger),
    ...dictionaryOperations(db, collectionRows, collections),
    ...listOperations(db, collectionRows, collections),
    ...sortedSetOperations(db, collectionRows, collections),
    ...setOperations(db, collectionRows, collections),
    ...queueOperations(queues, ledger),
    ...subscriptionOperations(subscriptions),
    ...presenceOperations(presence),
    "topics.append": topics.append,
    "topics.forget": (op) => ledger.forget(op.number(), "topics"),
    "topics.trim": (op, answer) => answer.put(Number(topics.trim(op.number()))),
  };
  const transactions = new StorageTransactions(db, {
    onFailed: (failure) => send({ kind: "failed", failure }),
    flush() {
      topics.flush();
      queues.flush();
      ledger.flush();
      mark.note(nowMs);
    },
    reset() {
      topics.reset();
      items.reset();
      queues.reset();
      subscriptions.reset();
      presence.reset();
      ledger.reload();
      mark.reset();
    },
  });
  // History comes last: dead letters may have to be made of it, and what the others free is room for them.
  const makeRoom = [items.sweep, queues.sweep, subscriptions.sweep, topics.trim];
  send({
    kind: "opened",
    records: db.prepare("SELECT * FROM records").all() as unknown as RecordRow[],
    forgotten: db.prepare("SELECT * FROM forgotten").all() as never,
    pageFloor: ledger.pageFloor,
    startId: ledger.startId,
    lastSteadyMs: mark.storedMs,
  });
  return (request) => {
    if (request.kind !== "limit") nowMs = request.nowMs;
    if (request.kind === "batch") runBatch(transactions, operations, request.batch);
    else if (request.kind === "probe")
      send({ kind: "probed", failure: transactions.probe(makeRoom.map((free) => () => free(nowMs))) });
    else if (request.kind === "limit") transactions.limitFileBytes(request.maxFileBytes);
    else close(transactions, () => mark.write(nowMs));
  };
}

function recordOperations(db: DatabaseSync, ledger: StorageLedger): Operations {
  const records = createRecordWriter(db, ledger);
  return {
    "records.create": records.create,
    "records.replace": records.replace,
    "records.renew": records.renew,
    "records.remove": records.remove,
  };
}

function itemEndOperations(items: ItemWriter, ledger: StorageLedger): Operations {
  return {
    "items.delete": items.delete,
    "items.forget": (op) => ledger.forget(op.number(), "items"),
    "items.sweep": (op, answer) => answer.put(Number(items.sweep(op.number()))),
  };
}

function queueOperations(queues: QueueWriter, ledger: StorageLedger): Operations {
  return {
    "queues.send": queues.send,
    "queues.receive": queues.receive,
    "queues.giveBack": queues.giveBack,
    "queues.delete": queues.delete,
    "queues.changeVisibility": queues.changeVisibility,
    "queues.move": queues.move,
    "queues.forget": (op) => ledger.forget(op.number(), "messages"),
    "queues.trim": queues.trim,
    "queues.sweep": (op, answer) => answer.put(Number(queues.sweep(op.number()))),
  };
}

function subscriptionOperations(subscriptions: SubscriptionWriter): Operations {
  return {
    "subscriptions.open": subscriptions.open,
    "subscriptions.save": subscriptions.save,
    "subscriptions.replay": subscriptions.replay,
    "subscriptions.drop": subscriptions.drop,
    "subscriptions.trim": subscriptions.trim,
  };
}

function presenceOperations(presence: PresenceWriter): Operations {
  return {
    "presence.announce": presence.announce,
    "presence.told": presence.told,
    "presence.sweep": (op, answer) => answer.put(Number(presence.sweep(op.number()))),
  };
}

function runBatch(transactions: StorageTransactions, operations: Operations, batch: Packed): void {
  const startMs = performance.now();
  const op = new FieldReader(batch);
  const answer = new FieldWriter();
  const failure = transactions.run(() => {
    while (!op.isDone) {
      const name = op.text();
      const operation = operations[name];
      if (operation === undefined) throw new Error(`no storage operation ${name}`);
      operation(op, answer);
    }
  });
  if (failure !== undefined) {
    send({ kind: "failed", failure });
    return;
  }
  const packed = answer.finish();
  send({ kind: "committed", answer: packed, commitMs: performance.now() - startMs }, [packed.bytes]);
  transactions.checkpoint("PASSIVE");
}

function close(transactions: StorageTransactions, lastWork: () => void): void {
  transactions.run(lastWork);
  transactions.close();
  send({ kind: "closed" });
  port?.close();
}

const handle = start();
if (handle !== undefined) port.on("message", handle);
