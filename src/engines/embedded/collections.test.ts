// What only this engine promises of keys that hold one type after another: its file and what it says of it agree after any changes.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "./index.ts";

const environmentMaxBytes = 40_000;
const bytes = (text: string) => new TextEncoder().encode(text);
let dataDir: string;
let engine: EmbeddedEngine;
let file: DatabaseSync;
let caches = 0;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "todoku-collections-"));
  await reopen();
});
afterAll(async () => {
  await close();
  rmSync(dataDir, { recursive: true });
});

async function close(): Promise<void> {
  file?.close();
  await engine?.close();
}

async function reopen(): Promise<void> {
  await close();
  engine = await openEmbeddedEngine({
    dataDir,
    wallMs: Date.now,
    itemsEnvironmentMaxBytes: environmentMaxBytes,
    synchronous: "OFF",
  });
  file = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
}

async function aCache(): Promise<CacheKey> {
  const environment = `environment ${caches++}`;
  const { id } = await engine.records.create({ kind: "cache", environment, name: "c" }, {});
  return { environment, cache: "c", cacheId: id };
}

function query<T>(sql: string): T[] {
  return file.prepare(sql).all() as T[];
}

/** For each type what its elements are and what they take beside the key; what a list was cut by does not count. */
const held = `
  SELECT row, 0 AS elements, length(value) AS bytes FROM items WHERE type = 0
  UNION ALL SELECT items.row, count(*), sum(length(e.value) + 32) FROM items JOIN list_elements AS e
    ON e.collection = items.collection AND e.position BETWEEN front AND back GROUP BY items.row
  UNION ALL SELECT items.row, count(*), sum(length(coalesce(e.field, e.key)) + length(e.value) + 40) FROM items
    JOIN dictionary_elements AS e USING (collection) GROUP BY items.row
  UNION ALL SELECT items.row, count(*), sum(length(coalesce(l.value, e.element)) + 16) FROM items
    JOIN set_elements AS e USING (collection) LEFT JOIN large_set_elements AS l ON l.id = e.large GROUP BY items.row
  UNION ALL SELECT items.row, count(*), sum(2 * length(coalesce(l.value, e.element)) + 44) FROM items
    JOIN sorted_set_elements AS e USING (collection) LEFT JOIN large_set_elements AS l ON l.id = e.large GROUP BY items.row`;

/** Rows that say something else than what lies there: none. */
function expectRight(): void {
  const wrong =
    query(`SELECT items.*, held.elements AS counted, held.bytes AS summed FROM items LEFT JOIN (${held}) AS held USING (row)
    WHERE items.bytes IS NOT 2 * length(key) + 96 + held.bytes OR (type > 0 AND items.elements IS NOT held.elements)`);
  expect(wrong).toEqual([]);
  const drifted =
    query(`SELECT name, item_bytes, sum(bytes) AS summed FROM items LEFT JOIN environments ON environments.id = items.environment
    GROUP BY items.environment HAVING item_bytes IS NOT sum(bytes)`);
  expect(drifted).toEqual([]);
  expect(
    query("SELECT * FROM environments WHERE item_bytes <> 0 AND id NOT IN (SELECT environment FROM items)"),
  ).toEqual([]);
}

/** Elements of collections that are gone, and what large ones left. */
function leftovers(): number {
  const tables = ["list_elements", "dictionary_elements", "set_elements", "sorted_set_elements", "sorted_set_blocks"];
  const counts = tables.map(
    (table) =>
      `(SELECT count(*) FROM ${table} WHERE collection NOT IN (SELECT collection FROM items WHERE collection IS NOT NULL))`,
  );
  const large =
    "(SELECT count(*) FROM large_set_elements WHERE id NOT IN (SELECT large FROM set_elements WHERE large IS NOT NULL UNION SELECT large FROM sorted_set_elements WHERE large IS NOT NULL))";
  return query<{ n: number }>(
    `SELECT ${[...counts, large].join(" + ")} + (SELECT count(*) FROM freed_collections) AS n`,
  )[0]?.n as number;
}

