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
import { createDictionaries, type Dictionaries } from "./dictionaries.ts";

let directory: string;
let engine: EmbeddedEngine;
let caches: Caches;
let dictionaries: Dictionaries;
let nowMs = 1_700_000_000_000;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-dictionaries-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => nowMs });
  caches = createCaches(engine, { defaultDurability: "memory", wallMs: () => nowMs });
  await caches.start();
  await caches.create(me, "c");
  dictionaries = createDictionaries(engine, caches, () => nowMs);
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const me = openPrincipal;
const key = Buffer.from("dictionary");
const empty = new Uint8Array(0);
const ttl = { ttlMs: 60_000, isRefreshed: false };
const entry = (field: string, value: string) => ({ field: Buffer.from(field), value: Buffer.from(value) });
const set = (entries: readonly { field: Uint8Array; value: Uint8Array }[], name = "c", service = dictionaries) =>
  service.set(me, name, key, entries, ttl);

describe("dictionaries", () => {
  it("refuse a key, a TTL and fields out of their bounds, and say which", async () => {
    const many = Array(limits.collectionMaxElements + 1).fill(empty);
    const none = { ttlMs: 0, isRefreshed: false };
    const refused = [
      [dictionaries.set(me, "c", empty, [], ttl), "key has 0 bytes"],
      [dictionaries.set(me, "c", key, [entry("a", "1")], none), "ttlMs 0"],
      [dictionaries.increment(me, "c", key, empty, 1n, { ttlMs: 86_400_001, isRefreshed: true }), "86400001"],
      [set(many.map(() => entry("", ""))), "100001 fields to set"],
      [dictionaries.get(me, "c", key, many), "100001 fields to get"],
      [dictionaries.delete(me, "c", key, many), "100001 fields to delete"],
    ] as const;
    for (const [call, text] of refused) {
      await expect(call).rejects.toMatchObject({ code: "invalid_argument", message: expect.stringContaining(text) });
    }
    expect(await dictionaries.length(me, "c", key)).toBeUndefined();
  });

  it("refuse a field or a value that is too large", async () => {
    const large = new Uint8Array(limits.elementMaxBytes + 1);
    const calls = [
      set([entry("a", "1"), { field: large, value: empty }]),
      set([{ field: empty, value: large }]),
      dictionaries.increment(me, "c", key, large, 1n, ttl),
    ];
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ reason: { code: "limit_exceeded", subject: "element_size" } });
    }
    expect(await dictionaries.length(me, "c", key)).toBeUndefined();
  });

  it("answer a field as often as it is asked for, as long as the answer does not grow too large by it", async () => {
    await set([{ field: Buffer.from("large"), value: Buffer.alloc(100_000, "x") }, entry("a", "1")]);
    const get = (large: number) =>
      dictionaries.get(
        me,
        "c",
        key,
        [..."abab", ...Array(large).fill("large")].map((field) => Buffer.from(field)),
      );
    const values = (await get(99))?.map((value) => value?.byteLength);
    expect(values).toEqual([1, undefined, 1, undefined, ...Array(99).fill(100_000)]);
    await expect(get(100)).rejects.toMatchObject({
      code: "limit_exceeded",
      message: expect.stringContaining("10000834 bytes"),
    });
    await dictionaries.delete(me, "c", key, undefined);
  });

  it("count what the protocol has beside each value into an answer that is made larger by fields asked for twice", async () => {
    await set([{ field: empty, value: Buffer.alloc(99, "x") }]);
    const asked = dictionaries.get(me, "c", key, Array(limits.collectionMaxElements).fill(empty));
    await expect(asked).rejects.toMatchObject({ code: "limit_exceeded", subject: "item_size" });
    await dictionaries.delete(me, "c", key, undefined);
  });

  it("end by the steady clock", async () => {
    await set([entry("a", "1")]);
    nowMs += 59_999;
    expect(await dictionaries.length(me, "c", key)).toBe(1);
    nowMs += 1;
    expect(await dictionaries.length(me, "c", key)).toBeUndefined();
  });

  it("are read and written only with the permission for their key, and incremented with both", async () => {
    const allowed = (role: "read" | "write"): Principal => {
      const grant: Grant = {
        resource: "cache",
        role,
        cache: { name: "c" },
        key: { name: key.toString("base64url") },
      };
      return { ...me, kind: "token", isSuperUser: false, grants: [grant] };
    };
    const [reader, writer] = [allowed("read"), allowed("write")];
    const refused = [
      dictionaries.set(reader, "c", key, [], ttl),
      dictionaries.delete(reader, "c", key, undefined),
      dictionaries.increment(reader, "c", key, empty, 1n, ttl),
      dictionaries.increment(writer, "c", key, empty, 1n, ttl),
      dictionaries.get(writer, "c", key, [empty]),
      dictionaries.fetch(writer, "c", key),
      dictionaries.length(writer, "c", key),
      dictionaries.fetch(reader, "c", Buffer.from("another key")),
    ];
    for (const call of await Promise.allSettled(refused)) {
      expect(call).toMatchObject({ reason: { code: "permission_denied" } });
    }
    expect(await dictionaries.fetch(reader, "c", key)).toBeUndefined();
    await dictionaries.delete(writer, "c", key, undefined);
  });

  it("a change that meets a flush is done in the cache's new incarnation", async () => {
    await caches.create(me, "flushed");
    const old = await caches.get(me.environment, "flushed");
    await set([entry("before", "1")], "flushed");
    await caches.flush(me, "flushed");
    await set(
      [entry("after", "1")],
      "flushed",
      createDictionaries(engine, { ...caches, known: () => old }, () => nowMs),
    );
    const fields = (await dictionaries.fetch(me, "flushed", key))?.map(({ field }) => `${Buffer.from(field)}`);
    expect(fields).toEqual(["after"]);
  });
});
