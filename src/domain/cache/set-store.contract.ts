import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../engine.ts";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { CollectionKind } from "./collection.contract.ts";
import type { CollectionExpiry } from "./collections.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const texts = (values: readonly Uint8Array[] | undefined) => values?.map(text).toSorted();
/** Each seventh is so long that a file keeps it in another way. */
const numbers = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) =>
    (from + n) % 7 === 6 ? `${from + n}`.padStart(600, "-") : `${from + n}`,
  );
const nowMs = 1_000_000;
const expiresAtMs = nowMs + 60_000;
const expiry: CollectionExpiry = { expiresAtMs, isRefreshed: false };
const key = bytes("set");

/** Sets as collection.contract.ts looks at them. */
export function setKind(durability: Durability): CollectionKind {
  const sets = (engine: Engine) => engine.sets[durability];
  return {
    type: "set",
    add: (engine, cache, key, names, expiry, nowMs) => sets(engine).union(cache, key, names, expiry, nowMs),
    remove: (engine, cache, key, name, nowMs) => sets(engine).subtract(cache, key, [name], nowMs),
    length: (engine, cache, key, nowMs) => sets(engine).length(cache, key, nowMs),
    reads: (engine, cache, key, nowMs) => [
      sets(engine).fetch(cache, key, nowMs),
      sets(engine).sample(cache, key, 1, nowMs),
      sets(engine).contains(cache, key, [bytes("a")], nowMs),
      sets(engine).length(cache, key, nowMs),
    ],
    changes: (engine, cache, key, nowMs) => [
      sets(engine).union(cache, key, [bytes("a")], { expiresAtMs: nowMs + 60_000, isRefreshed: false }, nowMs),
      sets(engine).subtract(cache, key, [bytes("a")], nowMs),
      sets(engine).subtract(cache, key, undefined, nowMs),
      sets(engine).subtractFrom(cache, key, [bytes("a")], nowMs),
      sets(engine).pop(cache, key, 1, nowMs),
    ],
  };
}

