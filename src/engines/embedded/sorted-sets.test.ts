// What only this engine promises of sorted sets: how it counts them, and what is left in its file.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ScoredElement } from "../../domain/cache/sorted-set-store.ts";
import { openEmbeddedEngine } from "./index.ts";
import { compareScored, createSortedOrder } from "./reader-sorted-order.ts";
import { migrate } from "./schema.ts";
import { createSortedElements, type ScoreChange, type SortedSetState } from "./storage-sorted-elements.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** The blocks of a collection, and how many elements really are in each. */
function blocksIn(db: DatabaseSync): { said: number; counted: number }[] {
  const rows = db.prepare("SELECT score, element, elements FROM sorted_set_blocks ORDER BY score, element").all();
  const count = db.prepare(
    "SELECT count(*) AS n FROM sorted_set_elements WHERE (score, element) >= (?, ?) AND (score, element) < (?, ?)",
  );
  return rows.map((row, index) => {
    const next = rows[index + 1] ?? { score: Infinity, element: bytes("~") };
    const ends = [row.score, row.element, next.score, next.element] as [number, Uint8Array, number, Uint8Array];
    return { said: row.elements as number, counted: count.get(...ends)?.n as number };
  });
}

describe("the blocks of a large sorted set", () => {
  /** A set in a file of its own, changed as the storage thread does and beside a plain map. */
  class Subject {
    readonly db = new DatabaseSync(":memory:");
    readonly #elements: ReturnType<typeof createSortedElements>;
    readonly #order: ReturnType<typeof createSortedOrder>;
    readonly set: SortedSetState = { collection: 7, elements: 0, elementBytes: 0 };
    readonly model = new Map<string, number>();

    constructor() {
      migrate(this.db);
      this.#elements = createSortedElements(this.db);
      this.#order = createSortedOrder(this.db);
    }

    change(changes: readonly (readonly [string, number | undefined])[]): void {
      const all: ScoreChange[] = [];
      for (const [name, to] of new Map(changes)) {
        const from = this.model.get(name);
        if (from === to) continue;
        all.push({ element: bytes(name), from, to });
        if (to === undefined) this.model.delete(name);
        else this.model.set(name, to);
      }
      this.#elements.apply(this.set, all);
    }

    expectRight(): void {
      const entries: ScoredElement[] = [...this.model].map(([name, score]) => ({ element: bytes(name), score }));
      entries.sort(compareScored);
      expect(this.set.elements).toBe(entries.length);
      expect(this.set.elementBytes).toBe(entries.reduce((sum, { element }) => sum + element.byteLength, 0));
      const blocks = blocksIn(this.db);
      if (blocks.length === 0) expect(entries.length).toBeLessThanOrEqual(1024);
      else expect(blocks.reduce((sum, { said }) => sum + said, 0)).toBe(entries.length);
      for (const { said, counted } of blocks) {
        expect(said).toBe(counted);
        expect(said).toBeLessThanOrEqual(1024);
        if (blocks.length > 1) expect(said).toBeGreaterThanOrEqual(128);
      }
      const head = { collection: 7, elements: entries.length, front: 0, back: 0 };
      const places = entries.map((_, place) => place).filter((place) => place % 97 === 0);
      const asked = places.map((place) => entries[place] as ScoredElement);
      expect(this.#order.countBefore(head, asked)).toEqual(places);
      for (const from of places.filter((_, n) => n % 8 === 0)) {
        const to = Math.min(from + 3, entries.length);
        expect(this.#order.at(head, { from, to })).toEqual(entries.slice(from, to));
      }
    }
  }

  it("count what they have, and stay within their bounds, whatever comes, moves and goes", () => {
    const scoreOf = fc.constantFrom(
      (n: number) => n,
      () => 1,
      (n: number) => n % 5,
      (n: number) => -n / 3,
      (n: number) => (n % 2 === 0 ? Infinity : -Infinity),
    );
    const part = fc.record({
      isPut: fc.boolean(),
      scoreOf,
      from: fc.nat(6000),
      // Each of a run is a change of its own, in one part of the order when they follow each other.
      calls: fc.integer({ min: 1, max: 30 }),
      stride: fc.constantFrom(1, 37),
    });
    fc.assert(
      fc.property(
        scoreOf,
        fc.integer({ min: 900, max: 4000 }),
        fc.array(part, { maxLength: 10 }),
        (first, size, parts) => {
          const subject = new Subject();
          subject.change(Array.from({ length: size }, (_, n) => [`${n}`, first(n)]));
          subject.expectRight();
          for (const { isPut, scoreOf, from, calls, stride } of parts) {
            for (let call = 0; call < calls; call++) {
              const names = Array.from({ length: 15 }, (_, n) => (from + (call * 15 + n) * stride) % 5000);
              subject.change(names.map((n) => [`${n}`, isPut ? scoreOf(n) : undefined]));
            }
            subject.expectRight();
          }
          subject.db.close();
        },
      ),
      { numRuns: 20 },
    );
  });

  it("are split where elements gather, and join where they go, one by one", () => {
    const subject = new Subject();
    subject.change(Array.from({ length: 5000 }, (_, n) => [`${n}`, n]));
    const before = blocksIn(subject.db).length;
    for (let n = 0; n < 1500; n++) subject.change([[`more ${n}`, 2500]]);
    subject.expectRight();
    expect(blocksIn(subject.db).length).toBeGreaterThan(before);
    for (let n = 0; n < 5000; n++) subject.change([[`${n}`, undefined]]);
    subject.expectRight();
    for (let n = 0; n < 1400; n++) subject.change([[`more ${n}`, undefined]]);
    expect(blocksIn(subject.db)).toEqual([{ said: 100, counted: 100 }]);
    subject.db.close();
  });
});

describe("in the file", () => {
  let dataDir: string;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), "todoku-sorted-sets-"));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  it("large elements that begin alike are told apart, have their order, and lie there once", async () => {
    const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
    const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, {});
    const cache = { environment: "dev", cache: "c", cacheId: id };
    const expiry = { expiresAtMs: 9e12, isRefreshed: false };
    const [sets, key] = [engine.sortedSets.disk, bytes("k")];
    const large = (end: string, start = "") => bytes(`${start}${"x".repeat(100_000)}${end}`);
    const [low, high, first, last] = [large("1"), large("2"), large("", "a"), large("", "z")];
    const all = { by: "rank", start: undefined, end: undefined } as const;
    const fetched = async () => (await sets.fetch(cache, key, all, "ascending", 0))?.elements;
    const scored = (...scores: [Uint8Array, number][]) => scores.map(([element, score]) => ({ element, score }));
    await sets.put(cache, key, scored([high, 5], [last, 3], [low, 2], [first, 3], [bytes("small"), 3]), expiry, 0);
    expect(await fetched()).toEqual(scored([low, 2], [first, 3], [bytes("small"), 3], [last, 3], [high, 5]));
    expect(await sets.ranks(cache, key, [last, large("3"), low], "descending", false, 0)).toEqual([
      { rank: 1, score: 3 },
      undefined,
      { rank: 4, score: 2 },
    ]);
    expect(await sets.increment(cache, key, low, 10, expiry, 0)).toBe(12);
    expect(await sets.scores(cache, key, [low, high, large("3")], 0)).toEqual([12, 5, undefined]);
    expect(await sets.remove(cache, key, [first, bytes("small"), last], 0)).toBe(2);
    expect(await sets.unionStore(cache, key, [{ key, weight: 2 }], "sum", 9e12, 0)).toBe(2);
    expect(await fetched()).toEqual(scored([high, 10], [low, 24]));
    while (await engine.items.disk.sweep(0));
    await engine.close();
    const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
    expect(db.prepare("SELECT count(*) AS n FROM large_set_elements").get()?.n).toBe(2);
    expect(db.prepare("SELECT max(length(element)) AS n FROM sorted_set_elements").get()?.n).toBe(513);
    db.close();
  });

  it("many unions leave room for other writes between them", async () => {
    const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
    const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, {});
    const cache = { environment: "dev", cache: "c", cacheId: id };
    const before = engine.stats().commits;
    const union = () =>
      engine.sortedSets.disk.unionStore(cache, bytes("k"), [{ key: bytes("k"), weight: 1 }], "sum", 9e12, 0);
    await Promise.all(Array.from({ length: 20 }, union));
    expect(engine.stats().commits - before).toBeGreaterThanOrEqual(3);
    await engine.close();
  });

  it("nothing is left of a large leaderboard that was deleted, or went with its environment, nor of a sorted set that a union replaced", async () => {
    const engine = await openEmbeddedEngine({ dataDir, wallMs: Date.now });
    const { id } = await engine.records.create({ kind: "cache", environment: "dev", name: "c" }, {});
    const cache = { environment: "dev", cache: "c", cacheId: id };
    const expiry = { expiresAtMs: 9e12, isRefreshed: false };
    const many = Array.from({ length: 5000 }, (_, score) => ({ element: bytes(`${score}`), score }));
    const [boards, sets] = [engine.leaderboards.disk, engine.sortedSets.disk];
    await boards.put(cache, bytes("board"), many, expiry, 0);
    await sets.put(cache, bytes("set"), many, expiry, 0);
    const few = [{ element: bytes("a"), score: 1 }];
    await sets.put(cache, bytes("few"), few, expiry, 0);
    await boards.remove(cache, bytes("board"), undefined, 0);
    await sets.unionStore(cache, bytes("set"), [{ key: bytes("few"), weight: 1 }], "sum", 9e12, 0);
    while (await engine.items.disk.sweep(0));
    await engine.items.disk.forget(cache);
    while (await engine.items.disk.sweep(0));
    const own = await engine.records.create({ kind: "environment", environment: "gone", name: "gone" }, {});
    const other = await engine.records.create({ kind: "cache", environment: "gone", name: "c" }, {});
    await boards.put({ environment: "gone", cache: "c", cacheId: other.id }, bytes("board"), many, expiry, 0);
    while (await engine.environments.forget(own));
    await engine.close();
    const db = new DatabaseSync(join(dataDir, "todoku.db"), { readOnly: true });
    for (const table of [
      "sorted_set_elements",
      "sorted_set_blocks",
      "large_set_elements",
      "freed_collections",
      "items",
    ]) {
      expect([table, db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n]).toEqual([table, 0]);
    }
    expect(db.prepare("SELECT total(item_bytes) AS n FROM environments").get()?.n).toBe(0);
    db.close();
  });
});
