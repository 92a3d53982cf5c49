import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../engine.ts";
import { limits } from "../limits.ts";
import type { EngineSubject, OpenSubject } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { CollectionExpiry } from "./collections.ts";
import type { ItemType } from "./item-type.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const nowMs = 1_000_000;
const expiresAtMs = nowMs + 60_000;
const expiry: CollectionExpiry = { expiresAtMs, isRefreshed: false };
const key = bytes("key");
const budgetBytes = 20_000_000;

/** One kind of collection, as far as it is like the others. */
export interface CollectionKind {
  readonly type: ItemType;
  /** How often the bytes of an element count; 1 where it is not said. */
  readonly copies?: number;
  /** Makes the collection where there is none. Each name makes one element, of the name's bytes and at most 200 more. */
  add(
    engine: Engine,
    cache: CacheKey,
    key: Uint8Array,
    names: readonly Uint8Array[],
    expiry: CollectionExpiry,
    nowMs: number,
  ): Promise<unknown>;
  /** Takes one element away. */
  remove(engine: Engine, cache: CacheKey, key: Uint8Array, name: Uint8Array, nowMs: number): Promise<unknown>;
  length(engine: Engine, cache: CacheKey, key: Uint8Array, nowMs: number): Promise<number | undefined>;
  /** Every call that only reads, and every call that changes something, with arguments that suit a collection with elements. */
  reads(engine: Engine, cache: CacheKey, key: Uint8Array, nowMs: number): Promise<unknown>[];
  changes(engine: Engine, cache: CacheKey, key: Uint8Array, nowMs: number): Promise<unknown>[];
}

