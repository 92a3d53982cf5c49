// Whatever is done to the keys of `memory` caches, in whatever order: what is counted is what is held.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { CacheKey } from "../../domain/cache/cache.ts";
import type { ItemType } from "../../domain/cache/item-type.ts";
import type { StoredItem } from "../../domain/cache/store.ts";
import { createMemoryDictionaries } from "./memory-dictionaries.ts";
import { createMemoryItems } from "./memory-items.ts";
import { MemoryKeys, typeOf } from "./memory-keys.ts";
import { createMemoryLists } from "./memory-lists.ts";
import { createMemorySets } from "./memory-sets.ts";
import { createMemorySortedSets } from "./memory-sorted-sets.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const smallBounds = { cacheMaxBytes: 6000, environmentMaxBytes: 9000, totalMaxBytes: 12_000 };
const [keyNames, cacheNumbers] = [
  ["a", "b"],
  [1, 2, -1],
];
const acts = [
  ...["set", "increment", "updateTtl", "delete", "forget", "sweep", "later"],
  ...["push", "pop", "retain", "removeValue", "union", "subtract", "subtractFrom", "popAny", "field", "fields"],
  ...["count", "noField", "score", "addScore", "noScore", "store"],
  "forgetEnvironment",
] as const;
const step = fc.record({
  act: fc.constantFrom(...acts),
  cacheId: fc.constantFrom(...cacheNumbers),
  key: fc.constantFrom(...keyNames),
  size: fc.constantFrom(0, 60, 400, 1500, 4000),
  count: fc.nat(4),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function storesOf(keys: MemoryKeys) {
  return {
    items: createMemoryItems(keys),
    lists: createMemoryLists(keys),
    sets: createMemorySets(keys),
    dictionaries: createMemoryDictionaries(keys),
    sortedSets: createMemorySortedSets(keys),
  };
}

/** What the same keys count when each is made at once, where nothing else ever was. */
async function countedAnew(
  keys: MemoryKeys,
  stores: ReturnType<typeof storesOf>,
  caches: readonly CacheKey[],
): Promise<number> {
  const freshKeys = new MemoryKeys({ cacheMaxBytes: 1e9, environmentMaxBytes: 1e9, totalMaxBytes: 1e9 });
  const fresh = storesOf(freshKeys);
  const expiry = { expiresAtMs: 1, isRefreshed: false };
  const all = { start: undefined, end: undefined };
  for (const cache of caches) {
    for (const key of keyNames.map(bytes)) {
      const kept = keys.find(cache, key, -1);
      if (kept === undefined) continue;
      const at = [cache, key] as const;
      const copy: Record<ItemType, () => Promise<unknown>> = {
        scalar: async () => fresh.items.set(...at, (await stores.items.get(...at, -1)) as StoredItem),
        list: async () => {
          const values = (await stores.lists.fetch(...at, all, -1)) ?? [];
          await fresh.lists.push(...at, { end: "back", values, truncateTo: undefined, expiry }, 0);
        },
        set: async () => fresh.sets.union(...at, (await stores.sets.fetch(...at, -1)) ?? [], expiry, 0),
        dictionary: async () =>
          fresh.dictionaries.set(...at, (await stores.dictionaries.fetch(...at, -1)) ?? [], expiry, 0),
        "sorted set": async () => {
          const found = await stores.sortedSets.fetch(...at, { by: "rank", ...all }, "ascending", -1);
          await fresh.sortedSets.put(...at, found?.elements ?? [], expiry, 0);
        },
      };
      await copy[typeOf(kept.content)]();
    }
  }
  return freshKeys.bytes;
}

function open() {
  const keys = new MemoryKeys(smallBounds);
  const stores = storesOf(keys);
  let nowMs = 0;
  /** The incarnations of the caches: a forgotten one is followed by another. */
  const incarnations = [0, 0, 0, 0];

  function cacheOf(number: number): CacheKey {
    const cacheId = number + 10 * Math.sign(number) * (incarnations[Math.abs(number)] as number);
    return { environment: `e${Math.abs(number) % 2}`, cache: "c", cacheId };
  }

  async function run({ act, cacheId: number, key: name, size, count }: Step): Promise<unknown> {
    const cache = cacheOf(number);
    const [key, value] = [bytes(name), new Uint8Array(size).fill(97)];
    const values = Array.from({ length: count }, (_, n) => bytes(`${n}`.repeat(size / 4 + 1)));
    const expiry = { expiresAtMs: nowMs + 1000 + size, isRefreshed: count > 2 };
    const all = { start: undefined, end: undefined };
    const { items, lists, sets, dictionaries, sortedSets } = stores;
    const elements = values.map((element, score) => ({ element, score }));
    const calls: Record<Step["act"], () => unknown> = {
      set: () => items.set(cache, key, { value, expiresAtMs: expiry.expiresAtMs }),
      increment: () => items.increment(cache, key, 123n, expiry.expiresAtMs, nowMs),
      updateTtl: () => items.updateTtl(cache, key, { to: "overwrite", expiresAtMs: nowMs + size }, nowMs),
      delete: () => items.delete(cache, key),
      async forget() {
        await items.forget(cache);
        (incarnations[Math.abs(number)] as number)++;
      },
      sweep: () => items.sweep(nowMs),
      later() {
        nowMs += 500;
      },
      forgetEnvironment() {
        const ids = [1, 2, 3].filter((id) => `e${id % 2}` === cache.environment);
        keys.forgetEnvironment(
          cache.environment,
          ids.map((id) => id + 10 * (incarnations[id] as number)),
        );
        for (const id of ids) (incarnations[id] as number)++;
      },
      push: () =>
        lists.push(cache, key, { end: count % 2 ? "front" : "back", values, truncateTo: count, expiry }, nowMs),
      pop: () => lists.pop(cache, key, "front", nowMs),
      retain: () => lists.retain(cache, key, { ...all, start: count - 2 }, expiry, nowMs),
      removeValue: () => lists.remove(cache, key, values[0] ?? value, nowMs),
      union: () => sets.union(cache, key, values, expiry, nowMs),
      subtract: () => sets.subtract(cache, key, count === 4 ? undefined : values, nowMs),
      subtractFrom: () => sets.subtractFrom(cache, key, values, nowMs),
      popAny: () => sets.pop(cache, key, count, nowMs),
      field: () => dictionaries.set(cache, key, [{ field: bytes("f"), value }], expiry, nowMs),
      fields: () =>
        dictionaries.set(
          cache,
          key,
          values.map((field) => ({ field, value })),
          expiry,
          nowMs,
        ),
      count: () => dictionaries.increment(cache, key, bytes("n"), 10n ** BigInt(count), expiry, nowMs),
      noField: () => dictionaries.delete(cache, key, count === 4 ? undefined : values, nowMs),
      score: () => sortedSets.put(cache, key, elements, expiry, nowMs),
      addScore: () => sortedSets.increment(cache, key, value, 1, expiry, nowMs),
      noScore: () => sortedSets.remove(cache, key, count === 4 ? undefined : values, nowMs),
      store: () =>
        sortedSets.unionStore(
          cache,
          key,
          [key, bytes("a"), bytes("b")].slice(0, count).map((source) => ({ key: source, weight: 2 })),
          "sum",
          expiry.expiresAtMs,
          nowMs,
        ),
    };
    return calls[act]();
  }
  return { keys, stores, run, caches: () => cacheNumbers.map(cacheOf) };
}

it("what is counted is what is held, no bound is passed, and nothing stays when all is forgotten", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 120, size: "max" }), async (steps) => {
      const { keys, stores, run, caches } = open();
      for (const one of steps) {
        await Promise.resolve()
          .then(() => run(one))
          .catch((error: { code?: string }) => {
            expect(["limit_exceeded", "failed_precondition", "not_found"]).toContain(error.code);
          });
        expect(keys.bytes).toBeLessThanOrEqual(smallBounds.totalMaxBytes);
      }
      while (keys.sweep(-1));
      expect(keys.bytes).toBe(await countedAnew(keys, stores, caches()));
      for (const { cacheId } of caches()) keys.forget(cacheId);
      while (keys.sweep(-1));
      expect(keys.bytes).toBe(0);
    }),
    { numRuns: 300 },
  );
});