const key = fc.constantFrom("a", "b", "c").map(bytes);
const element = fc
  .tuple(fc.constantFrom("", "x", "y", "é", "0", "17"), fc.constantFrom(1, 1, 1, 90, 512, 513, 3000))
  .map(([text, times]) => bytes(text.repeat(times)));
const elements = fc.oneof(
  { weight: 5, arbitrary: fc.array(element, { maxLength: 6 }) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 60, max: 300 }).map((n) => Array.from({ length: n }, (_, i) => bytes(`${i}`))),
  },
);
const score = fc.constantFrom(0, -0, 1, -1, 1e308, -1e308, Infinity, -Infinity, 5e-324);
const range = fc.record({ start: fc.integer({ min: -5, max: 80 }), end: fc.integer({ min: -5, max: 200 }) });

type Change = (cache: CacheKey, nowMs: number, expiresAtMs: number) => Promise<unknown>;

/** Any change of any type, as a function of where and when. */
const change: fc.Arbitrary<Change> = fc
  .record({
    key,
    other: key,
    element,
    elements,
    score,
    range,
    isFlag: fc.boolean(),
    count: fc.integer({ min: 0, max: 200 }),
  })
  .chain(({ key, other, element, elements, score, range, isFlag, count }) => {
    const [first = element] = elements;
    const scored = elements.map((element, n) => ({ element, score: n % 2 === 0 ? score : n }));
    const expiry = (expiresAtMs: number) => ({ expiresAtMs, isRefreshed: isFlag });
    const sources = [key, other].map((key) => ({ key, weight: score }));
    const changes: Change[] = [
      (cache, _, at) => engine.items.disk.set(cache, key, { value: element, expiresAtMs: at }),
      (cache, now, at) =>
        engine.items.disk.setIf(
          cache,
          key,
          { value: element, expiresAtMs: at },
          { ifAbsent: isFlag, ifPresent: { compare: "value", with: first, isEqual: isFlag } },
          now,
        ),
      (cache, now, at) =>
        engine.items.disk.setIf(
          cache,
          key,
          { value: element, expiresAtMs: at },
          { ifAbsent: isFlag, ifPresent: !isFlag },
          now,
        ),
      (cache, now, at) => engine.items.disk.increment(cache, key, 7n, at, now),
      (cache, now, at) =>
        engine.items.disk.updateTtl(cache, key, { to: isFlag ? "decrease" : "overwrite", expiresAtMs: at }, now),
      (cache) => engine.items.disk.delete(cache, key),
      (_, now) => engine.items.disk.sweep(now),
      (cache, now, at) =>
        engine.lists.disk.push(
          cache,
          key,
          {
            end: isFlag ? "back" : "front",
            values: elements,
            truncateTo: count % 3 === 0 ? count + 1 : undefined,
            expiry: expiry(at),
          },
          now,
        ),
      (cache, now) => engine.lists.disk.pop(cache, key, isFlag ? "back" : "front", now),
      (cache, now, at) => engine.lists.disk.retain(cache, key, range, expiry(at), now),
      (cache, now) => engine.lists.disk.remove(cache, key, first, now),
      (cache, now) =>
        engine.lists.disk.erase(
          cache,
          key,
          [
            { start: 2, count },
            { start: 1, count: 3 },
          ],
          now,
        ),
      (cache, now, at) =>
        engine.dictionaries.disk.set(
          cache,
          key,
          elements.map((field) => ({ field, value: element })),
          expiry(at),
          now,
        ),
      (cache, now, at) => engine.dictionaries.disk.increment(cache, key, element, 3n, expiry(at), now),
      (cache, now) => engine.dictionaries.disk.delete(cache, key, isFlag ? elements : [element], now),
      (cache, now, at) => engine.sets.disk.union(cache, key, elements, expiry(at), now),
      (cache, now) => engine.sets.disk.subtract(cache, key, isFlag ? elements : undefined, now),
      (cache, now) => engine.sets.disk.subtractFrom(cache, key, elements, now),
      (cache, now) => engine.sets.disk.pop(cache, key, count, now),
      (cache, now, at) => engine.sortedSets.disk.put(cache, key, scored, expiry(at), now),
      (cache, now, at) => engine.sortedSets.disk.increment(cache, key, element, score, expiry(at), now),
      (cache, now) => engine.sortedSets.disk.remove(cache, key, isFlag ? elements : [element], now),
      (cache, now, at) => engine.sortedSets.disk.unionStore(cache, other, sources, isFlag ? "sum" : "min", at, now),
      (cache, now, at) => engine.leaderboards.disk.put(cache, key, scored, expiry(at), now),
      (cache, now) => engine.leaderboards.disk.remove(cache, key, isFlag ? undefined : elements, now),
      // No operation of the storage thread: all of its batch is rolled back.
      () => engine.storage.writes.submit({ name: "none", items: 1, bytes: 0, encode() {}, decode() {} }),
    ];
    return fc.constantFrom(...changes);
  });

