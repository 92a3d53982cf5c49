import { describe, expect, it } from "vitest";
import { ItemCache } from "./item-cache.ts";

const item = (bytes: number) => ({ value: new Uint8Array(bytes), expiresAtMs: 1 });

describe("the cache of disk items", () => {
  it("drops the least recently used past its bytes", () => {
    const cache = new ItemCache(10_000);
    for (let n = 0; n < 10; n++) cache.set(`k${n}`, item(850));
    cache.get("k0");
    cache.set("more", item(850));
    expect(cache.get("k0")).toBeDefined();
    expect(cache.get("k1")).toBeUndefined();
    expect(cache.bytes).toBeLessThanOrEqual(10_000);
  });

  it("keeps no item of more than an eighth of its bytes, and not the older one in its place either", () => {
    const cache = new ItemCache(10_000);
    cache.set("k", item(10));
    cache.set("k", item(2000));
    expect(cache.get("k")).toBeUndefined();
    expect(cache.bytes).toBe(0);
  });
});
