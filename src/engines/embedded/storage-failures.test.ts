// What a second, hostile look at the storage found: threads that end, batches that are rolled back, disks and starts that go wrong.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import { limits } from "../../domain/limits.ts";
import type { NewItem, TopicKey } from "../../domain/topics/store.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { backupDataDirectory, type EmbeddedEngine, type EmbeddedEngineOptions, openEmbeddedEngine } from "./index.ts";

const start = { page: 0, sequence: 0 };
const all = { maxItems: 1e5, maxBytes: 1e9 };
const bytes = (text: string) => new TextEncoder().encode(text);
let root: string;
let dataDir: string;
const engines: EmbeddedEngine[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "todoku-failures-"));
  dataDir = join(root, "data");
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const engine of engines.splice(0)) await engine.close();
  rmSync(root, { recursive: true });
});

async function open(more: Partial<EmbeddedEngineOptions> = {}): Promise<EmbeddedEngine> {
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now, ...more });
  engines.push(engine);
  return engine;
}

async function aCache(engine: EmbeddedEngine, cache = "c"): Promise<CacheKey> {
  const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: cache }, {});
  return { environment: "dev", cache, cacheId: id };
}

function anItem(key: TopicKey, text = "x", more: Partial<NewItem> = {}): NewItem {
  const value = { isText: true, bytes: bytes(text) };
  return { key, value, attributes: undefined, tokenId: "", publishedAtMs: 1_000_000, messageId: undefined, ...more };
}

function openAgain(engine: EmbeddedEngine): Promise<void> {
  return new Promise((resolve) => engine.onHealth((health) => health.status === "open" && resolve()));
}

/** Two connections; one's snapshot begins before the other's ends, as replays of many subscribers do. */
const overlappingReaders = `
  const { DatabaseSync } = require("node:sqlite"); const { parentPort, workerData: { path, stop } } = require("node:worker_threads");
  const readers = [0, 1].map(() => new DatabaseSync(path, { readOnly: true, timeout: 1000 }));
  const begin = (reader) => reader.exec("BEGIN; SELECT * FROM sqlite_schema");
  begin(readers[0]); parentPort.postMessage("reads");
  for (let n = 1; Atomics.wait(stop, 0, 0, 10) === "timed-out"; n++) { begin(readers[n % 2]); readers[(n + 1) % 2].exec("COMMIT"); }
  for (const reader of readers) reader.close();`;

describe("a thread that ends", () => {
  it("the reader: questions under way and to come are refused, none waits for ever", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const asked = engine.topics.disk.head(key);
    const ended = engine.storage.reader.terminate();
    await expect(asked).rejects.toMatchObject({ code: "unavailable" });
    await ended;
    expect(engine.health().status).toBe("failed");
    await expect(engine.topics.disk.read(key, start, all)).rejects.toMatchObject({ code: "unavailable" });
    await expect(engine.items.disk.get(key.cache, bytes("k"), 0)).rejects.toMatchObject({ code: "unavailable" });
  });

  it("the reader: a batch that is being committed is still acknowledged, for it is on disk", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const append = engine.topics.disk.append(Array.from({ length: 4000 }, () => anItem(key, "x".repeat(1000))));
    await new Promise((resolve) => setImmediate(resolve));
    await engine.storage.reader.terminate();
    expect((await append).at(-1)).toMatchObject({ position: { sequence: 4000 } });
    await expect(engine.topics.disk.append([anItem(key)])).rejects.toMatchObject({ code: "unavailable" });
  });

  it("the storage thread, while the reader starts: the engine does not open", async () => {
    const { once } = Worker.prototype;
    const spy = vi.spyOn(Worker.prototype, "once").mockImplementation(function (this: Worker, event, listener) {
      if (event !== "message") return once.call(this, event, listener);
      spy.mockRestore();
      return once.call(this, event, (message: unknown) => {
        listener(message);
        void this.terminate();
      });
    });
    await expect(open()).rejects.toMatchObject({ code: "unavailable" });
    await open();
  });
});