/** The laws that all kinds of collections share; lists have them in their own contract. */
export function collectionContract(
  name: string,
  durability: Durability,
  kind: CollectionKind,
  open: OpenSubject,
): void {
  const isDurable = durability === "disk";

  describe(`a ${kind.type} of ${name}, as any collection`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: budgetBytes });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0];
    const two = () => subject.handles[1];
    const items = () => two().items[durability];
    async function newCache(environment = `environment of ${kind.type} ${caches}`): Promise<CacheKey> {
      const cache = `${kind.type} cache ${caches++}`;
      const record = await one().records.create({ kind: "cache", environment, name: cache }, { durability });
      return { environment, cache, cacheId: record.id };
    }
    const add = (cache: CacheKey, names: readonly string[], at: CollectionExpiry = expiry, atMs = nowMs) =>
      kind.add(one(), cache, key, names.map(bytes), at, atMs);
    const scalar = async (cache: CacheKey) => {
      const item = await items().get(cache, key, nowMs);
      return item && new TextDecoder().decode(item.value);
    };
    const length = (cache: CacheKey, atMs = nowMs, at = key) => kind.length(two(), cache, at, atMs);

    it("ends at its time, which only a refresh moves; then the key is free", async () => {
      const cache = await newCache();
      const later = (isRefreshed: boolean) => ({ expiresAtMs: nowMs + 90_000, isRefreshed });
      await add(cache, ["a"]);
      await add(cache, ["b"], later(false));
      expect(await length(cache, expiresAtMs - 1)).toBe(2);
      expect(await length(cache, expiresAtMs)).toBeUndefined();
      await add(cache, ["c"], later(true));
      expect(await length(cache, expiresAtMs)).toBe(3);
      expect(await length(cache, nowMs + 90_000)).toBeUndefined();
      await add(cache, ["new"], { expiresAtMs: nowMs + 99_000, isRefreshed: false }, nowMs + 90_000);
      expect(await length(cache, nowMs + 98_999)).toBe(1);
      // `memory` sweeps by whole seconds.
      while (await items().sweep(nowMs + 100_000));
      expect(await length(cache, nowMs)).toBeUndefined();
    });

    it("goes with its last element", async () => {
      const cache = await newCache();
      await add(cache, ["a", "b"]);
      for (const name of ["a", "b"]) await kind.remove(two(), cache, key, bytes(name), nowMs);
      expect(await length(cache)).toBeUndefined();
      await items().set(cache, key, { value: bytes("scalar"), expiresAtMs });
      expect(await scalar(cache)).toBe("scalar");
    });

    it("a key holds one type at a time: set takes its place, and it takes that of an expired item", async () => {
      const cache = await newCache();
      await items().set(cache, key, { value: bytes("scalar"), expiresAtMs: nowMs + 10 });
      const calls = [...kind.reads(two(), cache, key, nowMs), ...kind.changes(one(), cache, key, nowMs)];
      await expectRefused(calls, "failed_precondition");
      expect(await scalar(cache)).toBe("scalar");
      await add(cache, ["a"], expiry, nowMs + 10);
      await expect(items().get(cache, key, nowMs + 10)).rejects.toMatchObject({ code: "failed_precondition" });
      await items().set(cache, key, { value: bytes("again"), expiresAtMs });
      expect(await scalar(cache)).toBe("again");
      await items().delete(cache, key);
      await add(cache, ["b"]);
      expect(await length(cache)).toBe(1);
      await items().delete(cache, key);
      expect(await length(cache)).toBeUndefined();
    });

    it("of a forgotten cache is gone, and takes nothing; the renewed incarnation is empty", async () => {
      const [gone, kept] = [await newCache(), await newCache()];
      const names = Array.from({ length: 200 }, (_, n) => `${n}`);
      for (const cache of [gone, kept]) await add(cache, names);
      const record = { kind: "cache", environment: gone.environment, name: gone.cache };
      const renewed = { ...gone, cacheId: (await one().records.renew(record)).id };
      await items().forget(gone);
      const check = async () => {
        expect(await length(gone)).toBeUndefined();
        await expectRefused(kind.changes(one(), gone, key, nowMs), "not_found");
        expect(await length(renewed)).toBeUndefined();
        expect(await length(kept)).toBe(200);
      };
      await check();
      while (await items().sweep(nowMs));
      await check();
      if (isDurable) await subject.reopen();
      if (isDurable) await check();
    });

    it("keeps its elements across a restart", async () => {
      const cache = await newCache();
      await add(cache, ["a", "b", "c"]);
      await kind.remove(one(), cache, key, bytes("b"), nowMs);
      if (isDurable) await subject.reopen();
      expect(await length(cache)).toBe(2);
    });

    it("counts towards the environment's budget until it is deleted", async () => {
      const cache = await newCache(`full of ${kind.type}`);
      const large = Array.from({ length: 90 }, (_, n) => new Uint8Array(100_000 / (kind.copies ?? 1)).fill(n));
      const put = (name: string) => kind.add(one(), cache, bytes(name), large, expiry, nowMs);
      for (const name of ["first", "second"]) await put(name);
      if (isDurable) await expect(put("third")).rejects.toMatchObject({ code: "limit_exceeded" });
      else await put("third");
      const there = await Promise.all(["first", "second", "third"].map((name) => length(cache, nowMs, bytes(name))));
      expect(there).toEqual(isDurable ? [90, 90, undefined] : [undefined, 90, 90]);
      await items().delete(cache, bytes("second"));
      await put("first");
      expect(await length(cache, nowMs, bytes("first"))).toBe(90);
    });

    it("may have so many elements; what is refused changes nothing, and elements that are there count once", async () => {
      const cache = await newCache();
      const most = Array.from({ length: limits.collectionMaxElements }, (_, n) => bytes(`${n}`));
      await kind.add(one(), cache, key, most, expiry, nowMs);
      await expect(add(cache, ["1", "more"])).rejects.toMatchObject({ code: "limit_exceeded", subject: "item_size" });
      await add(cache, ["1", "2"]);
      expect(await length(cache)).toBe(limits.collectionMaxElements);
    });
  });
}

/** Every one of these calls, which are all under way. */
async function expectRefused(calls: readonly Promise<unknown>[], code: string): Promise<void> {
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes).toEqual(outcomes.map(() => ({ status: "rejected", reason: expect.objectContaining({ code }) })));
}
