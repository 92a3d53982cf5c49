import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { type EngineSubject, type OpenSubject, oneReopen } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { ListEnd, ListPush, ListRange, ListSlice, ListStore } from "./list-store.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array) => new TextDecoder().decode(value);
const nowMs = 1_000_000;
const expiresAtMs = nowMs + 60_000;
const key = bytes("list");
const all = { start: undefined, end: undefined };
const budgetBytes = 20_000_000;

/** `values` as one push; `more` says what is not usual about it. */
function aPush(values: readonly string[], more: Partial<ListPush> = {}): ListPush {
  const expiry = { expiresAtMs, isRefreshed: false };
  return { end: "back", truncateTo: undefined, expiry, ...more, values: values.map(bytes) };
}

/** The laws of `ListStore`, and of what it shares with `ItemStore`. */
export function listStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`lists of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: budgetBytes });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].lists[durability];
    const two = () => subject.handles[1].lists[durability];
    const items = () => subject.handles[1].items[durability];
    async function newCache(environment = `environment ${caches}`): Promise<CacheKey> {
      const cache = `list cache ${caches++}`;
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment, name: cache },
        { durability },
      );
      return { environment, cache, cacheId: record.id };
    }
    const fetched = async (cache: CacheKey, slice: ListSlice = all, atMs = nowMs) =>
      (await two().fetch(cache, key, slice, atMs))?.map(text);

    it("values are pushed in their order at either end, popped from either, and the last that goes takes the list along", async () => {
      const cache = await newCache();
      expect(await one().push(cache, key, aPush(["c", "d"]), nowMs)).toBe(2);
      expect(await two().push(cache, key, aPush(["a", "b"], { end: "front" }), nowMs)).toBe(4);
      expect(await fetched(cache)).toEqual(["a", "b", "c", "d"]);
      const pop = async (store: ListStore, end: ListEnd) => {
        const popped = await store.pop(cache, key, end, nowMs);
        return popped && { ...popped, value: text(popped.value) };
      };
      expect(await pop(one(), "front")).toEqual({ value: "a", length: 3 });
      expect(await pop(two(), "back")).toEqual({ value: "d", length: 2 });
      await one().pop(cache, key, "back", nowMs);
      expect(await one().length(cache, key, nowMs)).toBe(1);
      expect(await pop(one(), "back")).toEqual({ value: "b", length: 0 });
      expect(await one().pop(cache, key, "back", nowMs)).toBeUndefined();
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
      expect(await fetched(cache)).toBeUndefined();
    });

    it("values are kept byte by byte, empty ones too, whatever becomes of the caller's buffer", async () => {
      const cache = await newCache();
      const value = new Uint8Array([0, 255, 10]);
      const push = { ...aPush([]), values: [value, new Uint8Array(0)] };
      await one().push(cache, key, push, nowMs);
      value.fill(9);
      const kept = await two().fetch(cache, key, all, nowMs);
      expect(kept?.map((one) => [...one])).toEqual([[0, 255, 10], []]);
      expect(await one().remove(cache, key, new Uint8Array(0), nowMs)).toBe(1);
    });

    it("nothing pushed makes no list, and cuts one that is there", async () => {
      const cache = await newCache();
      expect(await one().push(cache, key, aPush([]), nowMs)).toBe(0);
      expect(await two().length(cache, key, nowMs)).toBeUndefined();
      await one().push(cache, key, aPush(["a", "b", "c"]), nowMs);
      expect(await one().push(cache, key, aPush([], { truncateTo: 2 }), nowMs)).toBe(2);
      expect(await fetched(cache)).toEqual(["b", "c"]);
    });

    it("a push cuts the other end, also more than there was", async () => {
      const cache = await newCache();
      expect(await one().push(cache, key, aPush(["a", "b", "c"], { truncateTo: 2 }), nowMs)).toBe(2);
      expect(await fetched(cache)).toEqual(["b", "c"]);
      expect(await one().push(cache, key, aPush(["x"], { end: "front", truncateTo: 2 }), nowMs)).toBe(2);
      expect(await fetched(cache)).toEqual(["x", "b"]);
      expect(await one().push(cache, key, aPush(["1", "2", "3"], { end: "front", truncateTo: 2 }), nowMs)).toBe(2);
      expect(await fetched(cache)).toEqual(["1", "2"]);
    });

    it("a list ends at its time, which only a refresh moves; then the key is free", async () => {
      const cache = await newCache();
      const later = (isRefreshed: boolean) => ({ expiry: { expiresAtMs: nowMs + 90_000, isRefreshed } });
      await one().push(cache, key, aPush(["a"]), nowMs);
      await one().push(cache, key, aPush(["b"], later(false)), nowMs);
      await one().retain(cache, key, all, later(false).expiry, nowMs);
      expect(await fetched(cache, all, expiresAtMs - 1)).toEqual(["a", "b"]);
      expect(await fetched(cache, all, expiresAtMs)).toBeUndefined();
      expect(await two().length(cache, key, expiresAtMs)).toBeUndefined();
      await one().push(cache, key, aPush(["c"], later(true)), nowMs);
      expect(await fetched(cache, all, expiresAtMs)).toEqual(["a", "b", "c"]);
      await one().retain(cache, key, all, { expiresAtMs: nowMs + 99_000, isRefreshed: true }, nowMs);
      expect(await fetched(cache, all, nowMs + 98_999)).toHaveLength(3);
      expect(await one().pop(cache, key, "back", nowMs + 99_000)).toBeUndefined();
      expect(await one().push(cache, key, aPush(["new"], later(false)), nowMs + 99_000)).toBe(1);
      expect(await fetched(cache)).toEqual(["new"]);
    });

    it("a key holds one type at a time: set takes a list's place, a list that of an expired item", async () => {
      const cache = await newCache();
      await items().set(cache, key, { value: bytes("scalar"), expiresAtMs: nowMs + 10 });
      const calls = [
        () => one().push(cache, key, aPush(["a"]), nowMs),
        () => one().pop(cache, key, "back", nowMs),
        () => one().fetch(cache, key, all, nowMs),
        () => one().length(cache, key, nowMs),
        () => one().retain(cache, key, all, aPush([]).expiry, nowMs),
        () => one().remove(cache, key, bytes("a"), nowMs),
        () => one().erase(cache, key, [{ start: 0, count: 1 }], nowMs),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "failed_precondition" });
      expect([...((await items().get(cache, key, nowMs))?.value ?? [])]).toEqual([...bytes("scalar")]);
      expect(await one().push(cache, key, aPush(["a"]), nowMs + 10)).toBe(1);
      await expect(items().get(cache, key, nowMs + 10)).rejects.toMatchObject({ code: "failed_precondition" });
      await items().set(cache, key, { value: bytes("again"), expiresAtMs });
      expect([...((await items().get(cache, key, nowMs))?.value ?? [])]).toEqual([...bytes("again")]);
      await items().delete(cache, key);
      await one().push(cache, key, aPush(["b"]), nowMs);
      expect(await fetched(cache)).toEqual(["b"]);
      await items().delete(cache, key);
      expect(await fetched(cache)).toBeUndefined();
      expect(await items().get(cache, key, nowMs)).toBeUndefined();
    });

    it("a forgotten cache has no lists and takes none; its renewed incarnation is empty", async () => {
      const [gone, kept] = [await newCache(), await newCache()];
      for (const cache of [gone, kept]) {
        await one().push(cache, key, aPush(Array.from({ length: 200 }, (_, n) => `${n}`)), nowMs);
      }
      const record = { kind: "cache", environment: gone.environment, name: gone.cache };
      const renewed = { ...gone, cacheId: (await subject.handles[0].records.renew(record)).id };
      await items().forget(gone);
      const check = async () => {
        expect(await fetched(gone)).toBeUndefined();
        await expect(one().push(gone, key, aPush(["a"]), nowMs)).rejects.toMatchObject({ code: "not_found" });
        await expect(one().pop(gone, key, "back", nowMs)).rejects.toMatchObject({ code: "not_found" });
        expect(await fetched(renewed)).toBeUndefined();
        expect(await fetched(kept)).toHaveLength(200);
      };
      await check();
      while (await items().sweep(nowMs));
      await check();
      if (isDurable) await subject.reopen();
      if (isDurable) await check();
    });

    it("a list may have so many bytes, with four for each element; what is refused changes nothing", async () => {
      const cache = await newCache();
      const large = bytes("x".repeat(limits.elementMaxBytes));
      const most = Math.floor(limits.collectionMaxBytes / (large.byteLength + 4));
      const push = (count: number, more: Partial<ListPush> = {}) =>
        one().push(cache, key, { ...aPush([], more), values: Array.from({ length: count }, () => large) }, nowMs);
      expect(await push(most)).toBe(most);
      await expect(push(1)).rejects.toMatchObject({ code: "limit_exceeded", subject: "item_size" });
      await expect(push(1, { end: "front" })).rejects.toMatchObject({ code: "limit_exceeded" });
      expect(await push(1, { truncateTo: most })).toBe(most);
      const rest = limits.collectionMaxBytes - most * (large.byteLength + 4) - 4;
      await expect(one().push(cache, key, aPush(["x".repeat(rest + 1)]), nowMs)).rejects.toThrow("item size");
      expect(await one().push(cache, key, aPush(["x".repeat(rest)]), nowMs)).toBe(most + 1);
    });

    it("elements count towards the environment's budget until they are popped, cut or deleted", async () => {
      const cache = await newCache("full of lists");
      const nine = { ...aPush([]), values: Array.from({ length: 90 }, () => new Uint8Array(100_000)) };
      const other = bytes("other");
      for (const name of [key, other]) await one().push(cache, name, nine, nowMs);
      const third = () => one().push(cache, bytes("third"), nine, nowMs);
      if (isDurable) await expect(third()).rejects.toMatchObject({ code: "limit_exceeded" });
      await one().retain(cache, key, { start: 10, end: 20 }, nine.expiry, nowMs);
      expect(await third()).toBe(90);
      expect(await fetched(cache)).toHaveLength(10);
      await items().delete(cache, other);
      expect(await one().push(cache, other, nine, nowMs)).toBe(90);
      expect(await one().length(cache, bytes("third"), nowMs)).toBe(90);
      if (!isDurable) {
        await one().push(cache, bytes("fourth"), nine, nowMs);
        expect(await fetched(cache)).toBeUndefined();
      }
    });

    it("agrees with a plain array, whatever the order of calls", async () => {
      await fc.assert(
        fc.asyncProperty(oneReopen(fc.array(listStep, { maxLength: 30 })), async (steps) => {
          const cache = await newCache();
          let model: string[] = [];
          for (const { handle, act } of steps) {
            const store = subject.handles[handle].lists[durability];
            const before = model;
            if (act.kind === "push") {
              const values = Array.from({ length: act.count }, (_, n) => `${n % act.values}`);
              model = modelPush(model, values, act.end, act.truncateTo);
              const push = aPush(values, { end: act.end, truncateTo: act.truncateTo });
              expect(await store.push(cache, key, push, nowMs)).toBe(model.length);
            }
            if (act.kind === "pop") {
              const value = model.at(act.end === "front" ? 0 : -1);
              model = act.end === "front" ? model.slice(1) : model.slice(0, -1);
              const popped = await store.pop(cache, key, act.end, nowMs);
              expect(popped && { ...popped, value: text(popped.value) }).toEqual(
                value === undefined ? undefined : { value, length: model.length },
              );
            }
            const changed = async (length: Promise<number | undefined>) =>
              expect(await length).toBe(before.length === 0 ? undefined : model.length);
            if (act.kind === "retain") {
              model = model.slice(act.slice.start, act.slice.end);
              await changed(store.retain(cache, key, act.slice, aPush([]).expiry, nowMs));
            }
            if (act.kind === "remove") {
              model = model.filter((value) => value !== act.value);
              await changed(store.remove(cache, key, bytes(act.value), nowMs));
            }
            if (act.kind === "erase") {
              model = model.filter((_, n) => !act.ranges.some(({ start, count }) => n >= start && n < start + count));
              await changed(store.erase(cache, key, act.ranges, nowMs));
            }
            if (act.kind === "sweep") await subject.handles[handle].items[durability].sweep(nowMs);
            if (act.kind === "reopen" && isDurable) await subject.reopen();
            const expected = model.length === 0 ? undefined : model;
            const slice = act.kind === "fetch" ? act.slice : { start: 1, end: -1 };
            expect(await Promise.all([fetched(cache), fetched(cache, slice)])).toEqual([
              expected,
              expected?.slice(slice.start, slice.end),
            ]);
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

function modelPush(list: string[], values: string[], end: "front" | "back", size: number = Infinity): string[] {
  const pushed = end === "back" ? [...list, ...values] : [...values, ...list];
  if (pushed.length <= size) return pushed;
  return end === "back" ? pushed.slice(-size) : pushed.slice(0, size);
}

const end = fc.constantFrom("front" as const, "back" as const);
const index = fc.option(fc.integer({ min: -150, max: 150 }), { nil: undefined });
const slice = fc.record<ListSlice>({ start: index, end: index });
const range = fc.record<ListRange>({ start: fc.nat(100), count: fc.nat(40) });
/** Some pushes and cuts are larger than what is freed at once. */
const listStep = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  act: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("push" as const),
        end,
        count: fc.oneof(fc.nat(5), fc.nat(150)),
        values: fc.integer({ min: 1, max: 5 }),
        truncateTo: fc.option(fc.integer({ min: 1, max: 120 }), { nil: undefined }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("pop" as const), end }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("retain" as const), slice }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("remove" as const), value: fc.constantFrom("0", "1", "3") }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("erase" as const), ranges: fc.array(range, { maxLength: 5 }) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("fetch" as const), slice }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("sweep" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  ),
});
