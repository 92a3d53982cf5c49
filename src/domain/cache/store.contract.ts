import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineSubject, OpenSubject } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { ItemStore } from "./store.ts";

const key = (text: string) => new TextEncoder().encode(text);
const nowMs = 1_000_000;
const item = (text: string, expiresAtMs = nowMs + 60_000) => ({ value: key(text), expiresAtMs });
const budgetBytes = 100_000;
/** Of `memory`: two large values in a cache, three in an environment, eight in total. */
const memoryItems = { cacheMaxBytes: 80_000, totalMaxBytes: 260_000 };

/** The laws of `ItemStore` but those of store-changes.contract.ts: over its budget `disk` refuses and `memory` evicts. */
export function itemStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`items of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: budgetBytes, memoryItems });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].items[durability];
    const two = () => subject.handles[1].items[durability];
    async function newCache(environment = `environment ${caches}`): Promise<CacheKey> {
      const cache = `cache ${caches++}`;
      const record = await subject.handles[0].records.create(
        { kind: "cache", environment, name: cache },
        { durability },
      );
      return { environment, cache, cacheId: record.id };
    }
    async function textOf(store: ItemStore, cache: CacheKey, itemKey: Uint8Array, atMs = nowMs) {
      const found = await store.get(cache, itemKey, atMs);
      return found && new TextDecoder().decode(found.value);
    }

    it("what one handle sets, the other gets, at once and byte by byte", async () => {
      const cache = await newCache();
      const value = new Uint8Array([0, 255, 10]);
      const binary = new Uint8Array([0, 200]);
      await one().set(cache, binary, { value, expiresAtMs: nowMs + 1 });
      value.fill(9);
      const found = await two().get(cache, binary, nowMs);
      expect([...(found?.value ?? [])]).toEqual([0, 255, 10]);
      expect(found?.expiresAtMs).toBe(nowMs + 1);
      expect(await two().get(cache, new Uint8Array([0]), nowMs)).toBeUndefined();
      await one().set(cache, key("empty"), { value: new Uint8Array(0), expiresAtMs: nowMs + 1 });
      expect((await two().get(cache, key("empty"), nowMs))?.value).toHaveLength(0);
    });

    it("the last set wins; a deleted item is gone; deleting nothing is no error", async () => {
      const cache = await newCache();
      await Promise.all([one().set(cache, key("k"), item("a")), one().set(cache, key("k"), item("b"))]);
      expect(await textOf(two(), cache, key("k"))).toBe("b");
      await two().delete(cache, key("k"));
      expect(await textOf(one(), cache, key("k"))).toBeUndefined();
      await two().delete(cache, key("k"));
    });

    it("an item ends at expiresAtMs, swept or not", async () => {
      const cache = await newCache();
      await one().set(cache, key("k"), item("a", nowMs + 1500));
      await one().set(cache, key("long"), item("b", nowMs + 900_000));
      expect(await textOf(two(), cache, key("k"), nowMs + 1499)).toBe("a");
      expect(await textOf(two(), cache, key("k"), nowMs + 1500)).toBeUndefined();
      while (await one().sweep(nowMs + 100_000));
      expect(await textOf(two(), cache, key("k"), nowMs + 1500)).toBeUndefined();
      expect(await textOf(two(), cache, key("long"))).toBe("b");
      await one().set(cache, key("k"), item("c"));
      expect(await textOf(two(), cache, key("k"))).toBe("c");
    });

    it("a forgotten cache takes and gives nothing more; its renewed incarnation is empty", async () => {
      const [gone, kept] = [await newCache(), await newCache()];
      await one().set(gone, key("k"), item("a"));
      await one().set(kept, key("k"), item("a"));
      const record = { kind: "cache", environment: gone.environment, name: gone.cache };
      const renewed = { ...gone, cacheId: (await subject.handles[0].records.renew(record)).id };
      await two().forget(gone);
      const check = async () => {
        expect(await textOf(one(), gone, key("k"))).toBeUndefined();
        await expect(one().set(gone, key("k"), item("b"))).rejects.toMatchObject({ code: "not_found" });
        expect(await textOf(one(), renewed, key("k"))).toBeUndefined();
        expect(await textOf(one(), kept, key("k"))).toBe("a");
      };
      await check();
      while (await one().sweep(nowMs));
      await check();
      if (isDurable) await subject.reopen();
      if (isDurable) await check();
    });

    if (isDurable)
      it("over the environment's budget set is refused, nothing is evicted, and freed room can be used", async () => {
        const [cache, other] = [await newCache("full"), await newCache("else")];
        const large = (n: number) =>
          one().set(cache, key(`k${n}`), { value: new Uint8Array(30_000), expiresAtMs: nowMs + n });
        for (const n of [1, 2, 3]) await large(n);
        await expect(large(4)).rejects.toMatchObject({ code: "limit_exceeded" });
        await large(1);
        await one().set(other, key("k"), item("a"));
        for (const n of [1, 2, 3]) expect((await two().get(cache, key(`k${n}`), 0))?.value).toHaveLength(30_000);
        await one().delete(cache, key("k2"));
        await large(4);
        while (await one().sweep(nowMs + 1));
        await large(5);
      });

    if (!isDurable)
      describe("over a budget the least recently used items go", () => {
        const large = (cache: CacheKey, n: number) =>
          one().set(cache, key(`k${n}`), { value: new Uint8Array(30_000), expiresAtMs: nowMs + 1 });
        const isKept = async (cache: CacheKey, n: number) =>
          (await two().get(cache, key(`k${n}`), nowMs)) !== undefined;

        it("over the cache's, those of that cache", async () => {
          const [cache, other] = [await newCache("caches"), await newCache("caches")];
          await large(other, 0);
          for (const n of [1, 2]) await large(cache, n);
          await two().get(cache, key("k1"), nowMs);
          await large(cache, 3);
          expect(await Promise.all([1, 2, 3].map((n) => isKept(cache, n)))).toEqual([true, false, true]);
          expect(await isKept(other, 0)).toBe(true);
        });

        it("over the environment's, those of that environment", async () => {
          const [cache, beside, other] = [await newCache("full"), await newCache("full"), await newCache("else")];
          await one().set(other, key("k"), item("a"));
          await large(cache, 1);
          for (const n of [2, 3]) await large(beside, n);
          await two().get(cache, key("k1"), nowMs);
          await large(cache, 4);
          expect([await isKept(cache, 1), await isKept(cache, 4)]).toEqual([true, true]);
          expect([await isKept(beside, 2), await isKept(beside, 3)]).toEqual([false, true]);
          expect(await textOf(two(), other, key("k"))).toBe("a");
        });

        it("over the total, those of any", async () => {
          const caches = await Promise.all(["x", "x", "y", "y", "z", "z"].map((environment) => newCache(environment)));
          const [first, last] = [caches.slice(0, 4), caches.slice(4)];
          for (const cache of first) for (const n of [1, 2].slice(caches.indexOf(cache) % 2)) await large(cache, n);
          for (const cache of last) await large(cache, 1);
          await two().get(first[0] as CacheKey, key("k1"), nowMs);
          await large(last[0] as CacheKey, 2);
          expect(await isKept(first[0] as CacheKey, 1)).toBe(true);
          expect(await isKept(first[0] as CacheKey, 2)).toBe(false);
          expect(await Promise.all(last.map((cache) => isKept(cache, 1)))).toEqual([true, true]);
        });
      });

    it("an item larger than the budget is refused", async () => {
      const cache = await newCache();
      const huge = { value: new Uint8Array(budgetBytes + 1), expiresAtMs: nowMs + 1 };
      await expect(one().set(cache, key("k"), huge)).rejects.toMatchObject({ code: "limit_exceeded" });
    });
  });
}
