// What only this engine promises of sets: what its file looks like after changes, refusals, rollbacks and deletions.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";

const nowMs = 1_000_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const key = bytes("k");
const expiry = { expiresAtMs: 9e12, isRefreshed: false };
/** What `key` takes, whatever it holds. */
const keyBytes = 2 + 96;
let dataDir: string;
let opened: EmbeddedEngine | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-sets-"));
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

async function aCache(engine: EmbeddedEngine): Promise<CacheKey> {
  const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, {});
  return { environment: "dev", cache: "c", cacheId: id };
}

/** `count` elements; those of 600 bytes lie apart. */
function elements(count: number, length = 0, from = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, n) => bytes(`${from + n}`.padStart(length, "-")));
}

/** Rows of elements and of what is to be freed, and bytes that count: from a connection of its own, as of the last commit. */
function inFile(): { elements: number; large: number; freed: number; bytes: number } {
  const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  const row = db
    .prepare(
      "SELECT (SELECT count(*) FROM set_elements) AS elements, (SELECT count(*) FROM large_set_elements) AS large, (SELECT count(*) FROM freed_collections) AS freed, (SELECT coalesce(sum(item_bytes), 0) FROM environments) AS bytes",
    )
    .get();
  db.close();
  return { ...row } as ReturnType<typeof inFile>;
}

it("bytes are counted right through every kind of change", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  const sets = engine.sets.disk;
  const check = async () => {
    const left = (await sets.fetch(cache, key, nowMs)) ?? [];
    const sum = left.reduce((total, { byteLength }) => total + byteLength, 0);
    // Each element with 16 bytes.
    expect(inFile().bytes).toBe(left.length === 0 ? 0 : keyBytes + sum + 16 * left.length);
    return left.length;
  };
  await sets.union(cache, key, [...elements(500), ...elements(100, 600)], expiry, nowMs);
  expect(await check()).toBe(600);
  await sets.union(cache, key, [...elements(20, 600, 90), ...elements(20, 0, 490)], expiry, nowMs);
  expect(await check()).toBe(620);
  await sets.subtract(cache, key, [...elements(20, 600), ...elements(20), ...elements(5, 700)], nowMs);
  expect(await check()).toBe(580);
  await sets.pop(cache, key, 30, nowMs);
  expect(await check()).toBe(550);
  await sets.pop(cache, key, 400, nowMs);
  expect(await check()).toBe(150);
  await sets.subtractFrom(cache, key, [...elements(300, 600), ...elements(300)], nowMs);
  expect(await check()).toBeGreaterThan(300);
  await sets.subtract(cache, key, undefined, nowMs);
  expect(await check()).toBe(0);
  while (await engine.items.disk.sweep(nowMs));
  expect(inFile()).toEqual({ elements: 0, large: 0, freed: 0, bytes: 0 });
});

it("a large set is popped or deleted at once and freed in steps, across a restart too", async () => {
  let engine = await open();
  const cache = await aCache(engine);
  await engine.sets.disk.union(cache, key, elements(50_000), expiry, nowMs);
  expect(await engine.sets.disk.pop(cache, key, 50_000, nowMs)).toHaveLength(50_000);
  expect(inFile()).toEqual({ elements: 50_000, large: 0, freed: 1, bytes: 0 });
  expect(await engine.items.disk.sweep(nowMs)).toBe(true);
  expect(inFile().elements).toBeGreaterThan(0);
  expect(inFile().elements).toBeLessThan(50_000);
  await engine.sets.disk.union(cache, key, elements(3), expiry, nowMs);
  engine = await open();
  while (await engine.items.disk.sweep(nowMs));
  expect(inFile()).toMatchObject({ elements: 3, freed: 0 });
  expect(await engine.sets.disk.length(cache, key, nowMs)).toBe(3);
});

