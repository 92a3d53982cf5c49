import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { CollectionKind } from "./collection.contract.ts";
import { bytesOfName, SortedSetModel, scored } from "./sorted-set-model.contract.ts";
import type {
  ScoreBound,
  ScoredElement,
  ScoreOrder,
  ScoreRange,
  SortedSetRange,
  SortedSetSlice,
  UnionSource,
} from "./sorted-set-store.ts";

const nowMs = 1_000_000;
const expiresAtMs = nowMs + 60_000;
const expiry = { expiresAtMs, isRefreshed: false };
const bytes = bytesOfName;
const key = bytes("sorted set");
const all: SortedSetRange = { by: "rank", start: undefined, end: undefined };
const orders = ["ascending", "descending"] as const;

/** For the laws that all collections share. On `disk` elements lie in two b-trees. */
export function sortedSetKind(durability: Durability): CollectionKind {
  const named = (names: readonly Uint8Array[]) => names.map((element, score) => ({ element, score }));
  const element = bytes("a");
  return {
    type: "sorted set",
    copies: durability === "disk" ? 2 : 1,
    add: ({ sortedSets }, cache, at, names, ends, atMs) =>
      sortedSets[durability].put(cache, at, named(names), ends, atMs),
    remove: ({ sortedSets }, cache, at, name, atMs) => sortedSets[durability].remove(cache, at, [name], atMs),
    length: ({ sortedSets }, cache, at, atMs) => sortedSets[durability].length(cache, at, atMs),
    reads({ sortedSets: { [durability]: sets } }, cache, at, atMs) {
      return [
        sets.scores(cache, at, [element], atMs),
        sets.ranks(cache, at, [element], "ascending", false, atMs),
        sets.fetch(cache, at, all, "ascending", atMs),
        sets.length(cache, at, atMs),
        sets.count(cache, at, { min: undefined, max: undefined }, atMs),
      ];
    },
    changes({ sortedSets: { [durability]: sets } }, cache, at, atMs) {
      return [
        sets.put(cache, at, named([element]), expiry, atMs),
        sets.increment(cache, at, element, 1, expiry, atMs),
        sets.remove(cache, at, [element], atMs),
        sets.remove(cache, at, undefined, atMs),
        sets.unionStore(cache, at, [{ key: bytes("other"), weight: 1 }], "sum", expiresAtMs, atMs),
        sets.unionStore(cache, bytes("other"), [{ key: at, weight: 1 }], "sum", expiresAtMs, atMs),
      ];
    },
  };
}

