// What is true of the embedded engine only: its file, its threads, its lock.
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import type { EngineHealth } from "../../domain/engine.ts";
import { limits } from "../../domain/limits.ts";
import type { NewItem, TopicKey } from "../../domain/topics/store.ts";
import { backupDataDirectory, type EmbeddedEngine, type EmbeddedEngineOptions, openEmbeddedEngine } from "./index.ts";
import { schemaVersion } from "./schema.ts";

const start = { page: 0, sequence: 0 };
const bytes = (text: string) => new TextEncoder().encode(text);
let root: string;
let dataDir: string;
const engines: EmbeddedEngine[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "todoku-storage-"));
  dataDir = join(root, "data");
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  rmSync(root, { recursive: true });
});

async function open(more: Partial<EmbeddedEngineOptions> = {}): Promise<EmbeddedEngine> {
  const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now, ...more });
  engines.push(engine);
  return engine;
}

async function aCache(engine: EmbeddedEngine, cache = "c"): Promise<CacheKey> {
  const { id } = await engine.records.create(
    { kind: "cache", environment: "dev", name: cache },
    { durability: "disk" },
  );
  return { environment: "dev", cache, cacheId: id };
}

function anItem(key: TopicKey, text = "x"): NewItem {
  const value = { isText: true, bytes: bytes(text) };
  return { key, value, attributes: undefined, tokenId: "", publishedAtMs: 1_000_000, messageId: undefined };
}

function nextHealth(engine: EmbeddedEngine): Promise<EngineHealth> {
  return new Promise((resolve) => engine.onHealth(resolve));
}

describe("group commit", () => {
  it("commits what is written in one tick, by whichever port, together", async () => {
    const engine = await open();
    const cache = await aCache(engine);
    const before = engine.stats();
    const topics = Array.from({ length: 500 }, (_, n) =>
      engine.topics.disk.append([anItem({ cache, topic: `t${n % 7}` })]),
    );
    const item = engine.items.disk.set(cache, bytes("k"), { value: bytes("v"), expiresAtMs: 9e12 });
    const record = engine.records.create({ kind: "key", environment: "dev", name: "k" }, {});
    await Promise.all([...topics, item, record]);
    const after = engine.stats();
    expect(after.operations - before.operations).toBe(502);
    expect(after.commits - before.commits).toBe(1);
    expect(after.pendingItems).toBe(0);
    expect(after.pendingBytes).toBe(0);
  });

  it("splits what is more than a batch may hold, and keeps the order", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const one = Array.from({ length: 1000 }, () => anItem(key));
    const results = await Promise.all(Array.from({ length: 10 }, () => engine.topics.disk.append(one)));
    const sequences = results.flat().map((result) => "position" in result && result.position.sequence);
    expect(sequences).toEqual(Array.from({ length: 10_000 }, (_, n) => n + 1));
    expect(engine.stats().commits).toBeGreaterThanOrEqual(10_000 / limits.batchMaxItems);
  });

  it("refuses writes when too many wait, and takes them again once those are committed", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const one = Array.from({ length: 4000 }, () => anItem(key));
    const appends = Array.from({ length: 26 }, () => engine.topics.disk.append(one));
    const outcomes = await Promise.allSettled(appends);
    const refused = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(refused).toHaveLength(1);
    expect(refused[0]?.reason).toMatchObject({ code: "unavailable" });
    expect(await engine.topics.disk.append([anItem(key)])).toMatchObject([{ position: { sequence: 100_001 } }]);
  });

  it("a long read does not hold up a commit", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    for (let n = 0; n < 5; n++) {
      await engine.topics.disk.append(Array.from({ length: 4000 }, () => anItem(key, "x".repeat(200))));
    }
    let isRead = false;
    const reads = Array.from({ length: 6 }, () =>
      engine.topics.disk.read(key, start, { maxItems: 1e5, maxBytes: 1e9 }),
    );
    const reading = Promise.all(reads).then((all) => {
      isRead = true;
      return all;
    });
    for (let n = 0; n < 3; n++) await engine.topics.disk.append([anItem(key)]);
    expect(isRead).toBe(false);
    expect((await reading)[0]?.items.length).toBeGreaterThanOrEqual(20_000);
  });
});

