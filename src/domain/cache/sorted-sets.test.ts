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
import type { ScoredElement, SortedSetRange } from "./sorted-set-store.ts";
import { createSortedSets, type SortedSets, type Union } from "./sorted-sets.ts";

let directory: string;
let engine: EmbeddedEngine;
let caches: Caches;
let sortedSets: SortedSets;
let nowMs = 1_700_000_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-sorted-sets-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
  caches = createCaches(engine, { defaultDurability: "memory", wallMs: () => nowMs });
  await caches.start();
  await caches.create(me, "c");
  sortedSets = createSortedSets(engine, caches, () => nowMs);
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const me = openPrincipal;
const key = Buffer.from("sorted set");
const ttl = { ttlMs: 60_000, isRefreshed: false };
const all: SortedSetRange = { by: "rank", start: undefined, end: undefined };
const bytes = (text: string) => Buffer.from(text);
const scored = (scores: Record<string, number>): ScoredElement[] =>
  Object.entries(scores).map(([element, score]) => ({ element: bytes(element), score }));
const union = (more: Partial<Union> = {}): Union => ({
  sources: [{ key, weight: 1 }],
  aggregate: "sum",
  ttlMs: 60_000,
  ...more,
});
const put = (name: string, scores: Record<string, number>) => sortedSets.put(me, "c", bytes(name), scored(scores), ttl);
async function textOf(name: string, range = all) {
  const slice = await sortedSets.fetch(me, "c", bytes(name), range, "ascending");
  return slice?.elements.map(({ element, score }) => `${Buffer.from(element)} ${score}`);
}

