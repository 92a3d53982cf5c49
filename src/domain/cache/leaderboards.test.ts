import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import type { Selector } from "../auth/selector.ts";
import { limits } from "../limits.ts";
import { type Caches, createCaches } from "./caches.ts";
import { createLeaderboards, type LeaderboardElement, type Leaderboards } from "./leaderboards.ts";

let directory: string;
let engine: EmbeddedEngine;
let caches: Caches;
let leaderboards: Leaderboards;
let nowMs = 1_700_000_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-leaderboards-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
  caches = createCaches(engine, { defaultDurability: "memory", wallMs: () => nowMs });
  await caches.start();
  await caches.create(me, "c");
  leaderboards = createLeaderboards(engine, caches, () => nowMs);
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const me = openPrincipal;
const most = limits.leaderboard.callMaxElements;
const numbered = (count: number): LeaderboardElement[] => Array.from({ length: count }, (_, id) => ({ id, score: id }));
const idsOf = (places: readonly { id: number }[]) => places.map(({ id }) => id);
const all = { min: undefined, max: undefined, offset: 0, count: most };

describe("leaderboards", () => {
  it("refuse a name, scores, and ranges and counts out of their bounds, and say which", async () => {
    const many = numbered(most + 1);
    const nan = { score: Number.NaN, isExclusive: false };
    const byRank = (start: number, end: number) => leaderboards.byRank(me, "c", "l", { start, end }, "ascending");
    const refused = [
      [leaderboards.length(me, "c", " "), "leaderboard name must not be empty"],
      [leaderboards.length(me, "c", "n".repeat(256)), "leaderboard name has 256 bytes"],
      [leaderboards.upsert(me, "c", "l", [{ id: 1, score: Number.NaN }]), "score NaN"],
      [leaderboards.upsert(me, "c", "l", many), `${most + 1} elements`],
      [leaderboards.remove(me, "c", "l", idsOf(many)), `${most + 1} ids`],
      [leaderboards.places(me, "c", "l", idsOf(many), "ascending", false), `${most + 1} ids`],
      [leaderboards.byScore(me, "c", "l", { ...all, count: most + 1 }, "ascending"), `${most + 1} elements`],
      [leaderboards.byScore(me, "c", "l", { ...all, min: nan }, "ascending"), "lowest score NaN"],
      [byRank(5, 5), "from 5 to before 5 are 0"],
      [byRank(9, 5), "from 9 to before 5 are -4"],
      [byRank(0, most + 1), `are ${most + 1}; must be >= 1 and <= ${most}`],
    ] as const;
    for (const [call, text] of refused) {
      await expect(call).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(text) });
    }
    expect(await leaderboards.length(me, "c", "l")).toBe(0);
    await leaderboards.upsert(me, "c", "l", many.slice(1));
    expect(await leaderboards.byRank(me, "c", "l", { start: 0, end: most }, "ascending")).toHaveLength(most);
    expect(await leaderboards.byScore(me, "c", "l", all, "descending")).toHaveLength(most);
  });

  it("have ids of 32 bits, and order those of equal scores by them", async () => {
    const ids = [4_294_967_295, 255, 256, 0, 65_536, 2_147_483_648];
    await leaderboards.upsert(
      me,
      "c",
      "ids",
      ids.map((id) => ({ id, score: 7 })),
    );
    const ascending = await leaderboards.byRank(me, "c", "ids", { start: 0, end: 9 }, "ascending");
    expect(idsOf(ascending)).toEqual(ids.toSorted((a, b) => a - b));
    expect(await leaderboards.byRank(me, "c", "ids", { start: 5, end: 9 }, "descending")).toEqual([
      { id: 0, score: 7, rank: 5 },
    ]);
  });

  it("are there for 7 days after the last upsert", async () => {
    const { ttlMs } = limits.leaderboard;
    await leaderboards.upsert(me, "c", "week", [{ id: 1, score: 1 }]);
    nowMs += ttlMs - 1;
    await leaderboards.upsert(me, "c", "week", [{ id: 2, score: 2 }]);
    nowMs += ttlMs - 1;
    expect(await leaderboards.length(me, "c", "week")).toBe(2);
    nowMs += 1;
    expect(await leaderboards.length(me, "c", "week")).toBe(0);
  });

  it("need a permission on all keys of the cache: to read them, to write them, or both", async () => {
    const holder = (role: "read" | "write", key: Selector): Principal => {
      const grant: Grant = { resource: "cache", role, cache: { name: "c" }, key };
      return { ...me, kind: "token", isSuperUser: false, grants: [grant] };
    };
    const every = { all: true } as const;
    const calls = {
      write: (who: Principal, cache = "c") => [
        leaderboards.upsert(who, cache, "rights", [{ id: 1, score: 1 }]),
        leaderboards.remove(who, cache, "rights", [2]),
        leaderboards.delete(who, cache, "none"),
      ],
      read: (who: Principal, cache = "c") => [
        leaderboards.length(who, cache, "rights"),
        leaderboards.byRank(who, cache, "rights", { start: 0, end: 1 }, "ascending"),
        leaderboards.byScore(who, cache, "rights", all, "ascending"),
        leaderboards.places(who, cache, "rights", [1], "ascending", true),
      ],
    };
    await Promise.all([...calls.write(holder("write", every)), ...calls.read(holder("read", every))]);
    const some = { prefix: "cmln" };
    const refused = [
      ...calls.write(holder("read", every)),
      ...calls.read(holder("write", every)),
      ...calls.write(holder("write", some)),
      ...calls.read(holder("read", some)),
      ...calls.read(holder("read", every), "nowhere"),
    ];
    for (const call of refused) await expect(call).rejects.toMatchObject({ code: "permission_denied" });
  });

  it("are emptied by a flush, and what meets it is done in the cache's new incarnation", async () => {
    await caches.create(me, "flushed");
    const old = await caches.get(me.environment, "flushed");
    await leaderboards.upsert(me, "flushed", "l", numbered(3));
    await caches.flush(me, "flushed");
    const behind = createLeaderboards(engine, { ...caches, known: () => old }, () => nowMs);
    await behind.upsert(me, "flushed", "l", numbered(1));
    expect(await leaderboards.length(me, "flushed", "l")).toBe(1);
  });
});
