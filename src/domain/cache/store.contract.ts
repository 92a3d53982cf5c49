import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EngineSubject, OpenSubject } from "../records/store.contract.ts";
import type { CacheKey, Durability } from "./cache.ts";
import type { ItemStore } from "./store.ts";

const key = (text: string) => new TextEncoder().encode(text);
const nowMs = 1_000_000;
const item = (text: string, expiresAtMs = nowMs + 60_000) => ({ value: key(text), expiresAtMs });
const budgetBytes = 100_000;

/** The laws of `ItemStore`: over its budget `disk` refuses and `memory` evicts. */
export function itemStoreContract(name: string, durability: Durability, open: OpenSubject): void {
  const isDurable = durability === "disk";

  describe(`items of ${name}`, () => {
    let subject: EngineSubject;
    let caches = 0;
    beforeAll(async () => {
      subject = await open({ itemsEnvironmentMaxBytes: budgetBytes });
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
      it("over the environment's budget the least recently used items of that environment go", async () => {
        const [cache, other] = [await newCache("full"), await newCache("else")];
        const large = (n: number) =>
          one().set(cache, key(`k${n}`), { value: new Uint8Array(30_000), expiresAtMs: nowMs + 1 });
        await one().set(other, key("k"), item("a"));
        for (const n of [1, 2, 3]) await large(n);
        await two().get(cache, key("k1"), nowMs);
        await large(4);
        const kept = await Promise.all([1, 2, 3, 4].map((n) => two().get(cache, key(`k${n}`), nowMs)));
        expect(kept.map((found) => found !== undefined)).toEqual([true, false, true, true]);
        expect(await textOf(two(), other, key("k"))).toBe("a");
      });

    it("an item larger than the budget is refused", async () => {
      const cache = await newCache();
      const huge = { value: new Uint8Array(budgetBytes + 1), expiresAtMs: nowMs + 1 };
      await expect(one().set(cache, key("k"), huge)).rejects.toMatchObject({ code: "limit_exceeded" });
    });

    it("agrees with a plain map, whatever the order of calls, also for reads that race with writes", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(itemStep, { maxLength: 40 }), async (steps) => {
          const cache = await newCache();
          const model = new Map<string, string>();
          for (const [n, step] of steps.entries()) {
            const store = subject.handles[step.handle].items[durability];
            const racing = step.races ? store.get(cache, key(step.name), nowMs) : undefined;
            if (step.act === "set") await store.set(cache, key(step.name), item(`${n}`));
            if (step.act === "delete") await store.delete(cache, key(step.name));
            if (step.act === "set") model.set(step.name, `${n}`);
            if (step.act === "delete") model.delete(step.name);
            if (step.act === "reopen" && isDurable) {
              await racing;
              await subject.reopen();
            }
            await racing;
            expect(await textOf(subject.handles[1].items[durability], cache, key(step.name))).toBe(
              model.get(step.name),
            );
          }
        }),
        { numRuns: 20 },
      );
    });
  });
}

const itemStep = fc.record({
  handle: fc.constantFrom(0 as const, 1 as const),
  name: fc.constantFrom("a", "b"),
  races: fc.boolean(),
  act: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom("set", "delete", "get") },
    { weight: 1, arbitrary: fc.constant("reopen") },
  ),
});