/** The laws of `SetStore`; those that it shares with other collections stand in collection.contract.ts. */
export function setStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`sets of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: 50_000_000 });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].sets[durability];
    const two = () => subject.handles[1].sets[durability];
    const items = () => subject.handles[1].items[durability];
    async function newCache(): Promise<CacheKey> {
      const [environment, cache] = [`environment ${caches}`, `set cache ${caches++}`];
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment, name: cache },
        { durability },
      );
      return { environment, cache, cacheId: record.id };
    }
    const add = (cache: CacheKey, names: readonly string[], at = expiry) =>
      one().union(cache, key, names.map(bytes), at, nowMs);
    const fetched = async (cache: CacheKey, atMs = nowMs) => texts(await two().fetch(cache, key, atMs));

    it("an element is there once, however often it is added, and is told from those that are not there", async () => {
      const cache = await newCache();
      await add(cache, ["b", "a", "b"]);
      await add(cache, ["c", "a"]);
      expect(await fetched(cache)).toEqual(["a", "b", "c"]);
      expect(await two().length(cache, key, nowMs)).toBe(3);
      const asked = ["x", "a", "", "c", "a"].map(bytes);
      expect(await two().contains(cache, key, asked, nowMs)).toEqual([false, true, false, true, true]);
      expect(await two().contains(cache, key, [], nowMs)).toEqual([]);
    });

    it("elements are kept byte by byte, the empty one too, whatever becomes of the caller's buffer", async () => {
      const cache = await newCache();
      const element = new Uint8Array([0, 255, 10]);
      await one().union(cache, key, [element, new Uint8Array(0), new Uint8Array([0])], expiry, nowMs);
      element.fill(9);
      const all = (await two().fetch(cache, key, nowMs))?.map((value) => [...value]).toSorted();
      expect(all).toEqual([[], [0], [0, 255, 10]]);
      expect(await one().subtract(cache, key, [new Uint8Array(0)], nowMs)).toBe(2);
    });

    it("elements are taken away, one that is not there without an error, and the last takes the set along", async () => {
      const cache = await newCache();
      await add(cache, ["a", "b", "c", "d"]);
      expect(await one().subtract(cache, key, ["b", "x", "b"].map(bytes), nowMs)).toBe(3);
      expect(await one().subtract(cache, key, [], nowMs)).toBe(3);
      expect(await two().subtract(cache, key, ["a", "c", "d"].map(bytes), nowMs)).toBe(0);
      expect(await fetched(cache)).toBeUndefined();
      expect(await one().subtract(cache, key, [bytes("a")], nowMs)).toBeUndefined();
      await add(cache, ["a", "b"]);
      expect(await one().subtract(cache, key, undefined, nowMs)).toBe(0);
      expect(await one().subtract(cache, key, undefined, nowMs)).toBeUndefined();
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
    });

    it("becomes what it is subtracted from, without its own elements, and keeps its end", async () => {
      const cache = await newCache();
      expect(await one().subtractFrom(cache, key, [bytes("a")], nowMs)).toBeUndefined();
      await add(cache, ["a", "b", "c"]);
      expect(await one().subtractFrom(cache, key, ["x", "b", "y", "x"].map(bytes), nowMs)).toBe(2);
      expect(await fetched(cache, expiresAtMs - 1)).toEqual(["x", "y"]);
      expect(await fetched(cache, expiresAtMs)).toBeUndefined();
      expect(await one().subtractFrom(cache, key, ["y", "x"].map(bytes), nowMs)).toBe(0);
      expect(await fetched(cache)).toBeUndefined();
      expect(await one().subtractFrom(cache, key, [bytes("a")], nowMs)).toBeUndefined();
    });

    it("nothing added makes no set, and refreshes one that is there", async () => {
      const cache = await newCache();
      await add(cache, []);
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
      await add(cache, ["a"]);
      await add(cache, [], { expiresAtMs: expiresAtMs + 5, isRefreshed: true });
      expect(await fetched(cache, expiresAtMs + 4)).toEqual(["a"]);
      expect(await fetched(cache, expiresAtMs + 5)).toBeUndefined();
    });

    it.each([1, 3, 60, 199, 200, 4_294_967_295])(
      "%i of two hundred elements are popped: different ones, which are there no more",
      async (count) => {
        const cache = await newCache();
        expect(await one().pop(cache, key, count, nowMs)).toBeUndefined();
        await add(cache, numbers(0, 200));
        const popped = texts(await one().pop(cache, key, count, nowMs)) ?? [];
        expect(new Set(popped).size).toBe(Math.min(count, 200));
        const left = (await fetched(cache)) ?? [];
        expect([...popped, ...left].toSorted()).toEqual(numbers(0, 200).toSorted());
        expect(await two().length(cache, key, nowMs)).toBe(count < 200 ? 200 - count : undefined);
        if (count < 200) expect(await fetched(cache, expiresAtMs)).toBeUndefined();
      },
    );

    it("a sample takes nothing away, and has as many different elements as were asked for or are there", async () => {
      const cache = await newCache();
      expect(await two().sample(cache, key, 5, nowMs)).toBeUndefined();
      await add(cache, numbers(0, 20));
      for (const count of [0, 1, 7, 15, 19, 20, 21, Number.MAX_SAFE_INTEGER]) {
        const sample = texts(await two().sample(cache, key, count, nowMs)) ?? [];
        expect(sample).toHaveLength(Math.min(count, 20));
        expect(new Set(sample).size).toBe(sample.length);
        for (const element of sample) expect(numbers(0, 20)).toContain(element);
      }
      expect(await two().length(cache, key, nowMs)).toBe(20);
    });

    // Of 600 draws each of six outcomes comes 100 times; 36 to 164 is seven standard deviations, a chance of 2e-11 for all twelve.
    it("every pair is as likely to be sampled as every other, and every element to be popped", async () => {
      const cache = await newCache();
      await add(cache, ["a", "b", "c", "d"]);
      const sets = Array.from({ length: 600 }, (_, n) => bytes(`set ${n}`));
      for (const name of sets) void one().union(cache, name, ["1", "2", "3", "4", "5", "6"].map(bytes), expiry, nowMs);
      const sampled = await Promise.all(sets.map(() => two().sample(cache, key, 2, nowMs)));
      const popped = await Promise.all(sets.map((name) => one().pop(cache, name, 1, nowMs)));
      for (const outcomes of [sampled, popped]) {
        const times = new Map<string, number>();
        for (const outcome of outcomes) {
          const name = texts(outcome)?.join() ?? "";
          times.set(name, (times.get(name) ?? 0) + 1);
        }
        expect(times.size).toBe(6);
        for (const count of times.values()) expect(Math.abs(count - 100)).toBeLessThanOrEqual(64);
      }
    });

    it("a set may have so many bytes, with four for each element; what is refused changes nothing", async () => {
      const cache = await newCache();
      const large = (n: number) => bytes(`${n}`.padStart(limits.elementMaxBytes, "x"));
      const most = Math.floor(limits.collectionMaxBytes / (limits.elementMaxBytes + 4));
      const all = Array.from({ length: most }, (_, n) => large(n));
      await one().union(cache, key, all, expiry, nowMs);
      const more = one().union(cache, key, [bytes("small"), large(most)], expiry, nowMs);
      await expect(more).rejects.toMatchObject({ code: "limit_exceeded", subject: "item_size" });
      expect(await two().contains(cache, key, [bytes("small")], nowMs)).toEqual([false]);
      const rest = limits.collectionMaxBytes - most * (limits.elementMaxBytes + 4) - 4;
      await expect(add(cache, ["y".repeat(rest + 1)])).rejects.toThrow("item size");
      await add(cache, ["y".repeat(rest)]);
      await one().union(cache, key, all, expiry, nowMs);
      const minuend = [...all.map((_, n) => large(1000 + n)), bytes("y".repeat(rest + 1))];
      const subtracted = one().subtractFrom(cache, key, minuend, nowMs);
      await expect(subtracted).rejects.toMatchObject({ code: "limit_exceeded", subject: "item_size" });
      expect(await two().length(cache, key, nowMs)).toBe(most + 1);
      const fits = [...all, bytes("y".repeat(rest)), bytes("z")];
      expect(await one().subtractFrom(cache, key, fits, nowMs)).toBe(1);
      expect(await fetched(cache)).toEqual(["z"]);
    });

    it("agrees with a plain set, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(setStep, { maxLength: 30 })), async (steps) => {
          const cache = await newCache();
          let model = new Set<string>();
          const changed = async (length: Promise<number | undefined>, before: number) =>
            expect(await length).toBe(before === 0 ? undefined : model.size);
          for (const { handle, act } of steps) {
            const store = subject.handles[handle].sets[durability];
            const before = model;
            const elements =
              "elements" in act ? numbers(act.elements.from, act.elements.from + act.elements.count) : [];
            if (act.kind === "union") {
              model = new Set([...model, ...elements]);
              await store.union(cache, key, elements.map(bytes), expiry, nowMs);
            }
            if (act.kind === "subtract") {
              model = without(model, elements);
              await changed(store.subtract(cache, key, elements.map(bytes), nowMs), before.size);
            }
            if (act.kind === "subtractFrom") {
              model = before.size === 0 ? before : without(new Set(elements), [...model]);
              await changed(store.subtractFrom(cache, key, elements.map(bytes), nowMs), before.size);
            }
            if (act.kind === "clear") {
              model = new Set();
              await changed(store.subtract(cache, key, undefined, nowMs), before.size);
            }
            if (act.kind === "pop") {
              const popped = texts(await store.pop(cache, key, act.count, nowMs));
              expect(popped?.length).toBe(before.size === 0 ? undefined : Math.min(act.count, before.size));
              model = without(model, popped ?? []);
              expect(model.size).toBe(before.size - (popped?.length ?? 0));
            }
            if (act.kind === "sample") {
              const sample = texts(await store.sample(cache, key, act.count, nowMs));
              expect(sample?.length).toBe(before.size === 0 ? undefined : Math.min(act.count, before.size));
              expect(new Set(sample).size).toBe(sample?.length ?? 0);
              expect(sample?.every((element) => model.has(element))).not.toBe(false);
            }
            if (act.kind === "sweep") await subject.handles[handle].items[durability].sweep(nowMs);
            if (act.kind === "reopen" && isDurable) await subject.reopen();
            const asked = numbers(0, 5);
            expect(await Promise.all([fetched(cache), two().contains(cache, key, asked.map(bytes), nowMs)])).toEqual(
              model.size === 0
                ? [undefined, undefined]
                : [[...model].toSorted(), asked.map((element) => model.has(element))],
            );
          }
          while (await items().sweep(nowMs));
        }),
        { numRuns: 20 },
      );
    });
  });
}

function without(set: ReadonlySet<string>, elements: readonly string[]): Set<string> {
  const left = new Set(set);
  for (const element of elements) left.delete(element);
  return left;
}

const elements = fc.record({ from: fc.nat(150), count: fc.oneof(fc.nat(5), fc.nat(150)) });
/** Some sets are larger than what is freed at once. */
const setStep = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  act: fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("union" as const), elements }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("subtract" as const), elements }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("subtractFrom" as const), elements }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("pop" as const), count: fc.oneof(fc.nat(4), fc.nat(200)) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("sample" as const), count: fc.oneof(fc.nat(4), fc.nat(200)) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("sweep" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
});
