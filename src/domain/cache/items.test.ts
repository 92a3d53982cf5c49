import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal } from "../auth/open-access.ts";
import type { Principal } from "../auth/principal.ts";
import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { type Caches, createCaches } from "./caches.ts";
import { hashOf } from "./hash.ts";
import { createItems, type Items } from "./items.ts";
import type { SetCondition } from "./store.ts";

let directory: string;
let engine: EmbeddedEngine;
let caches: Caches;
let items: Items;
let nowMs = 1_700_000_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-items-"));
  engine = await openEmbeddedEngine({
    dataDir: directory,
    wallMs: () => nowMs,
    itemsEnvironmentMaxBytes: 10_000_000,
  });
  caches = createCaches(engine, { defaultDurability: "memory", wallMs: () => nowMs });
  await caches.start();
  await caches.create(me, "c");
  await caches.create(me, "disk", "disk");
  items = createItems(engine, caches, () => nowMs);
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const me = openPrincipal;
const bytes = (text: string) => Buffer.from(text);
const key = bytes("key");
const absent: SetCondition = { ifAbsent: true, ifPresent: false };
const equal: SetCondition = { ifAbsent: false, ifPresent: { compare: "value", with: bytes("v"), isEqual: true } };

function withRole(role: "read" | "write" | "read-write", prefix: string): Principal {
  const grant: Grant = {
    resource: "cache",
    role,
    cache: { name: "c" },
    key: { prefix: bytes(prefix).toString("base64url") },
  };
  return { ...me, kind: "token", isSuperUser: false, grants: [grant] };
}

async function textsOf(reads: AsyncIterable<readonly (Uint8Array | TodokuError | undefined)[]>) {
  const portions: unknown[][] = [];
  for await (const portion of reads) {
    portions.push(portion.map((read) => (read instanceof Uint8Array ? Buffer.from(read).toString() : read)));
  }
  return portions;
}

describe("items", () => {
  it("refuse keys, values and lifetimes out of their bounds in every call, and say which", async () => {
    const none = new Uint8Array(0);
    const ttls = [0, limits.itemTtlMaxMs + 1];
    const refused = [
      [items.setIf(me, "c", none, bytes("v"), 1, absent), "key has 0 bytes"],
      [items.increment(me, "c", none, 1n, 1), "key has 0 bytes"],
      [items.updateTtl(me, "c", none, "increase", 1), "key has 0 bytes"],
      [items.inspect(me, "c", none), "key has 0 bytes"],
      [items.keysExist(me, "c", [key, none]), "key has 0 bytes"],
      [items.setMany(me, "c", [{ key: none, value: bytes("v"), ttlMs: 1 }]), "key has 0 bytes"],
      [items.keysExist(me, "c", Array(limits.keysPerCallMax + 1).fill(key)), `${limits.keysPerCallMax + 1} keys`],
      ...ttls.flatMap((ttlMs) => [
        [items.setIf(me, "c", key, bytes("v"), ttlMs, absent), `ttlMs ${ttlMs}`] as const,
        [items.increment(me, "c", key, 1n, ttlMs), `ttlMs ${ttlMs}`] as const,
        [items.updateTtl(me, "c", key, "overwrite", ttlMs), `ttlMs ${ttlMs}`] as const,
        [items.setMany(me, "c", [{ key, value: bytes("v"), ttlMs }]), `ttlMs ${ttlMs}`] as const,
      ]),
    ] as const;
    for (const [call, text] of refused) {
      await expect(call).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(text) });
    }
    expect(() => items.getMany(me, "c", [none])).toThrow("key has 0 bytes");
    const large = new Uint8Array(limits.itemMaxBytes + 1);
    const tooLarge = { code: "limit_exceeded", subject: "request_size" };
    await expect(items.setIf(me, "c", key, large, 1, absent)).rejects.toMatchObject(tooLarge);
    await expect(items.setMany(me, "c", [{ key, value: large, ttlMs: 1 }])).rejects.toMatchObject(tooLarge);
    expect(await items.inspect(me, "c", key)).toBeUndefined();
  });

  it("have what is left of their lifetime to the millisecond", async () => {
    await items.set(me, "c", bytes("ttl"), bytes("v"), 1000);
    expect(await items.inspect(me, "c", bytes("ttl"))).toEqual({ type: "scalar", remainingMs: 1000 });
    nowMs += 999;
    expect(await items.inspect(me, "c", bytes("ttl"))).toEqual({ type: "scalar", remainingMs: 1 });
    expect(await items.updateTtl(me, "c", bytes("ttl"), "increase", 1)).toBe("not set");
    expect(await items.updateTtl(me, "c", bytes("ttl"), "increase", 2)).toBe("set");
    nowMs += 2;
    expect(await items.inspect(me, "c", bytes("ttl"))).toBeUndefined();
    expect(await items.keysExist(me, "c", [bytes("ttl")])).toEqual([false]);
  });

  it("are told by the first 16 bytes of their SHA-256", () => {
    // As `printf abc | sha256sum` prints it.
    expect(Buffer.from(hashOf(bytes("abc"))).toString("hex")).toBe("ba7816bf8f01cfea414140de5dae2223");
  });

  it("need both permissions where a call changes something and tells about the value, else the one", async () => {
    const [reader, writer, both] = [withRole("read", "k"), withRole("write", "k"), withRole("read-write", "k")];
    const one = [{ key, value: bytes("v"), ttlMs: 1 }];
    const refused = [
      items.setIf(reader, "c", key, bytes("v"), 1, absent),
      items.setIf(reader, "c", key, bytes("v"), 1, equal),
      items.setIf(writer, "c", key, bytes("v"), 1, equal),
      items.increment(reader, "c", key, 1n, 1),
      items.increment(writer, "c", key, 1n, 1),
      items.updateTtl(reader, "c", key, "overwrite", 1),
      items.inspect(writer, "c", key),
      items.keysExist(writer, "c", [key]),
      items.setMany(reader, "c", one),
      items.setMany(both, "c", [...one, { key: bytes("other"), value: bytes("v"), ttlMs: 1 }]),
      items.keysExist(both, "c", [key, bytes("other")]),
    ];
    for (const call of refused) await expect(call).rejects.toMatchObject({ code: "permission_denied" });
    expect(() => items.getMany(writer, "c", [key])).toThrow("item.read");
    expect(() => items.getMany(both, "c", [key, bytes("other")])).toThrow("item.read");
    expect(await items.keysExist(me, "c", [key, bytes("other")])).toEqual([false, false]);
    expect(await items.setIf(writer, "c", key, bytes("v"), 1000, absent)).toBe(true);
    expect(await items.setIf(both, "c", key, bytes("1"), 1000, equal)).toBe(true);
    expect(await items.increment(both, "c", key, 1n, 1000)).toBe(2n);
    expect(await items.updateTtl(writer, "c", key, "overwrite", 1000)).toBe("set");
    expect(await textsOf(items.getMany(reader, "c", [key]))).toEqual([["2"]]);
  });
});