it("who adds and pops faster than sweeps come frees as much as they add: the file does not grow without bound", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  for (let round = 0; round < 15; round++) {
    await engine.sets.disk.union(cache, key, elements(10_000), expiry, nowMs);
    await engine.sets.disk.pop(cache, key, 6000, nowMs);
    await engine.sets.disk.subtract(cache, key, undefined, nowMs);
  }
  // Of 210,000.
  expect(inFile().elements).toBeLessThan(70_000);
  expect(inFile().bytes).toBe(0);
});

it("what a refused union had written is taken back, and the rest of its batch stays", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  const other = bytes("other");
  await engine.sets.disk.union(cache, key, elements(100_000), expiry, nowMs);
  const before = inFile();
  const [, refused, , refusedNew] = await Promise.allSettled([
    engine.sets.disk.union(cache, other, elements(2), expiry, nowMs),
    engine.sets.disk.union(cache, key, elements(50, 600), expiry, nowMs),
    engine.sets.disk.union(cache, other, elements(2, 600), expiry, nowMs),
    engine.sets.disk.union(cache, bytes("new"), elements(77, 130_000), expiry, nowMs),
  ]);
  for (const outcome of [refused, refusedNew]) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "limit_exceeded", subject: "item_size" } });
  }
  expect(inFile()).toMatchObject({ elements: before.elements + 4, large: 2, freed: 0 });
  expect(await engine.sets.disk.length(cache, key, nowMs)).toBe(100_000);
  expect(await engine.sets.disk.length(cache, bytes("new"), nowMs)).toBeUndefined();
  expect(await engine.sets.disk.length(cache, other, nowMs)).toBe(4);
});

it("a batch that is rolled back leaves every set as it was", async () => {
  const engine = await open();
  const cache = await aCache(engine);
  await engine.sets.disk.union(cache, key, elements(300), expiry, nowMs);
  engine.limitFileBytes(300_000);
  const outcomes = await Promise.allSettled([
    engine.sets.disk.pop(cache, key, 1, nowMs),
    engine.sets.disk.pop(cache, key, 250, nowMs),
    engine.sets.disk.subtractFrom(cache, key, elements(10, 600), nowMs),
    engine.sets.disk.union(cache, bytes("large"), elements(9, 100_000), expiry, nowMs),
  ]);
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
  const again = new Promise<void>((resolve) => engine.onHealth(({ status }) => status === "open" && resolve()));
  engine.limitFileBytes(100_000_000);
  await again;
  expect(inFile()).toMatchObject({ elements: 300, large: 0, freed: 0 });
  expect(await engine.sets.disk.length(cache, key, nowMs)).toBe(300);
  await engine.sets.disk.union(cache, key, elements(1, 600), expiry, nowMs);
  expect(await engine.sets.disk.length(cache, key, nowMs)).toBe(301);
});

it("an element of one set is not found in another, nor a small one by the name under which a large one lies", async () => {
  const { sets } = await open();
  const cache = await aCache(opened as EmbeddedEngine);
  const [large] = elements(1, 600);
  await sets.disk.union(cache, key, [large as Uint8Array], expiry, nowMs);
  const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  const name = bytes(String(db.prepare("SELECT element FROM set_elements").get()?.element));
  db.close();
  expect(await sets.disk.contains(cache, key, [name, large as Uint8Array], nowMs)).toEqual([false, true]);
  await sets.disk.union(cache, key, [name], expiry, nowMs);
  expect(await sets.disk.length(cache, key, nowMs)).toBe(2);
  await sets.disk.union(cache, bytes("other"), [bytes("x")], expiry, nowMs);
  expect(await sets.disk.contains(cache, bytes("other"), [name, large as Uint8Array], nowMs)).toEqual([false, false]);
  expect(inFile()).toMatchObject({ elements: 3, large: 1 });
  const between = [...elements(1, 512), ...elements(1, 513)];
  await sets.disk.union(cache, bytes("between"), between, expiry, nowMs);
  expect(inFile()).toMatchObject({ elements: 5, large: 2 });
  expect(await sets.disk.sample(cache, bytes("between"), 2, nowMs)).toEqual(expect.arrayContaining(between));
});