const batch = fc.record({
  changes: fc.array(change, { minLength: 1, maxLength: 5 }),
  passedMs: fc.constantFrom(0, 0, 0, 40),
  lastsMs: fc.constantFrom(30, 1e12),
  isReopened: fc.integer({ min: 0, max: 25 }).map((n) => n === 0),
});

it("what keys hold is counted right whatever types they had, in batches that are refused or rolled back too, and scalars are read as they lie in the file", async () => {
  const run = async (batches: readonly (typeof batch extends fc.Arbitrary<infer T> ? T : never)[]) => {
    const cache = await aCache();
    let nowMs = 1_000_000;
    for (const { changes, passedMs, lastsMs, isReopened } of batches) {
      nowMs += passedMs;
      const outcomes = await Promise.allSettled(changes.map((change) => change(cache, nowMs, nowMs + lastsMs)));
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          expect(["failed_precondition", "limit_exceeded", "unavailable"]).toContain(outcome.reason.code);
        }
      }
      if (isReopened) await reopen();
      expectRight();
      for (const row of query<{ key: Uint8Array; value: Uint8Array; expires_at_ms: number; type: number }>(
        `SELECT * FROM items WHERE cache_id = ${cache.cacheId}`,
      )) {
        const read = await engine.items.disk.get(cache, row.key, nowMs).catch(({ code }) => code);
        const isThere = row.expires_at_ms > nowMs;
        if (isThere && row.type === 0)
          expect(read).toMatchObject({ value: new Uint8Array(row.value), expiresAtMs: row.expires_at_ms });
        else expect(read).toBe(isThere ? "failed_precondition" : undefined);
      }
    }
    await engine.items.disk.forget(cache);
    while (await engine.items.disk.sweep(nowMs));
    expect(leftovers()).toBe(0);
    expectRight();
  };
  await fc.assert(fc.asyncProperty(fc.array(batch, { minLength: 5, maxLength: 20 }), run), { numRuns: 10 });
}, 60_000);

it("an environment whose first write is too large for it can be written to, and is still there after a restart", async () => {
  const cache = await aCache();
  const expiry = { expiresAtMs: 9e12, isRefreshed: false };
  const tooMuch = Array.from({ length: 3000 }, (_, n) => bytes(`${n}`));
  await expect(engine.sets.disk.union(cache, bytes("k"), tooMuch, expiry, 1)).rejects.toMatchObject({
    code: "limit_exceeded",
  });
  await engine.sets.disk.union(cache, bytes("k"), [bytes("e")], expiry, 1);
  await reopen();
  expectRight();
  await engine.items.disk.delete(cache, bytes("k"));
});
