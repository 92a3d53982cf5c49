import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { cacheOverheadBytes } from "./memory-budget.ts";
import { MemoryKeys } from "./memory-keys.ts";

const endless = 1e12;
const keyBytes = 1000;
const name = (text: string) => new TextEncoder().encode(text);
const cacheKey = (cacheId: number, environment = "dev") => ({ environment, cache: `c${cacheId}`, cacheId });
/** Room for so many keys of `put` in so many caches. */
const roomFor = (keys: number, caches = 1) => keys * keyBytes + caches * cacheOverheadBytes;

let keys: MemoryKeys;
const open = (bounds: Partial<Record<"cacheMaxBytes" | "environmentMaxBytes" | "totalMaxBytes", number>>) => {
  keys = new MemoryKeys({ cacheMaxBytes: endless, environmentMaxBytes: endless, totalMaxBytes: endless, ...bounds });
};
const put = (cache: ReturnType<typeof cacheKey>, key: string, expiresAtMs = 5000) =>
  keys.put(cache, name(key), "value", expiresAtMs, keyBytes);
const has = (cache: ReturnType<typeof cacheKey>, key: string) => keys.find(cache, name(key), 0) !== undefined;
const evicted = () => Object.values(keys.evictions);

describe("past a bound the least recently used keys go", () => {
  const [one, two, far] = [cacheKey(1), cacheKey(2), cacheKey(3, "far")];

  it("of the cache, when it is the cache's", () => {
    open({ cacheMaxBytes: roomFor(2) });
    put(two, "oldest of all");
    put(one, "a");
    put(one, "b");
    expect(has(one, "a")).toBe(true);
    put(one, "c");
    expect(["a", "b", "c"].filter((key) => has(one, key))).toEqual(["a", "c"]);
    expect(has(two, "oldest of all")).toBe(true);
    expect(keys.evictions).toEqual({ cache: 1, environment: 0, total: 0 });
  });

  it("of all caches of the environment, when it is the environment's", () => {
    open({ environmentMaxBytes: roomFor(3, 2) });
    put(far, "oldest of all");
    put(one, "a");
    put(two, "b");
    put(two, "c");
    expect(has(one, "a")).toBe(true);
    put(one, "d");
    expect([has(one, "a"), has(two, "b"), has(two, "c"), has(one, "d")]).toEqual([true, false, true, true]);
    expect(has(far, "oldest of all")).toBe(true);
    expect(keys.evictions).toEqual({ cache: 0, environment: 1, total: 0 });
  });

  it("of all environments, when it is the total", () => {
    open({ totalMaxBytes: roomFor(3, 3) });
    put(far, "a");
    put(one, "b");
    put(two, "c");
    put(two, "d");
    expect([has(far, "a"), has(one, "b"), has(two, "c"), has(two, "d")]).toEqual([false, true, true, true]);
    expect(keys.evictions).toEqual({ cache: 0, environment: 0, total: 1 });
  });

  it("of a collection that grows, never that one itself", () => {
    open({ environmentMaxBytes: roomFor(3, 2) });
    const grows = put(one, "grows");
    put(one, "a");
    put(two, "b");
    expect(keys.find(one, name("grows"), 0)).toBe(grows);
    keys.resize(grows, 3 * keyBytes);
    expect([has(one, "grows"), has(one, "a"), has(two, "b")]).toEqual([true, false, false]);
  });
});

describe("one key that has no room in the smallest bound", () => {
  it.each(["cacheMaxBytes", "environmentMaxBytes", "totalMaxBytes"] as const)("is refused by %s", (bound) => {
    open({ [bound]: roomFor(1) });
    put(cacheKey(1), "fits");
    const text = new RegExp(`environment dev may take ${keyBytes} bytes \\(${bound} .*this one takes ${keyBytes + 1}`);
    expect(() => keys.put(cacheKey(1), name("k"), "value", 5000, keyBytes + 1)).toThrow(text);
    expect(has(cacheKey(1), "fits")).toBe(true);
  });
});

