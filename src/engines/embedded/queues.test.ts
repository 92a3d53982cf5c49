// What only this engine promises of queues: what its file looks like after crashes, rollbacks and migrations.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import type { QueueKey } from "../../domain/queues/queue.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";
import { migrations, schemaVersion } from "./schema.ts";

const t0 = 1_000_000;
let dataDir: string;
let opened: EmbeddedEngine | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-queues-"));
});
afterEach(async () => {
  await opened?.close();
  rmSync(dataDir, { recursive: true });
});

async function open(): Promise<EmbeddedEngine> {
  await opened?.close();
  opened = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
  return opened;
}

async function aQueue(engine: EmbeddedEngine, queue: string): Promise<QueueKey> {
  const { id } = await engine.records.create({ kind: "queue", environment: "dev", name: queue }, {});
  return { environment: "dev", queue, queueId: id };
}

async function send(engine: EmbeddedEngine, key: QueueKey, ...bodies: string[]): Promise<void> {
  const times = { sentAtMs: t0, readyAtMs: t0 };
  const messages = bodies.map((body, n) => ({
    messageId: `${n} ${body.slice(0, 9)}`,
    isIdChosen: true,
    body,
    attributes: undefined,
    sender: "",
    traceHeader: undefined,
    ...times,
  }));
  for (const result of await engine.queues.send(key, messages)) expect(result).toMatchObject({ isRepeat: false });
}

async function receive(engine: EmbeddedEngine, key: QueueKey) {
  const request = { maxMessages: 10, nowMs: t0, hiddenUntilMs: t0 + 9, deadLetter: undefined };
  return (await engine.queues.receive(key, request)).messages;
}

async function sweep(engine: EmbeddedEngine): Promise<void> {
  while ((await engine.queues.trim(1, [])).hasMore);
}

/** Closes the engine and looks into, or changes, its file. */
async function inFile<T>(work: (db: DatabaseSync) => T): Promise<T> {
  await opened?.close();
  const db = new DatabaseSync(join(dataDir, "todoku.db"));
  try {
    return work(db);
  } finally {
    db.close();
  }
}

function rowCounts(db: DatabaseSync): Record<string, unknown> {
  const tables = ["queues", "queue_messages", "queue_bodies", "queue_message_ids", "forgotten"];
  const counts = tables.map((table) => [table, db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n]);
  return {
    ...Object.fromEntries(counts),
    bytes: db.prepare("SELECT sum(queue_bytes) AS n FROM environments").get()?.n,
  };
}

const nothing = { queues: 0, queue_messages: 0, queue_bodies: 0, queue_message_ids: 0, forgotten: 0, bytes: 0 };

it("frees every row of a queue that is forgotten and removed, and of one whose record went without a forget", async () => {
  const engine = await open();
  const [gone, crashed] = [await aQueue(engine, "gone"), await aQueue(engine, "crashed")];
  const bodies = Array.from({ length: 600 }, (_, n) => `${n}`.padEnd(n % 2 ? 1500 : 5, "."));
  for (const key of [gone, crashed]) await send(engine, key, ...bodies);
  await receive(engine, gone);
  await engine.queues.forget(gone);
  await engine.records.remove({ kind: "queue", environment: "dev", name: gone.queue });
  await sweep(engine);
  const left = await inFile((db) => {
    db.exec("DELETE FROM records");
    return rowCounts(db);
  });
  expect(left).toMatchObject({ queues: 1, queue_messages: 600, queue_bodies: 300, forgotten: 0 });
  await sweep(await open());
  expect(await inFile(rowCounts)).toEqual(nothing);
});