describe("items in batches", () => {
  it.each(["c", "disk"])(
    "are read in portions, in the order of the keys, with what is wrong with one of them: %s",
    async (cache) => {
      const names = Array.from({ length: 20 }, (_, n) => `n${n}`);
      const set = names.map((name) => ({ key: bytes(name), value: bytes(`value of ${name}`), ttlMs: 1000 }));
      expect(await items.setMany(me, cache, set)).toEqual(Array(20).fill(undefined));
      const { cacheId, durability } = caches.known(me.environment, cache) ?? expect.unreachable();
      const place = { environment: me.environment, cache, cacheId };
      const expiry = { expiresAtMs: nowMs + 1000, isRefreshed: false };
      const push = { end: "back", values: [bytes("x")], truncateTo: undefined, expiry } as const;
      await items.delete(me, cache, bytes("n3"));
      await engine.lists[durability].push(place, bytes("n3"), push, nowMs);
      const portions = await textsOf(items.getMany(me, cache, ["none", ...names].map(bytes)));
      expect(portions.map(({ length }) => length)).toEqual([1, 2, 4, 8, 6]);
      const [none, ...reads] = portions.flat();
      expect(none).toBeUndefined();
      expect(reads[3]).toMatchObject({ code: "failed_precondition" });
      expect(reads.toSpliced(3, 1)).toEqual(names.toSpliced(3, 1).map((name) => `value of ${name}`));
    },
  );

  it("are read one by one while they are large", async () => {
    const names = Array.from({ length: 6 }, (_, n) => bytes(`large ${n}`));
    for (const name of names) await items.set(me, "c", name, new Uint8Array(2_000_000), 1000);
    const sizes: number[] = [];
    for await (const portion of items.getMany(me, "c", names)) sizes.push(portion.length);
    expect(sizes).toEqual([1, 1, 1, 1, 1, 1]);
  });

  it("read no further than they are taken", async () => {
    let reads = 0;
    const memory = {
      ...engine.items.memory,
      get: (...asked: Parameters<typeof engine.items.memory.get>) => {
        reads++;
        return engine.items.memory.get(...asked);
      },
    };
    const counted = createItems({ items: { ...engine.items, memory } }, caches, () => nowMs);
    const portions = counted.getMany(me, "c", Array(1000).fill(key))[Symbol.asyncIterator]();
    expect(reads).toBe(0);
    for (const expected of [1, 3, 7, 15, 23]) {
      await portions.next();
      expect(reads).toBe(expected);
    }
    await portions.return?.();
    expect(reads).toBe(23);
  });

  it("of no keys are empty, but their cache must be there", async () => {
    expect(await textsOf(items.getMany(me, "c", []))).toEqual([[]]);
    expect([await items.setMany(me, "c", []), await items.keysExist(me, "c", [])]).toEqual([[], []]);
    const noCache = { code: "not_found", subject: "cache" };
    await expect(textsOf(items.getMany(me, "none", []))).rejects.toMatchObject(noCache);
    await expect(items.setMany(me, "none", [])).rejects.toMatchObject(noCache);
    await expect(items.keysExist(me, "none", [])).rejects.toMatchObject(noCache);
  });

  it("are stored as far as there is room, and say for which there was none", async () => {
    const value = new Uint8Array(4_000_000);
    const set = ["r1", "r2", "r3"].map((name) => ({ key: bytes(name), value, ttlMs: 1000 }));
    const results = await items.setMany(me, "disk", set);
    expect(results.map((error) => error?.code)).toEqual([undefined, undefined, "limit_exceeded"]);
    const keys = set.map((one) => one.key);
    expect(await items.keysExist(me, "disk", keys)).toEqual([true, true, false]);
    for (const one of keys) await items.delete(me, "disk", one);
  });

  it("set while their cache is flushed are all there afterwards, or none of them", async () => {
    const set = Array.from({ length: 50 }, (_, n) => ({ key: bytes(`f${n}`), value: bytes("v"), ttlMs: 1000 }));
    for (const cache of ["c", "disk"]) {
      const [, results] = await Promise.all([caches.flush(me, cache), items.setMany(me, cache, set)]);
      expect(results.every((error) => error === undefined)).toBe(true);
      const exist = await items.keysExist(
        me,
        cache,
        set.map((one) => one.key),
      );
      expect(new Set(exist).size).toBe(1);
    }
  });
});