describe("many caches", () => {
  const first = cacheKey(1, "first");
  const others = Array.from({ length: 99 }, (_, n) => cacheKey(n + 2, `e${n}`));
  const caches = [first, ...others];

  it("are compared 16 at a time, in turn: the oldest key is gone when all were seen", () => {
    open({ totalMaxBytes: roomFor(1000, 100) });
    for (let n = 0; n < 10; n++) for (const cache of caches) put(cache, `${n}`);
    expect(evicted()).toEqual([0, 0, 0]);
    for (const cache of others) for (let n = 0; n < 10; n++) has(cache, `${n}`);
    for (let n = 0; n < Math.ceil(100 / 16); n++) put(first, `more ${n}`);
    expect(evicted()).toEqual([0, 0, Math.ceil(100 / 16)]);
    expect(has(first, "0")).toBe(false);
  });

  it("count nothing, and are no work, once their keys are gone", () => {
    open({});
    for (const cache of caches) put(cache, "k");
    expect(keys.bytes).toBe(roomFor(100, 100));
    for (const cache of caches) keys.delete(cache, name("k"));
    expect(keys.bytes).toBe(0);
  });
});

describe("a forgotten cache", () => {
  const [gone, kept] = [cacheKey(1), cacheKey(2)];
  beforeEach(() => {
    open({ totalMaxBytes: roomFor(4, 2) });
    put(kept, "oldest");
    put(gone, "a");
    put({ ...gone, cacheId: -1 }, "board");
    put(gone, "b");
  });

  it("loses the keys under its negative id too, and takes no new ones under either", () => {
    keys.forget(1);
    for (const cacheId of [1, -1]) {
      expect(has({ ...gone, cacheId }, cacheId === 1 ? "a" : "board")).toBe(false);
      expect(() => put({ ...gone, cacheId }, "k")).toThrow("cache c1 does not exist");
    }
    expect(keys.sweep(0)).toBe(false);
    expect(keys.bytes).toBe(roomFor(1));
  });

  it("counts until it is freed, goes before the oldest key of another, and that is no eviction", () => {
    keys.forget(1);
    expect(keys.bytes).toBe(roomFor(4, 2));
    put(kept, "more");
    expect(has(kept, "oldest")).toBe(true);
    expect(evicted()).toEqual([0, 0, 0]);
    expect(keys.bytes).toBe(roomFor(4, 2));
    expect(keys.sweep(0)).toBe(false);
    expect(keys.bytes).toBe(roomFor(2));
  });

  it("may have its leaderboards alone", () => {
    keys.delete(gone, name("a"));
    keys.delete(gone, name("b"));
    keys.forget(1);
    expect(keys.sweep(0)).toBe(false);
    expect(keys.bytes).toBe(roomFor(1));
  });
});

it("both spaces of a cache count for its bound", () => {
  open({ cacheMaxBytes: roomFor(2) });
  const cache = cacheKey(1);
  put(cache, "a");
  put({ ...cache, cacheId: -1 }, "a");
  put(cache, "b");
  expect([has(cache, "a"), has({ ...cache, cacheId: -1 }, "a"), has(cache, "b")]).toEqual([false, true, true]);
});

it("agrees with a plain model of least recent use, in up to 16 caches, whatever the order of calls", () => {
  const [maxKeys, caches] = [6, 4];
  const step = fc.record({
    act: fc.constantFrom("put", "put", "put", "find", "delete"),
    cacheId: fc.integer({ min: 1, max: caches }),
    key: fc.constantFrom("a", "b", "c"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      open({ totalMaxBytes: roomFor(maxKeys, caches) });
      const model: string[] = [];
      for (const { act, cacheId, key } of steps) {
        const id = `${cacheId}${key}`;
        const known = model.indexOf(id);
        if (act === "find") expect(has(cacheKey(cacheId), key)).toBe(known >= 0);
        if (act === "put") put(cacheKey(cacheId), key);
        if (act === "delete") keys.delete(cacheKey(cacheId), name(key));
        if (known >= 0) model.splice(known, 1);
        if (act === "put" || (act === "find" && known >= 0)) model.push(id);
        const bytes = () => roomFor(model.length, new Set(model.map(([cache]) => cache)).size);
        while (bytes() > roomFor(maxKeys, caches)) model.shift();
        expect(keys.bytes).toBe(bytes());
      }
    }),
  );
});