/** The laws of `SortedSetStore`, beside those that all collections share. */
export function sortedSetStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`sorted sets of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].sortedSets[durability];
    const two = () => subject.handles[1].sortedSets[durability];
    const boards = () => subject.handles[0].leaderboards[durability];
    const items = () => subject.handles[1].items[durability];
    async function newCache(): Promise<CacheKey> {
      const at = { environment: `environment of sorted sets ${caches}`, cache: `sorted set cache ${caches++}` };
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment: at.environment, name: at.cache },
        { durability },
      );
      return { ...at, cacheId: record.id };
    }
    const put = (cache: CacheKey, scores: Record<string, number>, at = key) =>
      one().put(cache, at, Object.entries(scores).map(scored), expiry, nowMs);
    const fetched = async (cache: CacheKey, range = all, order: ScoreOrder = "ascending", at = key) =>
      entriesOf(await two().fetch(cache, at, range, order, nowMs));

    it("elements lie by score, those of equal scores by their bytes, also in the other order", async () => {
      const cache = await newCache();
      const names = ["", "\0", "a", "ab", "b", "\x7f", "\x80", "ÿ"];
      expect(await put(cache, { ...Object.fromEntries(names.toReversed().map((text) => [text, 2])), low: -1 })).toBe(9);
      await put(cache, { least: -Infinity, greatest: Infinity, half: 2.5, tiny: 2 + Number.EPSILON * 2 });
      const ascending = ["least", "low", ...names, "tiny", "half", "greatest"];
      expect((await fetched(cache))?.map(([text]) => text)).toEqual(ascending);
      expect((await fetched(cache, all, "descending"))?.map(([text]) => text)).toEqual(ascending.toReversed());
      expect(await two().scores(cache, key, ["least", "nothing", "half"].map(bytes), nowMs)).toEqual([
        -Infinity,
        undefined,
        2.5,
      ]);
    });

    it("the last score of an element counts, within a call too, and -0 is 0", async () => {
      const cache = await newCache();
      const twice = [scored(["a", 1]), scored(["b", 5]), scored(["a", -0])];
      expect(await one().put(cache, key, twice, expiry, nowMs)).toBe(2);
      expect(await fetched(cache)).toEqual([
        ["a", 0],
        ["b", 5],
      ]);
      await put(cache, { b: -1 });
      expect(await fetched(cache)).toEqual([
        ["b", -1],
        ["a", 0],
      ]);
    });

    it("elements are kept byte by byte, whatever becomes of the caller's buffer", async () => {
      const cache = await newCache();
      const element = new Uint8Array([0, 255, 10]);
      await one().put(cache, key, [{ element, score: 1 }], expiry, nowMs);
      element.fill(9);
      expect(await two().scores(cache, key, [new Uint8Array([0, 255, 10]), element], nowMs)).toEqual([1, undefined]);
    });

    it("nothing put makes no sorted set, nothing removed leaves it as it is", async () => {
      const cache = await newCache();
      expect(await put(cache, {})).toBe(0);
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
      expect(await one().remove(cache, key, undefined, nowMs)).toBeUndefined();
      await put(cache, { a: 1, b: 2 });
      expect(await put(cache, {})).toBe(2);
      expect(await one().remove(cache, key, ["x", "a", "a"].map(bytes), nowMs)).toBe(1);
      expect(await one().remove(cache, key, [], nowMs)).toBe(1);
      expect(await one().remove(cache, key, undefined, nowMs)).toBe(0);
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
    });

    it("an increment begins at 0, and is refused when its sum is not a number", async () => {
      const cache = await newCache();
      const add = (amount: number) => one().increment(cache, key, bytes("a"), amount, expiry, nowMs);
      expect(await add(-0)).toBe(0);
      expect(await add(2.5)).toBe(2.5);
      expect(await add(-2.5)).toBe(0);
      expect(await add(Infinity)).toBe(Infinity);
      await expect(add(-Infinity)).rejects.toMatchObject({ code: "failed_precondition" });
      expect(await fetched(cache)).toEqual([["a", Infinity]]);
    });

    it("elements of equal scores have ranks of their own, or share that of the first: 0, 1, 1, 3", async () => {
      const cache = await newCache();
      await put(cache, { a: 1, b: 2, c: 2, d: 3 });
      const ranks = async (order: ScoreOrder, areTiesShared: boolean) => {
        const asked = ["d", "c", "nothing", "b", "a", "b"].map(bytes);
        const found = await two().ranks(cache, key, asked, order, areTiesShared, nowMs);
        expect(found?.map((one) => one?.score)).toEqual([3, 2, undefined, 2, 1, 2]);
        return found?.map((one) => one?.rank);
      };
      expect(await ranks("ascending", false)).toEqual([3, 2, undefined, 1, 0, 1]);
      expect(await ranks("ascending", true)).toEqual([3, 1, undefined, 1, 0, 1]);
      expect(await ranks("descending", false)).toEqual([0, 1, undefined, 2, 3, 2]);
      expect(await ranks("descending", true)).toEqual([0, 1, undefined, 1, 3, 1]);
    });

    it("a union weighs scores, aggregates those of the same element, and ends at its time; its sources stay", async () => {
      const cache = await newCache();
      const [first, second] = [bytes("first"), bytes("second")];
      await put(cache, { a: 1, b: 2 }, first);
      await put(cache, { b: 10, c: 20 }, second);
      const store = (aggregate: "sum" | "min" | "max", keys: UnionSource[]) =>
        one().unionStore(cache, key, keys, aggregate, nowMs + 90_000, nowMs);
      const both = [
        { key: first, weight: 2 },
        { key: second, weight: -1 },
      ];
      const expected = {
        sum: { c: -20, b: -6, a: 2 },
        min: { c: -20, b: -10, a: 2 },
        max: { c: -20, a: 2, b: 4 },
      };
      for (const aggregate of ["sum", "min", "max"] as const) {
        expect(await store(aggregate, both)).toBe(3);
        expect(await fetched(cache)).toEqual(Object.entries(expected[aggregate]));
      }
      expect(await two().length(cache, key, nowMs + 89_999)).toBe(3);
      expect(await two().length(cache, key, nowMs + 90_000)).toBeUndefined();
      expect(await fetched(cache, all, "ascending", first)).toEqual(Object.entries({ a: 1, b: 2 }));
      expect(await store("sum", [{ key: bytes("nothing"), weight: 1 }])).toBe(0);
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
    });

    it("a union may take the place of one of its sources, and counts a source as often as it is named", async () => {
      const cache = await newCache();
      await put(cache, { a: 1, b: -3 });
      const own = { key, weight: 1 };
      expect(await one().unionStore(cache, key, [own, own, { ...own, weight: 0.5 }], "sum", expiresAtMs, nowMs)).toBe(
        2,
      );
      expect(await fetched(cache)).toEqual(Object.entries({ b: -7.5, a: 2.5 }));
    });

    it("what is not a number counts as 0 in a union", async () => {
      const cache = await newCache();
      await put(cache, { a: Infinity, b: Infinity });
      const sources = (...weights: number[]) => weights.map((weight) => ({ key, weight }));
      const store = (weights: number[]) =>
        one().unionStore(cache, bytes("union"), sources(...weights), "sum", expiresAtMs, nowMs);
      await store([1, -1]);
      expect(await fetched(cache, all, "ascending", bytes("union"))).toEqual(Object.entries({ a: 0, b: 0 }));
      await store([0]);
      expect(await fetched(cache, all, "ascending", bytes("union"))).toEqual(Object.entries({ a: 0, b: 0 }));
    });

    it("a union is refused for a source of another type and for one too large, and changes nothing then", async () => {
      const cache = await newCache();
      await put(cache, { a: 1 });
      await items().set(cache, bytes("scalar"), { value: bytes("s"), expiresAtMs });
      const most = Array.from({ length: limits.collectionMaxElements }, (_, n) => scored([`${n}`, n]));
      await one().put(cache, bytes("most"), most, expiry, nowMs);
      const store = (...names: string[]) =>
        one().unionStore(
          cache,
          key,
          names.map((text) => ({ key: bytes(text), weight: 1 })),
          "sum",
          expiresAtMs,
          nowMs,
        );
      await expect(store("scalar")).rejects.toMatchObject({ code: "failed_precondition" });
      const tooLarge = { code: "limit_exceeded", subject: "item_size" };
      await expect(store("most", "sorted set")).rejects.toMatchObject(tooLarge);
      await expect(store("most", "most", "sorted set")).rejects.toMatchObject(tooLarge);
      expect(await fetched(cache)).toEqual([["a", 1]]);
      await expect(put(cache, { more: 1 }, bytes("most"))).rejects.toMatchObject(tooLarge);
    });

    it("a leaderboard does not see a sorted set of its name, may be larger, and goes with its cache", async () => {
      const cache = await newCache();
      await put(cache, { a: 1 });
      const many = Array.from({ length: limits.collectionMaxElements + 1 }, (_, n) => scored([`${n}`, n]));
      expect(await boards().put(cache, key, many, expiry, nowMs)).toBe(many.length);
      expect(await boards().ranks(cache, key, [bytes("99999")], "descending", false, nowMs)).toEqual([
        { rank: 1, score: 99_999 },
      ]);
      expect(await fetched(cache)).toEqual([["a", 1]]);
      await items().set(cache, key, { value: bytes("scalar"), expiresAtMs });
      expect(await boards().length(cache, key, nowMs)).toBe(many.length);
      if (isDurable) await subject.reopen();
      if (isDurable) expect(await boards().length(cache, key, nowMs)).toBe(many.length);
      const record = { kind: "cache", environment: cache.environment, name: cache.cache };
      const renewed = { ...cache, cacheId: (await subject.handles[0].records.renew(record)).id };
      await items().forget(cache);
      expect(await boards().length(cache, key, nowMs)).toBeUndefined();
      await expect(boards().put(cache, key, [], expiry, nowMs)).rejects.toMatchObject({ code: "not_found" });
      while (await items().sweep(nowMs));
      expect(await boards().put(renewed, key, [scored(["b", 1])], expiry, nowMs)).toBe(1);
    });

    /** Compares some of everything that can be read. */
    async function expectLike(cache: CacheKey, model: SortedSetModel, look: Look): Promise<void> {
      const at = [cache, key] as const;
      const { order, areTiesShared, scores } = look;
      const { length } = model;
      expect(await two().length(...at, nowMs)).toBe(length || undefined);
      if (length === 0) return;
      const asked = look.names.length > 0 ? look.names : model.some(look.places);
      const elements = asked.map(bytes);
      expect(await two().ranks(...at, elements, order, areTiesShared, nowMs)).toEqual(
        asked.map((text) => model.rank(text, order, areTiesShared)),
      );
      expect(await one().scores(...at, elements, nowMs)).toEqual(asked.map((text) => model.scores.get(text)));
      const [start, end] = look.places.map((place) => Math.round(place * length) + 0) as [number, number];
      const byRank: SortedSetRange = { by: "rank", start, end };
      const byScore: SortedSetRange = { by: "score", offset: look.offset, count: look.count, ...scores };
      for (const range of [byRank, byScore]) {
        const slice = await two().fetch(...at, range, order, nowMs);
        const expected = model.fetch(range, order);
        expect(entriesOf(slice)).toEqual(expected.entries);
        if (expected.entries.length > 0) expect(slice?.firstRank).toBe(expected.firstRank);
      }
      expect(await one().count(...at, scores, nowMs)).toBe(model.within(scores).length);
    }

    it("agrees with a plain array, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(step, { maxLength: 30 })), async (steps) => {
          const cache = await newCache();
          const model = new SortedSetModel();
          for (const { handle, act, look } of steps) {
            const store = subject.handles[handle].sortedSets[durability];
            const before = model.length;
            if (act.kind === "put") {
              for (const [text, score] of act.scores) model.put(text, score);
              expect(await store.put(cache, key, act.scores.map(scored), expiry, nowMs)).toBe(model.length);
            }
            if (act.kind === "increment") {
              const sum = (model.scores.get(act.name) ?? 0) + act.amount;
              const call = store.increment(cache, key, bytes(act.name), act.amount, expiry, nowMs);
              if (Number.isNaN(sum)) await expect(call).rejects.toMatchObject({ code: "failed_precondition" });
              else expect(await call).toBe(model.put(act.name, sum));
            }
            if (act.kind === "remove") {
              for (const text of act.names ?? [...model.scores.keys()]) model.scores.delete(text);
              const left = await store.remove(cache, key, act.names?.map(bytes), nowMs);
              expect(left).toBe(before === 0 ? undefined : model.length);
            }
            if (act.kind === "union") {
              const other = new SortedSetModel();
              for (const [text, score] of act.scores) other.put(text, score);
              await store.put(cache, bytes("other"), act.scores.map(scored), expiry, nowMs);
              model.unite(other, act.weight, act.aggregate);
              const sources = [
                { key, weight: 1 },
                { key: bytes("other"), weight: act.weight },
              ];
              expect(await store.unionStore(cache, key, sources, act.aggregate, expiresAtMs, nowMs)).toBe(model.length);
              await items().delete(cache, bytes("other"));
            }
            if (act.kind === "sweep") await subject.handles[handle].items[durability].sweep(nowMs);
            if (act.kind === "reopen" && isDurable) await subject.reopen();
            await expectLike(cache, model, look);
          }
          expect(await fetched(cache)).toEqual(model.length === 0 ? undefined : model.entries());
        }),
        { numRuns: 25 },
      );
    });

    it("agrees with a plain array when it has thousands of elements, that come and go in large and small steps", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(largeStep, { minLength: 4, maxLength: 16 }), async (steps) => {
          const cache = await newCache();
          const model = new SortedSetModel();
          for (const { act, look } of steps) {
            const texts = Array.from({ length: act.count }, (_, n) => `${(act.from + n * 7) % 6000}`);
            if (act.kind === "put") {
              const scores = texts.map((text) => [text, Number(text) % act.scores] as const);
              for (const [text, score] of scores) model.put(text, score);
              expect(await one().put(cache, key, scores.map(scored), expiry, nowMs)).toBe(model.length);
            } else if (act.kind === "remove") {
              const before = model.length;
              for (const text of texts) model.scores.delete(text);
              const left = await one().remove(cache, key, texts.map(bytes), nowMs);
              expect(left).toBe(before === 0 ? undefined : model.length);
            } else if (isDurable) await subject.reopen();
            await expectLike(cache, model, look);
          }
          expect(await fetched(cache)).toEqual(model.length === 0 ? undefined : model.entries());
        }),
        { numRuns: 4 },
      );
    });
  });
}

/** What is looked at after a step; `places` are parts of the length. */
interface Look {
  readonly order: ScoreOrder;
  readonly areTiesShared: boolean;
  readonly names: readonly string[];
  readonly places: readonly number[];
  readonly scores: ScoreRange;
  readonly offset: number;
  readonly count: number | undefined;
}

function entriesOf(slice: SortedSetSlice | undefined): [string, number][] | undefined {
  const entry = ({ element, score }: ScoredElement): [string, number] => [
    Buffer.from(element).toString("latin1"),
    score,
  ];
  return slice?.elements.map(entry);
}

const someName = fc.constantFrom("", "\0", "a", "ab", "b", "c", "d", "\x80", "ÿ", "ÿÿ");
const someScore = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true }),
  fc.constantFrom(Infinity, -Infinity, -0, 5e-324, -5e-324, Number.MAX_VALUE),
);
const scores = fc.array(fc.tuple(someName, someScore), { maxLength: 8 });
const someBound = (score: fc.Arbitrary<number>) =>
  fc.option(fc.record<ScoreBound>({ score, isExclusive: fc.boolean() }), { nil: undefined });
const someLook = (names: fc.Arbitrary<string[]>, score: fc.Arbitrary<number>): fc.Arbitrary<Look> =>
  fc.record({
    order: fc.constantFrom(...orders),
    areTiesShared: fc.boolean(),
    names,
    places: fc.array(fc.double({ min: -1.1, max: 1.1, noNaN: true }), { minLength: 2, maxLength: 6 }),
    scores: fc.record({ min: someBound(score), max: someBound(score) }),
    offset: fc.nat(4),
    count: fc.option(fc.nat(5), { nil: undefined }),
  });
const step = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  look: someLook(fc.array(someName), someScore),
  act: fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("put" as const), scores }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("increment" as const), name: someName, amount: someScore }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("remove" as const),
        names: fc.option(fc.array(someName, { maxLength: 4 }), { nil: undefined, freq: 6 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("union" as const),
        scores,
        weight: fc.constantFrom(1, -1, 0, 0.1, 2),
        aggregate: fc.constantFrom("sum" as const, "min" as const, "max" as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("sweep" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
});
/** Few scores make many ties. */
const largeStep = fc.record({
  look: someLook(fc.constant([]), fc.integer({ min: -1, max: 4000 })),
  act: fc.record({
    kind: fc.oneof(
      { weight: 5, arbitrary: fc.constant("put" as const) },
      { weight: 3, arbitrary: fc.constant("remove" as const) },
      { weight: 1, arbitrary: fc.constant("reopen" as const) },
    ),
    from: fc.nat(6000),
    count: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 3000 })),
    scores: fc.constantFrom(1, 3, 500, 4000),
  }),
});