describe("states", () => {
  it("a full disk: the batch and all behind it are refused, reads go on, and it opens again by itself", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    await engine.topics.disk.append([anItem(key, "kept")]);
    engine.limitFileBytes(400_000);
    const refusing = nextHealth(engine);
    const large = () => engine.topics.disk.append([anItem(key, "x".repeat(200_000))]);
    const outcomes = await Promise.allSettled([large(), large(), large(), engine.topics.disk.append([anItem(key)])]);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: "unavailable" } });
    expect(await refusing).toMatchObject({ status: "refusing", reason: expect.stringMatching(/full/) });
    await expect(engine.records.create({ kind: "k", environment: "e", name: "n" }, {})).rejects.toMatchObject({
      code: "unavailable",
    });
    expect((await engine.topics.disk.read(key, start, { maxItems: 9, maxBytes: 9 })).items).toHaveLength(1);
    const opened = nextHealth(engine);
    engine.limitFileBytes(100_000_000);
    expect(await opened).toEqual({ status: "open", reason: undefined });
    // The numbers of the refused batch were never given.
    expect(await large()).toMatchObject([{ position: { sequence: 2 } }]);
  });

  it("a refused removal leaves the cache as it was", async () => {
    const engine = await open();
    const cache = await aCache(engine);
    const key = { cache, topic: "t" };
    await engine.topics.disk.append([anItem(key, "kept")]);
    const other = { cache: await aCache(engine, "other"), topic: "t" };
    engine.limitFileBytes(400_000);
    const removal = engine.records.remove({ kind: "cache", environment: "dev", name: "c" });
    const large = engine.topics.disk.append([anItem(other, "x".repeat(500_000))]);
    await expect(removal).rejects.toMatchObject({ code: "unavailable" });
    await expect(large).rejects.toMatchObject({ code: "unavailable" });
    const opened = nextHealth(engine);
    engine.limitFileBytes(100_000_000);
    await opened;
    while (await engine.topics.disk.trim(1_000_000));
    expect((await engine.topics.disk.read(key, start, { maxItems: 9, maxBytes: 9 })).items).toHaveLength(1);
    expect(await engine.topics.disk.append([anItem(key)])).toMatchObject([{ position: { sequence: 2 } }]);
  });

  it("a dead storage thread: failed for ever, everything under way is refused", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const failed = nextHealth(engine);
    const append = engine.topics.disk.append([anItem(key)]);
    const ended = engine.storage.writer.terminate();
    await expect(append).rejects.toMatchObject({ code: "unavailable" });
    await ended;
    expect(await failed).toMatchObject({ status: "failed" });
    await expect(engine.topics.disk.append([anItem(key)])).rejects.toMatchObject({ code: "unavailable" });
  });

  it("a damaged file is not opened", async () => {
    const engine = await open();
    const cache = await aCache(engine);
    for (let n = 0; n < 20; n++) {
      await engine.topics.disk.append(Array.from({ length: 50 }, (_, i) => anItem({ cache, topic: `t${n}-${i}` })));
    }
    await engine.close();
    const path = join(dataDir, "todoku.db");
    const { size } = statSync(path);
    writeFileSync(path, new Uint8Array(size - 16_384).fill(0xa5), { flag: "r+", flush: true });
    await expect(open()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("damage met while it runs: failed", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    await engine.close();
    const db = new DatabaseSync(join(dataDir, "todoku.db"));
    const { rootpage } = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'topic_items'").get() ?? {};
    db.close();
    const page = new Uint8Array(4096).fill(0xa5);
    const file = openSync(join(dataDir, "todoku.db"), "r+");
    writeSync(file, page, 0, page.length, (Number(rootpage) - 1) * 4096);
    closeSync(file);
    const broken = await open();
    const failed = nextHealth(broken);
    await expect(broken.topics.disk.append([anItem(key)])).rejects.toMatchObject({ code: "unavailable" });
    expect(await failed).toMatchObject({ status: "failed" });
  });
});