describe("sorted sets", () => {
  it("refuse a key, a TTL, elements, scores and sources out of their bounds, and say which", async () => {
    const { unionMaxSources } = limits.sortedSet;
    const empty = new Uint8Array(0);
    const tooMany = Array<Uint8Array>(limits.collectionMaxElements + 1).fill(empty);
    const score = { score: Number.NaN, isExclusive: false };
    const nan: SortedSetRange = { by: "score", min: score, max: undefined, offset: 0, count: undefined };
    const refused = [
      [sortedSets.put(me, "c", empty, [], ttl), "key has 0 bytes"],
      [sortedSets.put(me, "c", key, [], { ttlMs: 0, isRefreshed: false }), "ttlMs 0"],
      [sortedSets.put(me, "c", key, scored({ a: Number.NaN }), ttl), "score NaN"],
      [
        sortedSets.put(
          me,
          "c",
          key,
          tooMany.map((element) => ({ element, score: 0 })),
          ttl,
        ),
        "100001 elements",
      ],
      [sortedSets.increment(me, "c", key, empty, Number.NaN, ttl), "amount NaN"],
      [sortedSets.increment(me, "c", key, empty, 1, { ttlMs: 86_400_001, isRefreshed: true }), "86400001"],
      [sortedSets.remove(me, "c", key, tooMany), "100001 elements"],
      [sortedSets.scores(me, "c", key, tooMany), "100001 elements"],
      [sortedSets.fetch(me, "c", key, nan, "ascending"), "lowest score NaN"],
      [sortedSets.count(me, "c", key, { min: undefined, max: score }), "highest score NaN"],
      [sortedSets.unionStore(me, "c", key, union({ sources: [] })), "0 sources"],
      [
        sortedSets.unionStore(me, "c", key, union({ sources: Array(unionMaxSources + 1).fill({ key, weight: 1 }) })),
        `${unionMaxSources + 1} sources`,
      ],
      [sortedSets.unionStore(me, "c", key, union({ sources: [{ key: empty, weight: 1 }] })), "key has 0 bytes"],
      [sortedSets.unionStore(me, "c", key, union({ sources: [{ key, weight: Infinity }] })), "weight Infinity"],
      [sortedSets.unionStore(me, "c", key, union({ ttlMs: 0 })), "ttlMs 0"],
    ] as const;
    for (const [call, text] of refused) {
      await expect(call).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(text) });
    }
    const large = new Uint8Array(limits.elementMaxBytes + 1);
    for (const call of [
      sortedSets.put(me, "c", key, [{ element: large, score: 1 }], ttl),
      sortedSets.increment(me, "c", key, large, 1, ttl),
    ]) {
      await expect(call).rejects.toMatchObject({ code: "limit_exceeded", subject: "element_size" });
    }
    expect(await sortedSets.length(me, "c", key)).toBeUndefined();
  });

  it("take infinite scores, which nothing is above or below", async () => {
    await put("infinite", { low: -Infinity, high: Infinity, between: 1e308 });
    expect(await textOf("infinite")).toEqual(["low -Infinity", "between 1e+308", "high Infinity"]);
    const max = { score: Infinity, isExclusive: true };
    expect(await sortedSets.count(me, "c", bytes("infinite"), { min: undefined, max })).toBe(2);
    const cancelled = sortedSets.increment(me, "c", bytes("infinite"), bytes("high"), -Infinity, ttl);
    await expect(cancelled).rejects.toMatchObject({ code: "failed_precondition" });
  });

  it("tell an element that is not there from a sorted set that is not", async () => {
    await put("places", { a: 1, b: 2 });
    const rank = (name: string, element: string) => sortedSets.rank(me, "c", bytes(name), bytes(element), "descending");
    expect([await rank("places", "a"), await rank("places", "none"), await rank("none", "a")]).toEqual([
      1,
      "no element",
      undefined,
    ]);
    expect(await sortedSets.scores(me, "c", bytes("places"), [bytes("none"), bytes("b")])).toEqual([undefined, 2]);
    expect(await sortedSets.scores(me, "c", bytes("none"), [bytes("b")])).toBeUndefined();
  });

  it("end by the steady clock, a union as any other", async () => {
    await put("source", { a: 1 });
    const target = bytes("union");
    await sortedSets.unionStore(me, "c", target, union({ sources: [{ key: bytes("source"), weight: 2 }], ttlMs: 50 }));
    expect(await textOf("union")).toEqual(["a 2"]);
    nowMs += 49;
    expect(await sortedSets.length(me, "c", target)).toBe(1);
    nowMs += 1;
    expect(await sortedSets.length(me, "c", target)).toBeUndefined();
    expect(await textOf("source")).toEqual(["a 1"]);
    nowMs += 59_950;
    expect(await textOf("source")).toBeUndefined();
  });

  it("are read and written only with the permission for their key, a union's sources included", async () => {
    const holder = (role: "read" | "write" | "read-write", name: string): Principal => {
      const selector = { name: bytes(name).toString("base64url") };
      const grant: Grant = { resource: "cache", role, cache: { name: "c" }, key: selector };
      return { ...me, kind: "token", isSuperUser: false, grants: [grant] };
    };
    await put("mine", { a: 1 });
    const mine = bytes("mine");
    const [reader, writer, both] = [holder("read", "mine"), holder("write", "mine"), holder("read-write", "mine")];
    const from = (name: string) => union({ sources: [{ key: bytes(name), weight: 1 }] });
    const refused = [
      sortedSets.put(reader, "c", mine, [], ttl),
      sortedSets.remove(reader, "c", mine, undefined),
      sortedSets.increment(reader, "c", mine, bytes("a"), 1, ttl),
      sortedSets.increment(writer, "c", mine, bytes("a"), 1, ttl),
      sortedSets.unionStore(reader, "c", mine, from("mine")),
      sortedSets.unionStore(writer, "c", mine, from("mine")),
      sortedSets.unionStore(both, "c", mine, from("other")),
      sortedSets.unionStore(both, "c", bytes("other"), from("mine")),
      sortedSets.scores(writer, "c", mine, [bytes("a")]),
      sortedSets.rank(writer, "c", mine, bytes("a"), "ascending"),
      sortedSets.fetch(writer, "c", mine, all, "ascending"),
      sortedSets.length(writer, "c", mine),
      sortedSets.count(writer, "c", mine, { min: undefined, max: undefined }),
      sortedSets.fetch(reader, "nowhere", mine, all, "ascending"),
    ];
    for (const call of refused) await expect(call).rejects.toMatchObject({ code: "permission_denied" });
    expect(await sortedSets.length(reader, "c", mine)).toBe(1);
    await sortedSets.put(writer, "c", mine, scored({ b: 2 }), ttl);
    expect(await sortedSets.increment(both, "c", mine, bytes("b"), 2, ttl)).toBe(4);
    expect(await sortedSets.unionStore(both, "c", mine, from("mine"))).toBe(2);
  });
});
