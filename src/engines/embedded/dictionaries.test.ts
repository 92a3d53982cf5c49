// What only this engine promises of dictionaries: what its file looks like after changes, deletions and rollbacks.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";

const nowMs = 1_000_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const key = bytes("k");
const expiry = { expiresAtMs: 9e12, isRefreshed: false };
let dataDir: string;
let engine: EmbeddedEngine;
let cache: CacheKey;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-dictionaries-"));
  engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
  const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, {});
  cache = { environment: "dev", cache: "c", cacheId: id };
});
afterAll(async () => {
  await engine.close();
  rmSync(dataDir, { recursive: true });
});

function entries(from: number, to: number, value = "v") {
  return Array.from({ length: to - from }, (_, n) => ({ field: bytes(`${from + n}`), value: bytes(value) }));
}

/** Rows of elements and of what is to be freed, and bytes that count: from a connection of its own, as of the last commit. */
function inFile(): { elements: number; freed: number; bytes: number } {
  const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
  const row = db
    .prepare(
      "SELECT (SELECT count(*) FROM dictionary_elements) AS elements, (SELECT count(*) FROM freed_collections) AS freed, (SELECT coalesce(sum(item_bytes), 0) FROM environments) AS bytes",
    )
    .get();
  db.close();
  return { ...row } as ReturnType<typeof inFile>;
}

async function clear(): Promise<void> {
  await engine.items.disk.delete(cache, key);
  while (await engine.items.disk.sweep(nowMs));
}

// First, for the file must be small.
it("a batch that is rolled back leaves every dictionary as it was", async () => {
  const store = engine.dictionaries.disk;
  await store.set(cache, key, entries(0, 300), expiry, nowMs);
  const before = inFile();
  engine.limitFileBytes(300_000);
  const large = { field: bytes("large"), value: new Uint8Array(120_000) };
  const outcomes = await Promise.allSettled([
    store.delete(cache, key, [bytes("0")], nowMs),
    store.increment(cache, key, bytes("n"), 1n, expiry, nowMs),
    store.delete(cache, key, undefined, nowMs),
    ...["a", "b", "c", "d"].map((name) => store.set(cache, bytes(name), [large], expiry, nowMs)),
  ]);
  expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["rejected"]));
  const again = new Promise<void>((resolve) => engine.onHealth(({ status }) => status === "open" && resolve()));
  engine.limitFileBytes(100_000_000);
  await again;
  expect(inFile()).toEqual(before);
  expect(await store.length(cache, key, nowMs)).toBe(300);
  expect(await store.increment(cache, key, bytes("n"), 1n, expiry, nowMs)).toBe(1n);
  await clear();
});

it("bytes are counted right through every kind of change", async () => {
  const store = engine.dictionaries.disk;
  await store.set(cache, key, entries(0, 500), expiry, nowMs);
  await store.set(cache, key, entries(300, 700, "longer"), expiry, nowMs);
  await store.set(cache, key, [...entries(1, 2, "first"), ...entries(1, 2, "second")], expiry, nowMs);
  await store.increment(cache, key, bytes("n"), 99n, expiry, nowMs);
  await store.increment(cache, key, bytes("n"), 1n, expiry, nowMs);
  const fields = entries(600, 900).map(({ field }) => field);
  await store.delete(cache, key, [...fields, bytes("7"), bytes("7")], nowMs);
  const left = (await store.fetch(cache, key, nowMs)) ?? [];
  expect(left).toHaveLength(600);
  const sum = left.reduce((total, { field, value }) => total + field.byteLength + value.byteLength, 0);
  // Key and row, then elements with 40 bytes each.
  expect(inFile()).toEqual({ elements: 600, freed: 0, bytes: 2 + 96 + sum + 40 * 600 });
  await clear();
  expect(inFile()).toEqual({ elements: 0, freed: 0, bytes: 0 });
});

it("large fields that begin alike are told apart, and count by their length", async () => {
  const store = engine.dictionaries.disk;
  const large = ["a", "b"].map((end) => bytes(`${"x".repeat(5000)}${end}`));
  const small = bytes("x".repeat(512));
  const fields = [...large, small];
  const expected = fields.map((_, n) => bytes(`${n}`));
  await store.set(
    cache,
    key,
    fields.map((field, n) => ({ field, value: bytes(`${n}`) })),
    expiry,
    nowMs,
  );
  expect(await store.get(cache, key, fields, nowMs)).toEqual(expected);
  const fetched = (await store.fetch(cache, key, nowMs))?.map(({ field }) => field.byteLength);
  expect(fetched?.toSorted((a, b) => a - b)).toEqual([512, 5001, 5001]);
  expect(inFile().bytes).toBe(2 + 96 + 2 * 5001 + 512 + 3 * (40 + 1));
  await store.delete(cache, key, [large[0] ?? key], nowMs);
  expect(await store.get(cache, key, fields, nowMs)).toEqual([undefined, ...expected.slice(1)]);
  expect(inFile().bytes).toBe(2 + 96 + 5001 + 512 + 2 * (40 + 1));
  await clear();
});

it("a large dictionary is deleted at once and freed in steps; its bytes can be used meanwhile", async () => {
  const store = engine.dictionaries.disk;
  await store.set(cache, key, entries(0, 20_000), expiry, nowMs);
  await store.delete(cache, key, undefined, nowMs);
  expect(inFile()).toEqual({ elements: 20_000, freed: 1, bytes: 0 });
  await store.set(cache, key, entries(0, 3), expiry, nowMs);
  expect(await store.length(cache, key, nowMs)).toBe(3);
  while (await engine.items.disk.sweep(nowMs));
  expect(inFile()).toMatchObject({ elements: 3, freed: 0 });
  await clear();
});

it("a large set that is refused is taken back, and the rest of its batch is not", async () => {
  const store = engine.dictionaries.disk;
  await store.set(cache, key, entries(0, 3), expiry, nowMs);
  const [first, refused, last] = await Promise.allSettled([
    store.increment(cache, key, bytes("n"), 1n, expiry, nowMs),
    store.set(cache, key, entries(0, 100_001, "other"), { expiresAtMs: 9.1e12, isRefreshed: true }, nowMs),
    store.increment(cache, key, bytes("n"), 1n, expiry, nowMs),
  ]);
  expect([first, last]).toEqual([1n, 2n].map((value) => ({ status: "fulfilled", value })));
  expect(refused).toMatchObject({ reason: { code: "limit_exceeded", subject: "item_size" } });
  const held = (await store.fetch(cache, key, nowMs))?.map(({ value }) => new TextDecoder().decode(value));
  expect(held?.toSorted()).toEqual(["2", "v", "v", "v"]);
  expect(inFile()).toEqual({ elements: 4, freed: 0, bytes: 2 + 96 + 4 * (40 + 2) });
  await clear();
});

it("an environment that is forgotten takes its elements along, those of deleted dictionaries too", async () => {
  const store = engine.dictionaries.disk;
  const { id } = await engine.records.create({ kind: "environment", environment: "gone", name: "gone" }, {});
  const made = await engine.records.create({ kind: "cache", environment: "gone", name: "c" }, {});
  const gone = { environment: "gone", cache: "c", cacheId: made.id };
  await store.set(gone, key, entries(0, 2000), expiry, nowMs);
  await store.set(gone, bytes("deleted"), entries(0, 2000), expiry, nowMs);
  await engine.items.disk.delete(gone, bytes("deleted"));
  while (await engine.environments.forget({ name: "gone", id }));
  expect(inFile()).toEqual({ elements: 0, freed: 0, bytes: 0 });
});
