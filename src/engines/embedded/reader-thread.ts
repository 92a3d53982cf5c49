// The reader thread: a second, read-only connection, so that a long replay never delays a commit.
import { parentPort, workerData } from "node:worker_threads";
import { openForReading } from "./database.ts";
import { classifyFailure, type StorageFailure } from "./failures.ts";
import { FieldReader, FieldWriter, type Packed } from "./fields.ts";
import type { Read } from "./reader-collections.ts";
import { dictionaryReads } from "./reader-dictionaries.ts";
import { listReads } from "./reader-lists.ts";
import { createPresenceReader } from "./reader-presence.ts";
import { createQueueReader } from "./reader-queues.ts";
import { setReads } from "./reader-sets.ts";
import { sortedSetReads } from "./reader-sorted-sets.ts";
import { createSubscriptionReader } from "./reader-subscriptions.ts";

/** Some requests of one tick. */
export interface ReadRequest {
  readonly count: number;
  readonly packed: Packed;
}

/** Answers to the first `count` open requests, in their order; `failure` stands for all of them. */
export interface ReadAnswer {
  readonly count: number;
  readonly packed: Packed | undefined;
  readonly failure: StorageFailure | undefined;
}

/** An answer leaves once it has this many bytes: the first need not wait for the last, and each view keeps its whole answer alive. */
const answerBytes = 1024 * 1024;

const port = parentPort;
if (port === null) throw new Error("reader-thread.ts runs as a worker");
const db = openForReading(workerData.path);
const [begin, end] = [db.prepare("BEGIN"), db.prepare("COMMIT")];
const head = db.prepare("SELECT id, page, sequence FROM topics WHERE cache_id = ? AND name = ?");
const itemsAfter = db.prepare(
  "SELECT page, sequence, published_at_ms, is_text, token_id, attributes, value FROM topic_items WHERE topic_id = ? AND (page, sequence) > (?, ?) ORDER BY page, sequence LIMIT ? + 0",
);
const queues = createQueueReader(db);
const subscriptions = createSubscriptionReader(db);
const item = db.prepare("SELECT value, expires_at_ms, type FROM items WHERE cache_id = ? AND key = ?");
const itemState = db.prepare("SELECT expires_at_ms, type FROM items WHERE cache_id = ? AND key = ?");

function readHead(op: FieldReader, answer: FieldWriter): number | undefined {
  const row = head.get(op.number(), op.text());
  answer.put(Number(row?.page ?? 0));
  answer.put(Number(row?.sequence ?? 0));
  return row === undefined ? undefined : Number(row.id);
}

function readItems(op: FieldReader, answer: FieldWriter): void {
  const id = readHead(op, answer);
  const [page, sequence, maxItems, maxBytes] = [op.number(), op.number(), op.number(), op.number()];
  let bytes = 0;
  const rows = id === undefined || maxItems < 1 ? [] : itemsAfter.iterate(id, page, sequence, maxItems);
  for (const row of rows) {
    const value = row.value as Uint8Array;
    answer.put(Number(row.page));
    answer.put(Number(row.sequence));
    answer.put(Number(row.published_at_ms));
    answer.put(Number(row.is_text));
    answer.put(String(row.token_id));
    answer.put(row.attributes as string | null);
    answer.putBlob(value);
    bytes += value.byteLength;
    if (bytes >= maxBytes) break;
  }
  answer.put(0);
}

function readItem(op: FieldReader, answer: FieldWriter): void {
  const row = item.get(op.number(), op.blob());
  answer.put(row === undefined ? null : Number(row.expires_at_ms));
  if (row === undefined) return;
  answer.put(row.type as number);
  answer.putBlob(row.value as Uint8Array);
}

function readItemState(op: FieldReader, answer: FieldWriter): void {
  const row = itemState.get(op.number(), op.blob());
  answer.put(row === undefined ? null : Number(row.expires_at_ms));
  if (row !== undefined) answer.put(row.type as number);
}

function send(answer: ReadAnswer): void {
  port?.postMessage(answer, answer.packed === undefined ? [] : [answer.packed.bytes]);
}

/** One entry per read; the main thread writes the same names. */
const reads: Readonly<Record<string, Read>> = {
  head: readHead,
  topic: readItems,
  item: readItem,
  itemState: readItemState,
  ...dictionaryReads(db),
  ...listReads(db),
  ...sortedSetReads(db),
  ...setReads(db),
  peek: queues.peek,
  counts: queues.counts,
  subscription: subscriptions.state,
  deliveries: subscriptions.deliveries,
  failures: subscriptions.failures,
  deadTopics: subscriptions.deadTopics,
  deadLetters: subscriptions.deadLetters,
  presence: createPresenceReader(db),
};

function answerOne(op: FieldReader, answer: FieldWriter): void {
  const name = op.text();
  const read = reads[name];
  if (read === undefined) throw new Error(`no read ${name}`);
  read(op, answer);
}

// One snapshot for each answer: a head never falls behind the items read beside it, and the WAL can begin anew between two.
function answerAll(request: ReadRequest): void {
  const op = new FieldReader(request.packed);
  let left = request.count;
  try {
    while (!op.isDone) {
      const answer = new FieldWriter();
      let count = 0;
      begin.run();
      for (; !op.isDone && answer.byteLength < answerBytes; count++) answerOne(op, answer);
      end.run();
      send({ count, packed: answer.finish(), failure: undefined });
      left -= count;
    }
  } catch (error) {
    send({ count: left, packed: undefined, failure: classifyFailure(error) });
    if (db.isTransaction) end.run();
  }
}

port.on("message", (request: ReadRequest | "close") => {
  if (request === "close") {
    db.close();
    port.close();
  } else {
    answerAll(request);
  }
});
port.postMessage("opened");