it("frees every row of messages that are deleted or past their retention, also after a move", async () => {
  const engine = await open();
  const [key, target] = [await aQueue(engine, "q"), await aQueue(engine, "target")];
  await send(engine, key, "x".repeat(2000), "y".repeat(2000), "z".repeat(2000));
  await engine.queues.move(key, { target }, { maxMessages: 1, nowMs: t0 });
  await engine.queues.delete(
    key,
    (await receive(engine, key)).slice(1).map(({ receipt }) => receipt),
  );
  const rules = [key, target].map((one) => ({ key: one, retentionMs: 60_000, deadLetter: undefined }));
  while ((await engine.queues.trim(t0 + limits.messageIdWindowMs, rules)).hasMore);
  expect(await inFile(rowCounts)).toEqual({ ...nothing, queues: 2 });
});

it("a batch that is rolled back leaves counters, messages and receipts as they were", async () => {
  const engine = await open();
  const [key, other] = [await aQueue(engine, "q"), await aQueue(engine, "other")];
  await send(engine, key, "a", "b");
  const [first] = await receive(engine, key);
  if (first === undefined) throw new Error("nothing was received");
  const before = await engine.queues.counts(key, t0);
  engine.limitFileBytes(400_000);
  const batch = [
    engine.queues.delete(key, [first.receipt]),
    engine.queues.giveBack(key, [first]),
    engine.queues.forget(key),
    send(engine, other, "x".repeat(800_000)),
  ];
  for (const outcome of await Promise.allSettled(batch))
    expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
  const isOpen = new Promise<void>((resolve) => engine.onHealth(({ status }) => status === "open" && resolve()));
  engine.limitFileBytes(100_000_000);
  await isOpen;
  await sweep(engine);
  expect(await engine.queues.counts(key, t0)).toEqual(before);
  await send(engine, key, "c");
  expect((await receive(engine, key)).map(({ body, sequence }) => [body, sequence])).toEqual([["c", 3]]);
  expect(await engine.queues.delete(key, [first.receipt])).toEqual(["done"]);
});

it("opens a file of the first version, and what was forgotten there stays so", async () => {
  prepareDataDirectory(dataDir);
  await inFile((db) => {
    db.exec(`PRAGMA auto_vacuum = INCREMENTAL; ${migrations[0]}; PRAGMA user_version = 1`);
    db.exec("INSERT INTO environments (name, topic_bytes, item_bytes) VALUES ('dev', 0, 0)");
    db.exec("INSERT INTO records VALUES ('cache', 'dev', 'c', 7, 1, '{}'); INSERT INTO forgotten VALUES (7, 'items')");
  });
  const engine = await open();
  const item = { value: new Uint8Array(1), expiresAtMs: 9e12 };
  const cache = { environment: "dev", cache: "c", cacheId: 7 };
  await expect(engine.items.disk.set(cache, item.value, item)).rejects.toMatchObject({ code: "not_found" });
  const key = await aQueue(engine, "q");
  await send(engine, key, "a");
  expect(await receive(engine, key)).toHaveLength(1);
  expect(await inFile((db) => db.prepare("PRAGMA user_version").get()?.user_version)).toBe(schemaVersion);
});

it("once the last short number is given, a queue takes one that is free again", async () => {
  const engine = await open();
  const last = await aQueue(engine, "last");
  await send(engine, last, "last");
  await inFile((db) =>
    db.exec(
      "UPDATE queues SET queue = (1 << 19) - 1; UPDATE queue_messages SET row = (((1 << 19) - 1) << 44) | 1, queue = (1 << 19) - 1",
    ),
  );
  const again = await open();
  const keys = [await aQueue(again, "a"), await aQueue(again, "b")];
  for (const key of keys) await send(again, key, key.queue, "x".repeat(2000));
  for (const key of [...keys, last]) expect((await receive(again, key))[0]?.body).toBe(key.queue);
  await again.queues.trim(t0 + 60_000, [{ key: last, retentionMs: 60_000, deadLetter: undefined }]);
  expect(await again.queues.peek(last, 0, { maxMessages: 9, maxBytes: 9 })).toEqual([]);
  expect(await inFile((db) => db.prepare("SELECT queue FROM queues ORDER BY queue").all())).toMatchObject([
    { queue: 1 },
    { queue: 2 },
    { queue: 2 ** 19 - 1 },
  ]);
});
