// The storage thread: the only writer. One message is one batch is one transaction.
import { parentPort, workerData } from "node:worker_threads";
import type { HistoryBounds } from "../../domain/topics/store.ts";
import { type DatabaseOptions, openForWriting } from "./database.ts";
import { classifyFailure, type StorageFailure } from "./failures.ts";
import { FieldReader, FieldWriter, type Packed } from "./fields.ts";
import { createItemWriter } from "./storage-items.ts";
import { StorageLedger } from "./storage-ledger.ts";
import { createRecordWriter } from "./storage-records.ts";
import { createTopicWriter } from "./storage-topics.ts";

/** What the main thread starts this thread with. */
export interface StorageThreadData extends DatabaseOptions {
  readonly history: HistoryBounds;
  readonly itemsEnvironmentMaxBytes: number;
}

/** What the main thread sends. `probe`: is there room again? */
export type StorageRequest =
  | { readonly kind: "batch"; readonly batch: Packed }
  | { readonly kind: "probe" }
  | { readonly kind: "limit"; readonly maxFileBytes: number }
  | { readonly kind: "close" };

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
      readonly forgotten: readonly { readonly cache_id: number; readonly part: "topics" | "items" }[];
      readonly pageFloor: number;
      readonly startId: number;
    }
  | { readonly kind: "committed"; readonly answer: Packed; readonly commitMs: number }
  | { readonly kind: "failed"; readonly failure: StorageFailure }
  | { readonly kind: "probed"; readonly failure: StorageFailure | undefined }
  | { readonly kind: "closed" };

/** WAL pages (16 MiB) after which the thread copies them into the file. */
const checkpointPages = 4096;
/** What a probe writes before writes are let in again: room for a batch, not for one last page. */
const probeBytes = 256 * 1024;

const port = parentPort;
if (port === null) throw new Error("storage-thread.ts runs as a worker");
const data: StorageThreadData = workerData;

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
  const records = createRecordWriter(db, ledger);
  const topics = createTopicWriter(db, ledger, data.history);
  const items = createItemWriter(db, ledger, data.itemsEnvironmentMaxBytes);
  const [begin, commit, rollback] = [db.prepare("BEGIN IMMEDIATE"), db.prepare("COMMIT"), db.prepare("ROLLBACK")];
  const walSize = db.prepare("PRAGMA wal_checkpoint(NOOP)");
  const saveProbe = db.prepare("INSERT INTO probe (value) VALUES (zeroblob(?))");
  const dropProbe = db.prepare("DELETE FROM probe");

  /** One operation per name; the main thread writes the same names. */
  const operations: Record<string, (op: FieldReader, answer: FieldWriter) => void> = {
    "topics.append": topics.append,
    "topics.forget": (op) => ledger.forget(op.number(), "topics"),
    "topics.trim": (op, answer) => answer.put(Number(topics.trim(op.number()))),
    "items.set": items.set,
    "items.delete": items.delete,
    "items.forget": (op) => ledger.forget(op.number(), "items"),
    "items.sweep": (op, answer) => answer.put(Number(items.sweep(op.number()))),
    "records.create": records.create,
    "records.replace": records.replace,
    "records.renew": records.renew,
    "records.remove": records.remove,
  };

  function transact(work: () => void): StorageFailure | undefined {
    try {
      begin.run();
      work();
      commit.run();
      return undefined;
    } catch (error) {
      return undo(error);
    }
  }

  function undo(error: unknown): StorageFailure {
    const failure = classifyFailure(error);
    if (failure.status === "failed") return failure;
    try {
      if (db.isTransaction) rollback.run();
      topics.reset();
      ledger.reload();
      return failure;
    } catch (second) {
      return { ...classifyFailure(second), status: "failed" };
    }
  }

  function runBatch(batch: Packed): void {
    const startMs = performance.now();
    const op = new FieldReader(batch);
    const answer = new FieldWriter();
    const failure = transact(() => {
      while (!op.isDone) operations[op.text()]?.(op, answer);
      topics.flush();
      ledger.flush();
    });
    if (failure !== undefined) {
      send({ kind: "failed", failure });
      return;
    }
    const packed = answer.finish();
    send({ kind: "committed", answer: packed, commitMs: performance.now() - startMs }, [packed.bytes]);
    checkpoint("PASSIVE");
  }

  // After the answer, so that nobody waits for it. Its errors come again with the next commit, which tells them.
  function checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    try {
      const size = walSize.get();
      if (mode === "PASSIVE" && Number(size?.log) - Number(size?.checkpointed) < checkpointPages) return;
      db.exec(`PRAGMA wal_checkpoint(${mode})`);
    } catch (error) {
      const failure = classifyFailure(error);
      if (failure.status === "failed") send({ kind: "failed", failure });
    }
  }

  function probe(): void {
    const failure = transact(() => saveProbe.run(probeBytes)) ?? transact(() => dropProbe.run());
    send({ kind: "probed", failure });
  }

  function close(): void {
    checkpoint("TRUNCATE");
    db.close();
    send({ kind: "closed" });
    port?.close();
  }

  send({
    kind: "opened",
    records: db.prepare("SELECT * FROM records").all() as unknown as RecordRow[],
    forgotten: db.prepare("SELECT * FROM forgotten").all() as never,
    pageFloor: ledger.pageFloor,
    startId: ledger.startId,
  });
  return (request) => {
    if (request.kind === "batch") runBatch(request.batch);
    else if (request.kind === "probe") probe();
    else if (request.kind === "close") close();
    else db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(request.maxFileBytes / 4096))}`);
  };
}

const handle = start();
if (handle !== undefined) port.on("message", handle);
