// What only this engine promises of lists: what its file looks like after cuts, deletions, rollbacks and migrations.
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import type { ListPush } from "../../domain/cache/list-store.ts";
import { prepareDataDirectory } from "./data-directory.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";
import { migrations, schemaVersion } from "./schema.ts";

const nowMs = 1_000_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const key = bytes("k");
const all = { start: undefined, end: undefined };
const expiry = { expiresAtMs: 9e12, isRefreshed: false };
let dataDir: string;
let opened: EmbeddedEngine | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-lists-"));
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

async function aCache(engine: EmbeddedEngine, environment = "dev"): Promise<CacheKey> {
  const { id } = await engine.records.create({ kind: "cache", environment, name: "c" }, {});
  return { environment, cache: "c", cacheId: id };
}

function aPush(count: number, more: Partial<ListPush> = {}): ListPush {
  const values = Array.from({ length: count }, (_, n) => bytes(`${n}`));
  return { end: "back", values, truncateTo: undefined, expiry, ...more };
}

const texts = (values: readonly Uint8Array[] | undefined) => values?.map((value) => new TextDecoder().decode(value));

/** Rows of elements and of what is to be freed, and bytes that count: from a connection of its own, as of the last commit. */
function inFile(): { elements: number; freed: number; bytes: number } {
  const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  const row = db
    .prepare(
      "SELECT (SELECT count(*) FROM list_elements) AS elements, (SELECT count(*) FROM freed_collections) AS freed, (SELECT coalesce(sum(item_bytes), 0) FROM environments) AS bytes",
    )
    .get();
  db.close();
  return { ...row } as ReturnType<typeof inFile>;
}

it("a large list is deleted at once and freed in steps, across a restart too; its bytes can be used meanwhile", async () => {
  let engine = await open();
  const cache = await aCache(engine);
  for (let n = 0; n < 2; n++) await engine.lists.disk.push(cache, key, aPush(50_000), nowMs);
  await engine.items.disk.delete(cache, key);
  expect(inFile()).toEqual({ elements: 100_000, freed: 1, bytes: 0 });
  expect(await engine.items.disk.sweep(nowMs)).toBe(true);
  const { elements } = inFile();
  expect(elements).toBeGreaterThan(0);
  expect(elements).toBeLessThan(100_000);
  await engine.lists.disk.push(cache, key, aPush(3), nowMs);
  engine = await open();
  while (await engine.items.disk.sweep(nowMs));
  expect(inFile()).toMatchObject({ elements: 3, freed: 0 });
  expect(texts(await engine.lists.disk.fetch(cache, key, all, nowMs))).toEqual(["0", "1", "2"]);
});

it("who pushes and deletes faster than sweeps come frees as much as they add: the file does not grow without bound", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  for (let round = 0; round < 20; round++) {
    await engine.lists.disk.push(cache, key, aPush(20_000), nowMs);
    await engine.items.disk.delete(cache, key);
  }
  // Of 400,000.
  expect(inFile().elements).toBeLessThan(120_000);
  expect(inFile().bytes).toBe(0);
});

it("elements that were cut off may lie where new ones are pushed: those stay", async () => {
  let engine = await open();
  const cache = await aCache(engine);
  await engine.lists.disk.push(cache, key, aPush(1000), nowMs);
  expect(await engine.lists.disk.retain(cache, key, { start: 400, end: 403 }, expiry, nowMs)).toBe(3);
  expect(inFile()).toMatchObject({ elements: 1000, freed: 1 });
  await engine.lists.disk.push(cache, key, aPush(2), nowMs);
  await engine.lists.disk.push(cache, key, aPush(2, { end: "front" }), nowMs);
  engine = await open();
  const expected = ["0", "1", "400", "401", "402", "0", "1"];
  expect(texts(await engine.lists.disk.fetch(cache, key, all, nowMs))).toEqual(expected);
  while (await engine.items.disk.sweep(nowMs));
  expect(inFile()).toMatchObject({ elements: 7, freed: 0 });
  expect(texts(await engine.lists.disk.fetch(cache, key, all, nowMs))).toEqual(expected);
  for (const value of expected) {
    expect(texts([(await engine.lists.disk.pop(cache, key, "front", nowMs))?.value ?? key])).toEqual([value]);
  }
  while (await engine.items.disk.sweep(nowMs));
  expect(inFile()).toEqual({ elements: 0, freed: 0, bytes: 0 });
});