describe("the data directory", () => {
  it("takes one process at a time and says who has it; closing frees it", async () => {
    const engine = await open();
    await expect(open()).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    await expect(open()).rejects.toMatchObject({ code: "failed_precondition" });
    await engine.close();
    await open();
  });

  it("is private: directory 0700, files 0600", async () => {
    const engine = await open();
    await aCache(engine);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    const files = readdirSync(dataDir);
    expect(files).toEqual(
      expect.arrayContaining(["lock.db", "lock.json", "todoku.db", "todoku.db-shm", "todoku.db-wal"]),
    );
    for (const file of files) expect([file, statSync(join(dataDir, file)).mode & 0o777]).toEqual([file, 0o600]);
  });

  it("closing leaves one file with everything in it", async () => {
    const engine = await open();
    const cache = await aCache(engine);
    const append = engine.topics.disk.append([anItem({ cache, topic: "t" })]);
    await engine.close();
    expect(await append).toMatchObject([{ position: { sequence: 1 } }]);
    expect(readdirSync(dataDir).sort()).toEqual(["lock.db", "todoku.db"]);
    await expect(engine.topics.disk.append([anItem({ cache, topic: "t" })])).rejects.toMatchObject({
      code: "unavailable",
    });
  });

  it("refuses a file that a newer program wrote", async () => {
    await (await open()).close();
    const db = new DatabaseSync(join(dataDir, "todoku.db"));
    db.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
    db.close();
    await expect(open()).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringContaining("newer"),
    });
  });

  it("frees the rows of caches whose record went without a forget", async () => {
    const engine = await open();
    const cache = await aCache(engine);
    await engine.topics.disk.append([anItem({ cache, topic: "t" })]);
    await engine.items.disk.set(cache, bytes("k"), { value: bytes("v"), expiresAtMs: 9e12 });
    await engine.close();
    const path = join(dataDir, "todoku.db");
    const crashed = new DatabaseSync(path);
    crashed.exec("DELETE FROM records");
    crashed.close();
    const again = await open();
    while (await again.topics.disk.trim(1_000_000));
    while (await again.items.disk.sweep(1_000_000));
    await again.close();
    const db = new DatabaseSync(path);
    for (const table of ["topics", "topic_items", "items", "forgotten"]) {
      expect([table, db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n]).toEqual([table, 0]);
    }
    expect(db.prepare("SELECT topic_bytes + item_bytes AS n FROM environments").get()?.n).toBe(0);
    db.close();
  });

  it("gives freed space back to the file system", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const item = anItem(key, "x".repeat(50_000));
    for (let n = 0; n < 8; n++) await engine.topics.disk.append(Array.from({ length: 80 }, () => item));
    await engine.topics.disk.forget(key.cache);
    while (await engine.topics.disk.trim(1_000_000));
    await engine.close();
    expect(statSync(join(dataDir, "todoku.db")).size).toBeLessThan(12_000_000);
  });
});

describe("backup", () => {
  it("copies one moment while writes go on, into a private file that is marked as a copy", async () => {
    const engine = await open();
    const key = { cache: await aCache(engine), topic: "t" };
    const target = join(root, "copy.db");
    await engine.topics.disk.append([anItem(key)]);
    let isDone = false;
    const backup = backupDataDirectory(dataDir, target).finally(() => {
      isDone = true;
    });
    let written = 1;
    while (!isDone) written += (await engine.topics.disk.append([anItem(key), anItem(key)])).length;
    await backup;
    expect(statSync(target).mode & 0o777).toBe(0o600);
    await engine.close();
    mkdirSync(join(root, "restored"));
    copyFileSync(target, join(root, "restored", "todoku.db"));
    const restored = await open({ dataDir: join(root, "restored") });
    const { items, head } = await restored.topics.disk.read(key, start, { maxItems: 1e5, maxBytes: 1e9 });
    expect(items.map((item) => item.sequence)).toEqual(items.map((_, n) => n + 1));
    expect(items.length).toBeLessThanOrEqual(written);
    expect(head.page).toBeGreaterThan(items[0]?.page ?? Number.NaN);
  });

  it("works without a server, refuses a target that exists, and leaves nothing behind when it fails", async () => {
    await (await open()).close();
    await backupDataDirectory(dataDir, join(root, "copy.db"));
    await expect(backupDataDirectory(dataDir, join(root, "copy.db"))).rejects.toMatchObject({ code: "already_exists" });
    await expect(backupDataDirectory(join(root, "nothing"), join(root, "none.db"))).rejects.toMatchObject({
      code: "not_found",
    });
    const nowhere = backupDataDirectory(dataDir, join(root, "missing", "copy.db"));
    await expect(nowhere).rejects.toMatchObject({ code: "failed_precondition" });
    writeFileSync(join(dataDir, "todoku.db"), "not a database, not a database");
    await expect(backupDataDirectory(dataDir, join(root, "none.db"))).rejects.toMatchObject({ code: "unavailable" });
    expect(existsSync(join(root, "none.db"))).toBe(false);
    await expect(open()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("a data directory that cannot be made is said so", async () => {
    writeFileSync(join(root, "file"), "");
    const inFile = open({ dataDir: join(root, "file", "data") });
    await expect(inFile).rejects.toMatchObject({ code: "failed_precondition" });
  });
});
