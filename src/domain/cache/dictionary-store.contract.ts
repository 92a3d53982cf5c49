import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../engine.ts";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { CollectionKind } from "./collection.contract.ts";
import type { CollectionExpiry } from "./collections.ts";
import type { DictionaryEntry } from "./dictionary-store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const nowMs = 1_000_000;
const expiresAtMs = nowMs + 60_000;
const expiry: CollectionExpiry = { expiresAtMs, isRefreshed: false };
const key = bytes("dictionary");
const greatest = 2n ** 63n - 1n;

/** Dictionaries as collection.contract.ts looks at them. */
export function dictionaryKind(durability: Durability): CollectionKind {
  const dictionaries = (engine: Engine) => engine.dictionaries[durability];
  const value = bytes("value");
  return {
    type: "dictionary",
    add(engine, cache, key, names, expiry, nowMs) {
      const entries = names.map((field) => ({ field, value }));
      return dictionaries(engine).set(cache, key, entries, expiry, nowMs);
    },
    remove: (engine, cache, key, name, nowMs) => dictionaries(engine).delete(cache, key, [name], nowMs),
    length: (engine, cache, key, nowMs) => dictionaries(engine).length(cache, key, nowMs),
    reads: (engine, cache, key, nowMs) => [
      dictionaries(engine).get(cache, key, [bytes("a")], nowMs),
      dictionaries(engine).fetch(cache, key, nowMs),
      dictionaries(engine).length(cache, key, nowMs),
    ],
    changes: (engine, cache, key, nowMs) => [
      dictionaries(engine).set(cache, key, [{ field: bytes("a"), value }], expiry, nowMs),
      dictionaries(engine).increment(cache, key, bytes("n"), 1n, expiry, nowMs),
      dictionaries(engine).delete(cache, key, [bytes("a")], nowMs),
      dictionaries(engine).delete(cache, key, undefined, nowMs),
    ],
  };
}

