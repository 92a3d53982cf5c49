import { describe, expect, it } from "vitest";
import { createMemoryItems } from "./memory-items.ts";
import { MemoryKeys } from "./memory-keys.ts";

const bounds = (maxBytes: number) => ({ cacheMaxBytes: maxBytes, environmentMaxBytes: 1e12, totalMaxBytes: 1e12 });
const cache = { environment: "dev", cache: "c", cacheId: 1 };
const key = (text: string) => new TextEncoder().encode(text);
const item = (bytes: number, expiresAtMs = 5000) => ({ value: new Uint8Array(bytes), expiresAtMs });

describe("memory items", () => {
  it("counts what it evicts; replaced, deleted, expired and forgotten items are no evictions", async () => {
    const keys = new MemoryKeys(bounds(11_000));
    const items = createMemoryItems(keys);
    for (let n = 0; n < 12; n++) await items.set(cache, key(`k${n}`), item(700));
    expect(keys.evictions.cache).toBe(2);
    await items.set(cache, key("k11"), item(700));
    await items.delete(cache, key("k10"));
    await items.sweep(6000);
    await items.forget(cache);
    expect(keys.evictions.cache).toBe(2);
  });

  it("frees a large forgotten cache in steps, and its room can be used again", async () => {
    const keys = new MemoryKeys(bounds(12_000_000));
    const items = createMemoryItems(keys);
    for (let n = 0; n < 25_000; n++) await items.set(cache, key(`k${n}`), item(1));
    await items.forget(cache);
    let steps = 1;
    while (await items.sweep(0)) steps++;
    expect(steps).toBe(5);
    const next = { ...cache, cacheId: 2 };
    for (let n = 0; n < 25_000; n++) await items.set(next, key(`k${n}`), item(100, 1));
    expect(keys.evictions.cache).toBe(0);
  });
});
