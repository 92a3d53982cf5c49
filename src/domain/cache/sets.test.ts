import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import { limits } from "../limits.ts";
import { type Caches, createCaches } from "./caches.ts";
import { createSets, type Sets } from "./sets.ts";

let directory: string;
let engine: EmbeddedEngine;
let caches: Caches;
let sets: Sets;
let nowMs = 1_700_000_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-sets-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
  caches = createCaches(engine, { defaultDurability: "memory", wallMs: () => nowMs });
  await caches.start();
  await caches.create(me, "c");
  sets = createSets(engine, caches, () => nowMs);
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const me = openPrincipal;
const key = Buffer.from("set");
const ttl = { ttlMs: 60_000, isRefreshed: false };
const [a, b] = [Buffer.from("a"), Buffer.from("b")];

describe("sets", () => {
  it("refuse a key, a TTL, elements and counts out of their bounds, and say which", async () => {
    const tooMany = Array(limits.collectionMaxElements + 1).fill(a);
    const refused = [
      [sets.union(me, "c", new Uint8Array(0), [a], ttl), "key has 0 bytes"],
      [sets.union(me, "c", key, [a], { ttlMs: 0, isRefreshed: false }), "ttlMs 0"],
      [sets.union(me, "c", key, [a], { ttlMs: 86_400_001, isRefreshed: true }), "86400001"],
      [sets.union(me, "c", key, tooMany, ttl), "100001 elements to add; must be <= 100000"],
      [sets.subtract(me, "c", key, tooMany), "100001 elements to take away"],
      [sets.subtractFrom(me, "c", key, tooMany), "100001 elements to subtract from"],
      [sets.contains(me, "c", key, tooMany), "100001 elements to look for"],
      [sets.pop(me, "c", key, 0), "0 elements to pop; must be >= 1"],
    ] as const;
    for (const [call, text] of refused) {
      await expect(call).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(text) });
    }
    const large = new Uint8Array(limits.elementMaxBytes + 1);
    for (const call of [sets.union(me, "c", key, [a, large], ttl), sets.subtractFrom(me, "c", key, [large])]) {
      await expect(call).rejects.toMatchObject({ code: "limit_exceeded", subject: "element_size" });
    }
    expect(await sets.length(me, "c", key)).toBeUndefined();
  });

  it("end by the steady clock, which only a refresh moves", async () => {
    await sets.union(me, "c", key, [a], ttl);
    nowMs += 59_999;
    await sets.union(me, "c", key, [b], ttl);
    expect(await sets.length(me, "c", key)).toBe(2);
    nowMs += 1;
    expect(await sets.length(me, "c", key)).toBeUndefined();
  });

  it("are read and written only with the permission for their key, and popped with both", async () => {
    const grants = (role: "read" | "write"): Grant[] => [
      { resource: "cache", role, cache: { name: "c" }, key: { name: key.toString("base64url") } },
    ];
    const reader: Principal = { ...me, kind: "token", isSuperUser: false, grants: grants("read") };
    const writer: Principal = { ...reader, grants: grants("write") };
    await sets.union(writer, "c", key, [a, b], ttl);
    expect(await sets.subtract(writer, "c", key, [b])).toBe(1);
    expect(await sets.contains(reader, "c", key, [b, a])).toEqual([false, true]);
    const refused = [
      sets.union(reader, "c", key, [a], ttl),
      sets.subtract(reader, "c", key, undefined),
      sets.subtractFrom(reader, "c", key, [b]),
      sets.pop(reader, "c", key, 1),
      sets.pop(writer, "c", key, 1),
      sets.sample(writer, "c", key, 1),
      sets.fetch(writer, "c", key),
      sets.contains(writer, "c", key, [a]),
      sets.length(writer, "c", key),
      sets.fetch(reader, "nowhere", key),
      sets.fetch(reader, "c", b),
    ];
    for (const outcome of await Promise.allSettled(refused)) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "permission_denied" } });
    }
    expect(await sets.pop(me, "c", key, 9)).toEqual([a]);
  });

  it("a union that meets a flush is done in the cache's new incarnation", async () => {
    await caches.create(me, "flushed");
    const old = await caches.get(me.environment, "flushed");
    await sets.union(me, "flushed", key, [a], ttl);
    await caches.flush(me, "flushed");
    const behind = createSets(engine, { ...caches, known: () => old }, () => nowMs);
    await behind.union(me, "flushed", key, [b], ttl);
    expect(await sets.fetch(me, "flushed", key)).toEqual([b]);
  });
});