describe("a rollback", () => {
  it("of a sweep: the rows it had freed are freed later, and counted right", async () => {
    const engine = await open();
    const [gone, kept] = [await aCache(engine, "gone"), await aCache(engine, "kept")];
    await engine.topics.disk.append([anItem({ cache: gone, topic: "t" }, "x".repeat(1000))]);
    await engine.items.disk.set(gone, bytes("k"), { value: bytes("v"), expiresAtMs: 9e15 });
    const { id: queueId } = await engine.records.create({ kind: "queue", environment: "dev", name: "gone" }, {});
    const from = { sender: "", traceHeader: undefined };
    const texts = { messageId: "m", isIdChosen: true, body: "b", attributes: undefined, ...from };
    const message = { ...texts, sentAtMs: 1, readyAtMs: 1 };
    await engine.queues.send({ environment: "dev", queue: "gone", queueId }, [message]);
    const upkeep = async () => {
      while (await engine.topics.disk.trim(1));
      while (await engine.items.disk.sweep(1));
      while ((await engine.queues.trim(1, [])).hasMore);
    };
    await upkeep();
    for (const kind of ["cache", "queue"]) await engine.records.remove({ kind, environment: "dev", name: "gone" });
    engine.limitFileBytes(400_000);
    const batch = [
      engine.topics.disk.trim(1),
      engine.topics.disk.trim(1),
      engine.items.disk.sweep(1),
      engine.queues.trim(1, []),
    ];
    const large = engine.topics.disk.append([anItem({ cache: kept, topic: "t" }, "x".repeat(800_000))]);
    const outcomes = await Promise.allSettled([...batch, large]);
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
    const opened = openAgain(engine);
    engine.limitFileBytes(100_000_000);
    await opened;
    await upkeep();
    await engine.close();
    const db = new DatabaseSync(join(dataDir, "todoku.db"));
    for (const table of ["topics", "topic_items", "items", "queues", "queue_messages", "queue_message_ids"]) {
      expect([table, db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n]).toEqual([table, 0]);
    }
    expect(db.prepare("SELECT topic_bytes + item_bytes + queue_bytes AS n FROM environments").get()?.n).toBe(0);
    db.close();
  });

  it("for want of room: history that is too old makes the room by itself", async () => {
    let nowMs = 1_000_000;
    const engine = await open({ wallMs: () => nowMs, history: { ...limits.history, maxAgeMs: 60_000 } });
    const key = { cache: await aCache(engine), topic: "t" };
    engine.limitFileBytes(1_500_000);
    const opened = openAgain(engine);
    let appended = 0;
    for (; engine.health().status === "open"; appended++) {
      await engine.topics.disk.append([anItem(key, "x".repeat(50_000))]).catch(() => appended--);
    }
    nowMs += 120_000;
    await opened;
    expect(await engine.topics.disk.append([anItem(key)])).toMatchObject([{ position: { sequence: appended + 1 } }]);
  });

  it("for want of room: what else is too old makes it where dead letters of old history find none", async () => {
    let nowMs = 1_000_000;
    const engine = await open({ wallMs: () => nowMs, history: { ...limits.history, maxAgeMs: 60_000 } });
    const cache = await aCache(engine);
    const key = { cache, topic: "t" };
    const { id } = await engine.records.create({ kind: "subscription", environment: "dev", name: "w" }, {});
    const start = { key, position: { page: cache.cacheId, sequence: 0 }, pending: [] };
    await engine.subscriptions.open({ environment: "dev", id }, start);
    for (let n = 0; n < 10; n++) {
      await engine.items.disk.set(cache, bytes(`k${n}`), {
        value: new Uint8Array(50_000),
        expiresAtMs: nowMs + 60_000,
      });
    }
    engine.limitFileBytes(1_500_000);
    const opened = openAgain(engine);
    while (engine.health().status === "open") {
      await engine.topics.disk.append([anItem(key, "x".repeat(50_000))]).catch(() => {});
    }
    nowMs += 120_000;
    await opened;
    await engine.topics.disk.append([anItem(key)]);
  });
});

