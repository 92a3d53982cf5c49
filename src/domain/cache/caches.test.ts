import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import { systemClock } from "../../lib/clock.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { limits } from "../limits.ts";
import { createTopics } from "../topics/topics.ts";
import { createCaches } from "./caches.ts";
import { createItems } from "./items.ts";

let directory: string;
let engine: EmbeddedEngine;
let nowMs: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-caches-"));
  nowMs = Date.now();
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
});
afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

async function aDomain() {
  const caches = createCaches(engine, { defaultDurability: "disk", wallMs: () => nowMs });
  await caches.start();
  const clock = { ...systemClock, steadyMs: () => nowMs, wallMs: () => nowMs };
  const wheel = new TimerWheel(systemClock);
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes });
  return { caches, topics, items: createItems(engine, caches, () => nowMs) };
}

const me = openPrincipal;
const withGrants = (...grants: Grant[]): Principal => ({ ...me, kind: "token", isSuperUser: false, grants });
const bytes = (text: string) => Buffer.from(text);
const message = (text: string) => ({ value: { isText: true, bytes: bytes(text) } });

describe("caches", () => {
  it("are there again after a restart, with their durability", async () => {
    const { caches } = await aDomain();
    await caches.create(me, "d");
    await caches.create(me, "m", "memory");
    const before = caches.list(me);
    await engine.close();
    engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
    expect((await aDomain()).caches.list(me)).toEqual(before);
    expect(before.map(({ cache, durability }) => [cache, durability])).toEqual([
      ["d", "disk"],
      ["m", "memory"],
    ]);
  });

  it("refuse a name that is taken, blank, too long or reserved, and say so", async () => {
    const { caches } = await aDomain();
    await caches.create(me, "c");
    await expect(caches.create(me, "c")).rejects.toMatchObject({
      code: "already_exists",
      message: 'cache "c" exists already',
    });
    await expect(caches.create(me, " ")).rejects.toThrow("cache name must not be empty");
    await expect(caches.create(me, "x".repeat(256))).rejects.toThrow("256 bytes; must be <= 255");
    await expect(caches.create(me, "events")).rejects.toThrow("reserved");
    await expect(caches.delete(me, "none")).rejects.toMatchObject({ code: "not_found", subject: "cache" });
    await expect(caches.flush(me, "none")).rejects.toMatchObject({ code: "not_found", subject: "cache" });
  });

  it("are made once when two callers want the same", async () => {
    const { caches } = await aDomain();
    const results = await Promise.allSettled([caches.create(me, "c"), caches.create(me, "c")]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  it("never give a number of their topics again: deleted and made anew, they begin a later page", async () => {
    const { caches, topics } = await aDomain();
    await caches.create(me, "c");
    const first = await topics.publish(me, "c", "t", message("a"));
    await caches.delete(me, "c");
    await caches.create(me, "c");
    const second = await topics.publish(me, "c", "t", message("b"));
    expect(second.position.sequence).toBe(1);
    expect(second.position.page).toBeGreaterThan(first.position.page);
    const { items } = await topics.history(me, "c", "t", first.position, 10);
    expect(items.map((item) => Buffer.from(item.value.bytes).toString())).toEqual(["b"]);
  });

  it("lose no publish that races with a flush: it is in the old log or in the new one, and acknowledged", async () => {
    const { caches, topics } = await aDomain();
    for (const durability of ["disk", "memory"] as const) {
      await caches.create(me, durability, durability);
      const publishes: Promise<{ position: { page: number } }>[] = [];
      for (let i = 0; i < 50; i++) {
        publishes.push(topics.publish(me, durability, "t", message(`${i}`)));
        if (i % 10 === 5) await Promise.race([caches.flush(me, durability), new Promise(setImmediate)]);
      }
      const answers = await Promise.all(publishes);
      const pages = answers.map(({ position }) => position.page);
      const page = caches.known("dev", durability)?.cacheId;
      const { items } = await topics.history(me, durability, "t", { page: 0, sequence: 0 }, 100);
      expect(items).toHaveLength(pages.filter((p) => p === page).length);
    }
  });

  it("in memory still work after a flush or deletion that the disk refused", async () => {
    const { caches, topics } = await aDomain();
    await caches.create(me, "m", "memory");
    await topics.publish(me, "m", "t", message("a"));
    engine.limitFileBytes(1);
    const big = Array.from({ length: 20 }, (_, i) => caches.create(me, `${i}`.padEnd(200, "x")).catch(() => {}));
    await Promise.all(big);
    await expect(caches.flush(me, "m")).rejects.toMatchObject({ code: "unavailable" });
    await expect(caches.delete(me, "m")).rejects.toMatchObject({ code: "unavailable" });
    expect((await topics.publish(me, "m", "t", message("b"))).position.sequence).toBe(2);
  });

  it("are listed for whom they concern", async () => {
    const { caches } = await aDomain();
    for (const name of ["a", "b"]) await caches.create(me, name);
    const cacheGrant: Grant = { resource: "cache", role: "read", cache: { name: "b" }, key: { all: true } };
    const topicGrant: Grant = { resource: "topic", role: "subscribe", cache: { name: "a" }, topic: { all: true } };
    expect(caches.list(withGrants(cacheGrant)).map(({ cache }) => cache)).toEqual(["b"]);
    expect(() => caches.list(withGrants(topicGrant))).toThrow("may not do cache.list");
    expect(caches.list({ ...me, environment: "other" })).toEqual([]);
  });
});

describe("items", () => {
  it("expire by the steady clock, to the millisecond", async () => {
    const { caches, items } = await aDomain();
    await caches.create(me, "c");
    await items.set(me, "c", bytes("k"), bytes("v"), 1000);
    nowMs += 999;
    expect(Buffer.from((await items.get(me, "c", bytes("k"))) ?? []).toString()).toBe("v");
    nowMs += 1;
    expect(await items.get(me, "c", bytes("k"))).toBeUndefined();
  });

  it("set while the cache is being flushed are there afterwards", async () => {
    const { caches, items } = await aDomain();
    for (const durability of ["disk", "memory"] as const) {
      await caches.create(me, durability, durability);
      const flushing = caches.flush(me, durability);
      await Promise.all([flushing, items.set(me, durability, bytes("k"), bytes("v"), 1000)]);
      const value = await items.get(me, durability, bytes("k"));
      if (value !== undefined) expect(Buffer.from(value).toString()).toBe("v");
      await items.set(me, durability, bytes("k"), bytes("w"), 1000);
      expect(await items.get(me, durability, bytes("k"))).toHaveLength(1);
    }
  });

  it("refuse keys, values and lifetimes past their bounds, each named", async () => {
    const { caches, items } = await aDomain();
    await caches.create(me, "c");
    const set = (key: Uint8Array, value: Uint8Array, ttlMs: number) => items.set(me, "c", key, value, ttlMs);
    await expect(set(bytes(""), bytes("v"), 1)).rejects.toThrow("key has 0 bytes; must be >= 1");
    await expect(set(new Uint8Array(65_537), bytes("v"), 1)).rejects.toThrow("65537 bytes");
    await expect(set(bytes("k"), new Uint8Array(5_000_001), 1)).rejects.toMatchObject({
      code: "limit_exceeded",
      subject: "request_size",
    });
    for (const ttlMs of [0, -1, 1.5, limits.itemTtlMaxMs + 1, Number.NaN]) {
      await expect(set(bytes("k"), bytes("v"), ttlMs)).rejects.toThrow(`ttlMs ${ttlMs} must be >= 1`);
    }
    await expect(items.get(me, "none", bytes("k"))).rejects.toMatchObject({ code: "not_found", subject: "cache" });
  });
});