it("bytes are counted right through every kind of change", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  const { lists, items } = engine;
  await lists.disk.push(cache, key, aPush(500), nowMs);
  await lists.disk.push(cache, key, aPush(20, { end: "front", truncateTo: 510 }), nowMs);
  await lists.disk.remove(cache, key, bytes("7"), nowMs);
  const ranges = [
    { start: 3, count: 5 },
    { start: 400, count: 50 },
  ];
  await lists.disk.erase(cache, key, ranges, nowMs);
  await lists.disk.pop(cache, key, "back", nowMs);
  await lists.disk.retain(cache, key, { start: 10, end: -10 }, expiry, nowMs);
  const left = (await lists.disk.fetch(cache, key, all, nowMs)) ?? [];
  const scalar = bytes("s");
  await items.disk.set(cache, scalar, { value: new Uint8Array(0), expiresAtMs: 9e12 });
  const sum = left.reduce((total, { byteLength }) => total + byteLength, 0);
  // Key and row of both, then elements with 32 bytes each.
  expect(inFile().bytes).toBe(2 * (2 + 96) + sum + 32 * left.length);
  await items.disk.set(cache, key, { value: new Uint8Array(0), expiresAtMs: nowMs });
  expect(inFile().bytes).toBe(2 * (2 + 96));
  await lists.disk.push(cache, key, aPush(1, { expiry: { expiresAtMs: nowMs + 5, isRefreshed: false } }), nowMs);
  await items.disk.delete(cache, scalar);
  while (await items.disk.sweep(nowMs + 5));
  expect(inFile()).toEqual({ elements: 0, freed: 0, bytes: 0 });
});

it("a thousand ranges in the middle of a long list with gaps are erased without holding up the others", async () => {
  const { lists } = await open();
  const cache = await aCache(opened as EmbeddedEngine);
  await lists.disk.push(cache, key, aPush(100_000), nowMs);
  expect(await lists.disk.remove(cache, key, bytes("7"), nowMs)).toBe(99_999);
  const ranges = Array.from({ length: 1000 }, (_, n) => ({ start: 49_000 + 2 * n, count: 1 }));
  const startMs = performance.now();
  expect(await lists.disk.erase(cache, key, ranges, nowMs)).toBe(98_999);
  // 15 ms; where each is looked for from an end, 2 s.
  expect(performance.now() - startMs).toBeLessThan(700);
  const slice = { start: 48_999, end: 49_002 };
  expect(texts(await lists.disk.fetch(cache, key, slice, nowMs))).toEqual(["49000", "49002", "49004"]);
  const last = { start: 49_998, end: 50_001 };
  expect(texts(await lists.disk.fetch(cache, key, last, nowMs))).toEqual(["50998", "51000", "51001"]);
});

it("a batch that is rolled back leaves every list as it was", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  await engine.lists.disk.push(cache, key, aPush(300), nowMs);
  await engine.items.disk.set(cache, bytes("s"), { value: bytes("v"), expiresAtMs: nowMs });
  const before = inFile();
  engine.limitFileBytes(300_000);
  const outcomes = await Promise.allSettled([
    engine.lists.disk.pop(cache, key, "front", nowMs),
    engine.lists.disk.retain(cache, key, { start: 0, end: 2 }, expiry, nowMs),
    engine.lists.disk.push(cache, bytes("s"), aPush(1), nowMs),
    engine.lists.disk.push(cache, bytes("large"), { ...aPush(0), values: [new Uint8Array(900_000)] }, nowMs),
  ]);
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
  const again = new Promise<void>((resolve) => engine.onHealth(({ status }) => status === "open" && resolve()));
  engine.limitFileBytes(100_000_000);
  await again;
  expect(inFile()).toMatchObject({ elements: before.elements, freed: 0 });
  expect(await engine.lists.disk.length(cache, key, nowMs)).toBe(300);
  expect((await engine.lists.disk.pop(cache, key, "front", nowMs))?.value).toEqual(bytes("0"));
});