describe("memory and disk stay bounded", () => {
  it("attributes count among the bytes that wait for the disk", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const attributes = { a: { type: "String", value: "a".repeat(16_000) } };
    const fits = Math.floor(limits.pendingMaxBytes / 16_008);
    const appends = Array.from({ length: fits + 100 }, () =>
      engine.topics.disk.append([anItem(key, "x", { attributes })]),
    );
    const outcomes = await Promise.allSettled(appends);
    expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(100);
    expect(engine.stats()).toMatchObject({ pendingItems: 0, pendingBytes: 0 });
  });

  it("the write-ahead log begins anew although somebody reads at every moment", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const readers = new Worker(overlappingReaders, {
      eval: true,
      workerData: { path: join(dataDir, "todoku.db"), stop },
    });
    await new Promise((resolve) => readers.once("message", resolve));
    let walBytes = 0;
    for (let n = 0; n < 220; n++) {
      await engine.topics.disk.append(Array.from({ length: 10 }, () => anItem(key, "y".repeat(100_000))));
      walBytes = Math.max(walBytes, engine.stats().walBytes);
    }
    Atomics.store(stop, 0, 1);
    await new Promise((resolve) => readers.once("exit", resolve));
    expect(walBytes).toBeLessThan(180_000_000);
  });

  it("many large answers come one by one and each to its own question", async () => {
    const engine = await open();
    const cache = await aCache(engine);
    for (let n = 0; n < 100; n++) {
      await engine.items.disk.set(cache, bytes(`k${n}`), { value: new Uint8Array(300_000).fill(n), expiresAtMs: 9e15 });
    }
    await engine.close();
    const again = await open();
    const found = await Promise.all(
      Array.from({ length: 101 }, (_, n) => again.items.disk.get(cache, bytes(`k${n}`), 0)),
    );
    expect(found.map((item) => item?.value[299_999])).toEqual([...Array.from({ length: 100 }, (_, n) => n), undefined]);
    expect(found[0]?.value.buffer.byteLength).toBeLessThan(3_000_000);
  });
});

describe("a start", () => {
  it("a backup that is put back twice gives other pages and ids the second time", async () => {
    let nowMs = Date.now();
    const wallMs = () => nowMs;
    const engine = await open({ wallMs });
    const key = { cache: await aCache(engine), topic: "t" };
    await engine.topics.disk.append([anItem(key)]);
    async function restore(from: string, name: string): Promise<{ page: number; id: number }> {
      nowMs += 1000;
      const copy = join(root, name);
      mkdirSync(copy);
      copyFileSync(from, join(copy, "todoku.db"));
      const restored = await open({ wallMs, dataDir: copy });
      const [result] = await restored.topics.disk.append([anItem(key)]);
      const { cacheId } = await aCache(restored, name);
      await restored.close();
      return { page: result && "position" in result ? result.position.page : 0, id: cacheId };
    }
    const [first, second] = [join(root, "first.db"), join(root, "second.db")];
    await backupDataDirectory(dataDir, first);
    const once = await restore(first, "once");
    // It has once been restored, so its ids are ahead of the clock.
    await backupDataDirectory(join(root, "once"), second);
    const [twice, thrice] = [await restore(second, "twice"), await restore(second, "thrice")];
    expect(twice.page).toBeGreaterThan(once.id);
    expect(thrice.page).toBeGreaterThan(twice.id);
  });

  it("needs no lock.json: the lock holds without it", async () => {
    mkdirSync(join(dataDir, "lock.json"), { recursive: true });
    const engine = await open();
    await expect(open()).rejects.toMatchObject({ code: "failed_precondition" });
    await engine.close();
    await open();
  });

  it("waits out another that only looked at the lock: of two starts at the same moment one wins", async () => {
    prepareDataDirectory(dataDir);
    const looking = new Worker(
      `const { DatabaseSync } = require("node:sqlite"); const { parentPort, workerData } = require("node:worker_threads");
      const db = new DatabaseSync(workerData); db.exec("BEGIN; SELECT * FROM sqlite_schema"); parentPort.postMessage("looks");
      setTimeout(() => db.close(), 60);`,
      { eval: true, workerData: join(dataDir, "lock.db") },
    );
    await new Promise((resolve) => looking.once("message", resolve));
    await open();
  });
});