/** The laws of `DictionaryStore`; those that it shares with other collections stand in collection.contract.ts. */
export function dictionaryStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`dictionaries of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: 50_000_000 });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].dictionaries[durability];
    const two = () => subject.handles[1].dictionaries[durability];
    async function newCache(): Promise<CacheKey> {
      const [environment, cache] = [`environment ${caches}`, `dictionary cache ${caches++}`];
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment, name: cache },
        { durability },
      );
      return { environment, cache, cacheId: record.id };
    }
    const set = (cache: CacheKey, entries: Readonly<Record<string, string>>, at = expiry) =>
      one().set(cache, key, entriesOf(entries), at, nowMs);
    const increment = (cache: CacheKey, field: string, amount: bigint, at = expiry) =>
      two().increment(cache, key, bytes(field), amount, at, nowMs);
    const got = async (cache: CacheKey, ...fields: string[]) =>
      (await two().get(cache, key, fields.map(bytes), nowMs))?.map((value) => value && text(value));
    const fetched = async (cache: CacheKey, atMs = nowMs) => textsOf(await two().fetch(cache, key, atMs));

    it("a field holds its last value, and is told from one that is not there", async () => {
      const cache = await newCache();
      expect(await got(cache, "a")).toBeUndefined();
      expect(await fetched(cache)).toBeUndefined();
      await set(cache, { a: "1", b: "2" });
      await set(cache, { b: "3", c: "" });
      expect(await fetched(cache)).toEqual({ a: "1", b: "3", c: "" });
      expect(await got(cache, "c", "x", "a", "b", "a")).toEqual(["", undefined, "1", "3", "1"]);
      expect(await got(cache)).toEqual([]);
      expect(await two().length(cache, key, nowMs)).toBe(3);
      const twice = [...entriesOf({ d: "first" }), ...entriesOf({ d: "last" })];
      await one().set(cache, key, twice, expiry, nowMs);
      expect(await got(cache, "d")).toEqual(["last"]);
      expect(await two().length(cache, key, nowMs)).toBe(4);
    });

    it("fields and values are kept byte by byte, the empty ones too, whatever becomes of the caller's buffer", async () => {
      const cache = await newCache();
      const [field, value] = [new Uint8Array([0, 255, 10]), new Uint8Array([200, 0])];
      const empty = new Uint8Array(0);
      const entries = [
        { field, value },
        { field: empty, value: empty },
      ];
      await one().set(cache, key, entries, expiry, nowMs);
      field.fill(9);
      value.fill(9);
      const asked = [new Uint8Array([0, 255, 10]), empty];
      const values = (await two().get(cache, key, asked, nowMs))?.map((found) => found && [...found]);
      expect(values).toEqual([[200, 0], []]);
      const all = (await two().fetch(cache, key, nowMs)) ?? [];
      const sorted = all.map(({ field, value }) => [[...field], [...value]]).toSorted((a, b) => a.length - b.length);
      expect(sorted).toContainEqual([
        [0, 255, 10],
        [200, 0],
      ]);
      expect(sorted).toContainEqual([[], []]);
    });

    it("some fields are deleted, or all; what is not there does no harm", async () => {
      const cache = await newCache();
      await one().delete(cache, key, [bytes("a")], nowMs);
      await one().delete(cache, key, undefined, nowMs);
      await set(cache, { a: "1", b: "2", c: "3" });
      await one().delete(cache, key, ["a", "x", "a"].map(bytes), nowMs);
      await one().delete(cache, key, [], nowMs);
      expect(await fetched(cache)).toEqual({ b: "2", c: "3" });
      await one().delete(cache, key, undefined, nowMs);
      expect(await fetched(cache)).toBeUndefined();
      await set(cache, { new: "1" });
      expect(await fetched(cache)).toEqual({ new: "1" });
    });

    it("nothing to set makes no dictionary, and refreshes one that is there", async () => {
      const cache = await newCache();
      await set(cache, {});
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
      await set(cache, { a: "1" });
      await set(cache, {}, { expiresAtMs: nowMs + 90_000, isRefreshed: true });
      expect(await fetched(cache, expiresAtMs)).toEqual({ a: "1" });
    });

    it("whole numbers of 64 bits are added exactly, from 0 where there is none", async () => {
      const cache = await newCache();
      expect(await increment(cache, "n", 5n)).toBe(5n);
      expect(await increment(cache, "n", -7n)).toBe(-2n);
      expect(await got(cache, "n")).toEqual(["-2"]);
      expect(await increment(cache, "zero", 0n)).toBe(0n);
      await set(cache, { n: `${greatest - 1n}` });
      expect(await increment(cache, "n", 1n)).toBe(greatest);
      const later = { expiresAtMs: nowMs + 90_000, isRefreshed: true };
      await expect(increment(cache, "n", 1n, later)).rejects.toMatchObject({ code: "failed_precondition" });
      expect(await increment(cache, "least", -greatest - 1n)).toBe(-greatest - 1n);
      await expect(increment(cache, "least", -1n)).rejects.toMatchObject({ code: "failed_precondition" });
      const expected = { n: `${greatest}`, zero: "0", least: `${-greatest - 1n}` };
      expect(await fetched(cache, expiresAtMs - 1)).toEqual(expected);
      expect(await fetched(cache, expiresAtMs)).toBeUndefined();
      await increment(cache, "n", -1n, later);
      expect(await two().length(cache, key, expiresAtMs)).toBe(3);
    });

    it("what is no whole number is not incremented, and stays", async () => {
      const cache = await newCache();
      await set(cache, { a: "1.5", b: "" });
      for (const field of ["a", "b"]) {
        await expect(increment(cache, field, 1n)).rejects.toMatchObject({ code: "failed_precondition" });
      }
      expect(await fetched(cache)).toEqual({ a: "1.5", b: "" });
    });

    it("increments from everywhere at once are all counted", async () => {
      const cache = await newCache();
      const from = [one(), two()];
      const sums = await Promise.all(
        Array.from({ length: 1000 }, (_, n) =>
          from[n % 2]?.increment(cache, key, bytes("n"), 1n, expiry, nowMs).then(Number),
        ),
      );
      expect(sums.toSorted((a = 0, b = 0) => a - b)).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
    });

    it("a dictionary may have so many bytes, with four for each field; what is refused changes nothing", async () => {
      const cache = await newCache();
      const value = bytes("x".repeat(limits.elementMaxBytes));
      const elementBytes = 2 + value.byteLength + 4;
      const most = Math.floor(limits.collectionMaxBytes / elementBytes);
      const large = Array.from({ length: most }, (_, n) => ({ field: bytes(`${n + 10}`), value }));
      await one().set(cache, key, large, expiry, nowMs);
      const refused = { code: "limit_exceeded", subject: "item_size" };
      const one10 = { field: bytes("10"), value: bytes("small") };
      const over = one().set(
        cache,
        key,
        [one10, ...["a", "b"].map((name) => ({ field: bytes(name), value }))],
        expiry,
        nowMs,
      );
      await expect(over).rejects.toMatchObject(refused);
      await one().set(cache, key, large.slice(0, 3), expiry, nowMs);
      const rest = limits.collectionMaxBytes - most * elementBytes - 4 - 1;
      await expect(set(cache, { r: "x".repeat(rest + 1) })).rejects.toMatchObject(refused);
      await expect(increment(cache, "r".repeat(rest + 1), 1n)).rejects.toMatchObject(refused);
      await set(cache, { r: "x".repeat(rest) });
      expect(await two().length(cache, key, nowMs)).toBe(most + 1);
      expect((await two().get(cache, key, [bytes("10")], nowMs))?.[0]).toHaveLength(limits.elementMaxBytes);
    });

    it("agrees with a plain map, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(step, { maxLength: 25 })), async (steps) => {
          const cache = await newCache();
          const model = new Map<string, string>();
          for (const { handle, act } of steps) {
            const store = subject.handles[handle].dictionaries[durability];
            if (act.kind === "set") {
              const entries = Array.from({ length: act.count }, (_, n) => [`${act.from + n}`, act.value] as const);
              for (const [field, value] of entries) model.set(field, value);
              await store.set(cache, key, entriesOf(Object.fromEntries(entries)), expiry, nowMs);
            }
            if (act.kind === "delete") {
              const fields = Array.from({ length: act.count }, (_, n) => `${act.from + n}`);
              for (const field of fields) model.delete(field);
              await store.delete(cache, key, fields.map(bytes), nowMs);
            }
            if (act.kind === "clear") {
              model.clear();
              await store.delete(cache, key, undefined, nowMs);
            }
            if (act.kind === "increment") {
              const field = `${act.field}`;
              const held = model.get(field) ?? "0";
              const sum = store.increment(cache, key, bytes(field), act.amount, expiry, nowMs);
              if (held === "text") await expect(sum).rejects.toMatchObject({ code: "failed_precondition" });
              else {
                expect(await sum).toBe(BigInt(held) + act.amount);
                model.set(field, `${BigInt(held) + act.amount}`);
              }
            }
            if (act.kind === "sweep") await subject.handles[handle].items[durability].sweep(nowMs);
            if (act.kind === "reopen" && isDurable) await subject.reopen();
            const fields = ["0", "70", "149"];
            const isThere = model.size > 0;
            expect([await fetched(cache), await two().length(cache, key, nowMs), await got(cache, ...fields)]).toEqual([
              isThere ? Object.fromEntries(model) : undefined,
              isThere ? model.size : undefined,
              isThere ? fields.map((field) => model.get(field)) : undefined,
            ]);
          }
        }),
        { numRuns: 15 },
      );
    });
  });
}

function entriesOf(entries: Readonly<Record<string, string>>): DictionaryEntry[] {
  return Object.entries(entries).map(([field, value]) => ({ field: bytes(field), value: bytes(value) }));
}

function textsOf(entries: readonly DictionaryEntry[] | undefined): Record<string, string> | undefined {
  return entries && Object.fromEntries(entries.map(({ field, value }) => [text(field), text(value)]));
}

/** Some sets and deletions are larger than what goes into one statement, and than what is freed at once. */
const fields = {
  from: fc.oneof(fc.nat(3), fc.nat(60)),
  count: fc.oneof(fc.nat(3), fc.nat(150)),
};
const step = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  act: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("set" as const),
        ...fields,
        value: fc.constantFrom("0", "12", "-9007199254740993", "text"),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("delete" as const), ...fields }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("increment" as const),
        field: fc.nat(5),
        amount: fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("sweep" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
});