it("an environment that is forgotten takes its elements along, those of deleted lists too", async () => {
  const engine = await open();
  const own = { kind: "environment", environment: "gone", name: "gone" };
  const { id } = await engine.records.create(own, {});
  const cache = await aCache(engine, "gone");
  await engine.lists.disk.push(cache, key, aPush(5000), nowMs);
  await engine.lists.disk.push(cache, bytes("deleted"), aPush(5000), nowMs);
  await engine.items.disk.delete(cache, bytes("deleted"));
  while (await engine.environments.forget({ name: "gone", id }));
  expect(inFile()).toEqual({ elements: 0, freed: 0, bytes: 0 });
});

it("opens a file of the second version: its items are scalars, and lists can be made beside them", async () => {
  prepareDataDirectory(dataDir);
  const db = new DatabaseSync(join(dataDir, "todoku.db"));
  db.exec(`PRAGMA auto_vacuum = INCREMENTAL; ${migrations[0]}; ${migrations[1]}; PRAGMA user_version = 2`);
  db.exec("INSERT INTO environments (id, name, topic_bytes, item_bytes) VALUES (1, 'dev', 0, 100)");
  db.exec("INSERT INTO records VALUES ('cache', 'dev', 'c', 7, 1, '{}')");
  db.exec("INSERT INTO items VALUES (1, 7, 1, 100, 9000000000000, x'6b', x'76')");
  db.close();
  const engine = await open();
  const cache = { environment: "dev", cache: "c", cacheId: 7 };
  expect((await engine.items.disk.get(cache, key, nowMs))?.value).toEqual(bytes("v"));
  await expect(engine.lists.disk.length(cache, key, nowMs)).rejects.toMatchObject({ code: "failed_precondition" });
  expect(await engine.lists.disk.push(cache, bytes("l"), aPush(2), nowMs)).toBe(2);
  await opened?.close();
  const after = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  expect(after.prepare("PRAGMA user_version").get()?.user_version).toBe(schemaVersion);
  after.close();
});

it("opens a file of the fourth version: its lists are as they were, and count for what they take", async () => {
  prepareDataDirectory(dataDir);
  const db = new DatabaseSync(join(dataDir, "todoku.db"));
  db.exec(`PRAGMA auto_vacuum = INCREMENTAL; ${migrations.slice(0, 4).join(";")}; PRAGMA user_version = 4`);
  db.exec("INSERT INTO environments (id, name, topic_bytes, item_bytes) VALUES (1, 'dev', 0, 248), (2, 'empty', 0, 0)");
  db.exec("INSERT INTO records VALUES ('cache', 'dev', 'c', 7, 1, '{}')");
  // A scalar of 99 bytes, and a list of which the first of three elements was cut off.
  db.exec("INSERT INTO items VALUES (1, 7, 1, 99, 9000000000000, x'73', x'76', 0, NULL, NULL, NULL, NULL)");
  db.exec("INSERT INTO items VALUES (2, 7, 1, 149, 9000000000000, x'6b', x'', 3, 4, 2, -1, 0)");
  db.exec("INSERT INTO list_elements VALUES (4, -2, x'00'), (4, -1, x'6161'), (4, 0, x'62')");
  db.exec("INSERT INTO freed_collections VALUES (4, 3)");
  db.close();
  const { lists, items } = await open();
  const cache = { environment: "dev", cache: "c", cacheId: 7 };
  expect(inFile()).toEqual({ elements: 3, freed: 1, bytes: 264 });
  while (await items.disk.sweep(nowMs));
  expect(inFile()).toEqual({ elements: 2, freed: 0, bytes: 264 });
  await lists.disk.push(cache, key, aPush(1), nowMs);
  expect(texts(await lists.disk.fetch(cache, key, all, nowMs))).toEqual(["aa", "b", "0"]);
  expect(inFile().bytes).toBe(99 + 98 + 4 + 3 * 32);
  await items.disk.delete(cache, key);
  expect(inFile().bytes).toBe(99);
});

it("values of 1 kB take little more than their bytes of the file", async () => {
  const { lists } = await open();
  const cache = await aCache(opened as EmbeddedEngine);
  const values = Array.from({ length: 4000 }, () => new Uint8Array(1000));
  for (let n = 0; n < 2; n++) await lists.disk.push(cache, bytes(`${n}`), { ...aPush(0), values }, nowMs);
  await opened?.close();
  // 8.5 MB; 37 MB where the values are part of a key.
  expect(statSync(join(dataDir, "todoku.db")).size).toBeLessThan(10_000_000);
  opened = undefined;
});
