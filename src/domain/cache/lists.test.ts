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
import { mergeRanges, resolveSlice } from "./list-store.ts";
import { createLists, type Lists, type Push } from "./lists.ts";

let directory: string;
let engine: EmbeddedEngine;
let caches: Caches;
let lists: Lists;
let nowMs = 1_700_000_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-lists-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
  caches = createCaches(engine, { defaultDurability: "memory", wallMs: () => nowMs });
  await caches.start();
  await caches.create(me, "c");
  lists = createLists(engine, caches, () => nowMs);
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const me = openPrincipal;
const key = Buffer.from("list");
const all = { start: undefined, end: undefined };
const ttl = { ttlMs: 60_000, isRefreshed: false };

function aPush(values: readonly (string | Uint8Array)[], more: Partial<Push> = {}): Push {
  const bytes = values.map((value) => (typeof value === "string" ? Buffer.from(value) : value));
  return { end: "back", truncateTo: 0, ttl, ...more, values: bytes };
}

describe("lists", () => {
  it("refuse a key, a TTL, values and ranges out of their bounds, and say which", async () => {
    const { pushMaxValues, eraseMaxRanges } = limits.list;
    const empty = new Uint8Array(0);
    const refused = [
      [lists.push(me, "c", empty, aPush(["a"])), "key has 0 bytes"],
      [lists.push(me, "c", key, aPush(["a"], { ttl: { ttlMs: 0, isRefreshed: false } })), "ttlMs 0"],
      [lists.push(me, "c", key, aPush(["a"], { ttl: { ttlMs: 86_400_001, isRefreshed: true } })), "86400001"],
      [lists.push(me, "c", key, aPush(Array(pushMaxValues + 1).fill(empty))), `${pushMaxValues + 1} values`],
      [lists.retain(me, "c", key, all, { ttlMs: 0, isRefreshed: true }), "ttlMs 0"],
      [
        lists.erase(me, "c", key, Array(eraseMaxRanges + 1).fill({ start: 0, count: 1 })),
        `${eraseMaxRanges + 1} ranges`,
      ],
    ] as const;
    for (const [call, text] of refused) {
      await expect(call).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(text) });
    }
    const large = lists.push(me, "c", key, aPush([new Uint8Array(limits.elementMaxBytes + 1)]));
    await expect(large).rejects.toMatchObject({ code: "limit_exceeded", subject: "element_size" });
    expect(await lists.length(me, "c", key)).toBeUndefined();
  });

  it("retain without a refresh needs no TTL, for other SDKs send none", async () => {
    await lists.push(me, "c", key, aPush(["a", "b"]));
    expect(await lists.retain(me, "c", key, { start: 1, end: undefined }, { ttlMs: 0, isRefreshed: false })).toBe(1);
    expect(await lists.erase(me, "c", key, undefined)).toBe(0);
    expect(await lists.fetch(me, "c", key, all)).toBeUndefined();
  });

  it("end by the steady clock", async () => {
    await lists.push(me, "c", key, aPush(["a"]));
    nowMs += 59_999;
    expect(await lists.length(me, "c", key)).toBe(1);
    nowMs += 1;
    expect(await lists.length(me, "c", key)).toBeUndefined();
  });

  it("are read and written only with the permission for their key", async () => {
    const grant: Grant = {
      resource: "cache",
      role: "read",
      cache: { name: "c" },
      key: { name: key.toString("base64url") },
    };
    const reader: Principal = { ...me, kind: "token", isSuperUser: false, grants: [grant] };
    await expect(lists.push(reader, "c", key, aPush(["a"]))).rejects.toMatchObject({ code: "permission_denied" });
    await expect(lists.pop(reader, "c", key, "back")).rejects.toMatchObject({ code: "permission_denied" });
    await expect(lists.erase(reader, "c", key, undefined)).rejects.toMatchObject({ code: "permission_denied" });
    expect(await lists.fetch(reader, "c", key, all)).toBeUndefined();
    await expect(lists.fetch(reader, "nowhere", key, all)).rejects.toMatchObject({ code: "permission_denied" });
  });

  it("a push that meets a flush is done in the cache's new incarnation", async () => {
    await caches.create(me, "flushed");
    const old = await caches.get(me.environment, "flushed");
    await lists.push(me, "flushed", key, aPush(["before"]));
    await caches.flush(me, "flushed");
    const behind = createLists(engine, { ...caches, known: () => old }, () => nowMs);
    expect(await behind.push(me, "flushed", key, aPush(["after"]))).toBe(1);
    expect(await lists.length(me, "flushed", key)).toBe(1);
  });
});

describe("indexes of a list", () => {
  it.each([
    [{ start: undefined, end: undefined }, 0, 5],
    [{ start: -2, end: undefined }, 3, 5],
    [{ start: -9, end: -1 }, 0, 4],
    [{ start: 1, end: 99 }, 1, 5],
    [{ start: 9, end: undefined }, 5, 5],
  ])("%o of five are %i to %i", (slice, from, to) => {
    expect(resolveSlice(slice, 5)).toEqual({ from, to });
  });

  it("of ranges are sorted, joined where they touch or overlap, and cut at the back", () => {
    const ranges = [
      { start: 7, count: 9 },
      { start: 0, count: 2 },
      { start: 2, count: 1 },
      { start: 5, count: 0 },
      { start: 1, count: 1 },
      { start: 20, count: 1 },
    ];
    expect(mergeRanges(ranges, 10)).toEqual([
      { from: 0, to: 3 },
      { from: 7, to: 10 },
    ]);
  });
});
