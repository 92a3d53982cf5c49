// The items of the unmodified Node SDK against a server of this process, in a `disk` and in a `memory` cache.

import { cache as theirs } from "@gomomento/generated-types";
import { common } from "@gomomento/generated-types/dist/common.js";
import {
  CacheClient,
  CacheDecreaseTtl,
  CacheGet,
  CacheGetBatch,
  CacheGetWithHash,
  CacheIncreaseTtl,
  CacheIncrement,
  CacheItemGetTtl,
  CacheItemGetType,
  type CacheKeyExists,
  CacheKeysExist,
  CacheSet,
  CacheSetBatch,
  CacheSetIfAbsent,
  CacheSetIfAbsentOrEqual,
  CacheSetIfAbsentOrHashEqual,
  CacheSetIfAbsentOrHashNotEqual,
  CacheSetIfEqual,
  CacheSetIfNotEqual,
  CacheSetIfPresent,
  CacheSetIfPresentAndHashEqual,
  CacheSetIfPresentAndHashNotEqual,
  CacheSetIfPresentAndNotEqual,
  CacheUpdateTtl,
  Configurations,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  ItemType,
  MomentoErrorCode,
} from "@gomomento/sdk";
import { afterAll, describe, expect, it } from "vitest";
import { aSession, frame, GrpcCall } from "../support/grpc.ts";
import { keyCredential, localCredential, momentoClients } from "../support/momento-node.ts";
import { aMomentoServer, errorOf } from "../support/momento-server.ts";

const { server, clients, close } = await aMomentoServer();
afterAll(close);

async function aClient(scope: Parameters<typeof clients.auth.generateDisposableToken>[0]) {
  const token = await clients.auth.generateDisposableToken(scope, ExpiresIn.seconds(60));
  if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
  return momentoClients(keyCredential(token.authToken, server.port));
}

const { FAILED_PRECONDITION_ERROR, INVALID_ARGUMENT_ERROR, LIMIT_EXCEEDED_ERROR, PERMISSION_ERROR } = MomentoErrorCode;

describe.each(["disk", "memory"])("items of the SDK in a %s cache", (cacheName) => {
  const client = () => clients.cache;
  async function textOf(key: string) {
    const response = await client().get(cacheName, key);
    if (response instanceof CacheGet.Hit) return response.valueString();
    expect(response, response.toString()).toBeInstanceOf(CacheGet.Miss);
    return undefined;
  }
  async function remainingMs(key: string): Promise<number | undefined> {
    const response = await client().itemGetTtl(cacheName, key);
    if (response instanceof CacheItemGetTtl.Hit) return response.remainingTtlMillis();
    expect(response, response.toString()).toBeInstanceOf(CacheItemGetTtl.Miss);
    return undefined;
  }
  async function hashOf(key: string) {
    const response = await client().getWithHash(cacheName, key);
    if (!(response instanceof CacheGetWithHash.Hit)) throw new Error(response.toString());
    return response.hashUint8Array();
  }

  it("are set on a condition of what is there", async () => {
    const set = (key: string, value: string) => client().set(cacheName, key, value);
    const c = client();
    await set("held same", "same");
    const tried: [object, { Stored: unknown; NotStored: unknown }, string][] = [];
    for (const held of ["absent", "same", "other"]) {
      const fresh = async () => {
        const key = `if ${held} ${tried.length}`;
        if (held !== "absent") await set(key, held);
        return key;
      };
      const expected = (on: string) => (on.split(" ").includes(held) ? "Stored" : "NotStored");
      tried.push([await c.setIfAbsent(cacheName, await fresh(), "new"), CacheSetIfAbsent, expected("absent")]);
      tried.push([await c.setIfPresent(cacheName, await fresh(), "new"), CacheSetIfPresent, expected("same other")]);
      tried.push([await c.setIfEqual(cacheName, await fresh(), "new", "same"), CacheSetIfEqual, expected("same")]);
      tried.push([
        await c.setIfNotEqual(cacheName, await fresh(), "new", "same"),
        CacheSetIfNotEqual,
        expected("absent other"),
      ]);
      tried.push([
        await c.setIfPresentAndNotEqual(cacheName, await fresh(), "new", "same"),
        CacheSetIfPresentAndNotEqual,
        expected("other"),
      ]);
      tried.push([
        await c.setIfAbsentOrEqual(cacheName, await fresh(), "new", "same"),
        CacheSetIfAbsentOrEqual,
        expected("absent same"),
      ]);
      const hash = await hashOf("held same");
      tried.push([
        await c.setIfPresentAndHashEqual(cacheName, await fresh(), "new", hash),
        CacheSetIfPresentAndHashEqual,
        expected("same"),
      ]);
      tried.push([
        await c.setIfPresentAndHashNotEqual(cacheName, await fresh(), "new", hash),
        CacheSetIfPresentAndHashNotEqual,
        expected("other"),
      ]);
      tried.push([
        await c.setIfAbsentOrHashEqual(cacheName, await fresh(), "new", hash),
        CacheSetIfAbsentOrHashEqual,
        expected("absent same"),
      ]);
      tried.push([
        await c.setIfAbsentOrHashNotEqual(cacheName, await fresh(), "new", hash),
        CacheSetIfAbsentOrHashNotEqual,
        expected("absent other"),
      ]);
    }
    for (const [n, [response, answers, outcome]] of tried.entries()) {
      const wanted = outcome === "Stored" ? answers.Stored : answers.NotStored;
      expect(response, `${n} ${outcome}: ${response}`).toBeInstanceOf(wanted);
      const held = ["absent", "same", "other"][Math.floor(n / 10)] as string;
      expect(await textOf(`if ${held} ${n}`)).toBe(outcome === "Stored" ? "new" : held === "absent" ? undefined : held);
    }
    expect(tried).toHaveLength(30);
  });

  it("are told with a hash, the same for the same value, also by the call that sets one", async () => {
    await client().set(cacheName, "hash", "value");
    const hash = await hashOf("hash");
    const set = await client().setIfPresentAndHashEqual(cacheName, "hash", "next", hash);
    if (!(set instanceof CacheSetIfPresentAndHashEqual.Stored)) throw new Error(set.toString());
    expect(set.hashUint8Array()).toEqual(await hashOf("hash"));
    expect(set.hashUint8Array()).not.toEqual(hash);
    expect(await client().setIfPresentAndHashEqual(cacheName, "hash", "lost", hash)).toBeInstanceOf(
      CacheSetIfPresentAndHashEqual.NotStored,
    );
    expect(await textOf("hash")).toBe("next");
    expect(await client().getWithHash(cacheName, "none")).toBeInstanceOf(CacheGetWithHash.Miss);
  });

  it("go to exactly one of a hundred who set an absent key at once", async () => {
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, n) => client().setIfAbsent(cacheName, "race", `${n}`)),
    );
    const stored = all.flatMap((response, n) => (response instanceof CacheSetIfAbsent.Stored ? [`${n}`] : []));
    expect(stored).toEqual([await textOf("race")]);
  });

  it("count up and down, from nothing, and only whole numbers", async () => {
    const countTo = async (amount?: number) => {
      const response = await client().increment(cacheName, "count", amount);
      if (!(response instanceof CacheIncrement.Success)) throw new Error(response.toString());
      return response.valueNumber();
    };
    expect([await countTo(), await countTo(41), await countTo(-42), await countTo(-7)]).toEqual([1, 42, 0, -7]);
    expect(await textOf("count")).toBe("-7");
    for (const text of ["", "+5", "007", "1.0", "9223372036854775808"]) {
      await client().set(cacheName, "no count", text);
      expect(errorOf(await client().increment(cacheName, "no count", 1))?.code, text).toBe(FAILED_PRECONDITION_ERROR);
    }
    await client().set(cacheName, "most", "9223372036854775807");
    expect(errorOf(await client().increment(cacheName, "most", 1))?.code).toBe(FAILED_PRECONDITION_ERROR);
    const counts = await Promise.all(Array.from({ length: 200 }, () => client().increment(cacheName, "many")));
    const sums = counts.map((response) => (response as CacheIncrement.Success).valueNumber());
    expect(sums.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  });

  it("get the TTL of each increment, as Set would give them", async () => {
    await client().increment(cacheName, "counted", 1, { ttl: 1000 });
    await client().increment(cacheName, "counted", 1, { ttl: 10 });
    const leftMs = (await remainingMs("counted")) ?? 0;
    expect(leftMs).toBeLessThanOrEqual(10_000);
    expect(leftMs).toBeGreaterThan(1000);
  });

  it("tell what is left of their TTL, which is overwritten, increased or decreased", async () => {
    await client().set(cacheName, "ttl", "x", { ttl: 100 });
    const c = client();
    const between = async (fromMs: number, toMs: number) => {
      const leftMs = await remainingMs("ttl");
      expect(leftMs).toBeGreaterThan(fromMs);
      expect(leftMs).toBeLessThanOrEqual(toMs);
    };
    await between(50_000, 100_000);
    expect(await c.increaseTtl(cacheName, "ttl", 10_000)).toBeInstanceOf(CacheIncreaseTtl.NotSet);
    expect(await c.increaseTtl(cacheName, "ttl", 500_000)).toBeInstanceOf(CacheIncreaseTtl.Set);
    await between(400_000, 500_000);
    expect(await c.decreaseTtl(cacheName, "ttl", 600_000)).toBeInstanceOf(CacheDecreaseTtl.NotSet);
    expect(await c.decreaseTtl(cacheName, "ttl", 300_000)).toBeInstanceOf(CacheDecreaseTtl.Set);
    await between(200_000, 300_000);
    expect(await c.updateTtl(cacheName, "ttl", 400_000)).toBeInstanceOf(CacheUpdateTtl.Set);
    await between(350_000, 400_000);
    expect(await textOf("ttl")).toBe("x");
    expect(errorOf(await c.updateTtl(cacheName, "ttl", 86_400_001))).toEqual({
      code: INVALID_ARGUMENT_ERROR,
      message: expect.stringContaining("ttlMs 86400001 must be >= 1"),
    });
    expect(await c.updateTtl(cacheName, "none", 1000)).toBeInstanceOf(CacheUpdateTtl.Miss);
    expect(await c.increaseTtl(cacheName, "none", 1000)).toBeInstanceOf(CacheIncreaseTtl.Miss);
    expect(await c.decreaseTtl(cacheName, "none", 1000)).toBeInstanceOf(CacheDecreaseTtl.Miss);
    expect(await remainingMs("none")).toBeUndefined();
  });

  it("end to the millisecond: what is left is never 0, and then there is nothing", async () => {
    await client().set(cacheName, "end", "x");
    const fromMs = performance.now();
    await client().updateTtl(cacheName, "end", 150);
    for (let leftMs = await remainingMs("end"); leftMs !== undefined; leftMs = await remainingMs("end")) {
      expect(leftMs).toBeGreaterThanOrEqual(1);
      expect(leftMs).toBeLessThanOrEqual(150);
    }
    // The clocks of the server are read in whole ms.
    expect(performance.now() - fromMs).toBeGreaterThan(148);
    expect(await textOf("end")).toBeUndefined();
    expect(await client().itemGetType(cacheName, "end")).toBeInstanceOf(CacheItemGetType.Miss);
  });

  it("have one of five types, and their keys exist whatever they hold", async () => {
    const c = client();
    await c.set(cacheName, "a scalar", "x");
    await c.dictionarySetField(cacheName, "a dictionary", "f", "x");
    await c.setAddElement(cacheName, "a set", "x");
    await c.listPushBack(cacheName, "a list", "x");
    await c.sortedSetPutElement(cacheName, "a sorted set", "x", 1);
    const keys = ["a scalar", "a dictionary", "a set", "a list", "a sorted set"];
    const types = await Promise.all(
      keys.map(async (key) => {
        const response = await c.itemGetType(cacheName, key);
        return response instanceof CacheItemGetType.Hit ? response.itemType() : response.toString();
      }),
    );
    expect(types).toEqual([ItemType.SCALAR, ItemType.DICTIONARY, ItemType.SET, ItemType.LIST, ItemType.SORTED_SET]);
    const asked = ["none", ...keys, "none either", "a set"];
    const exist = (await c.keysExist(cacheName, asked)) as CacheKeysExist.Success;
    expect(exist.exists()).toEqual([false, true, true, true, true, true, false, true]);
    expect(((await c.keyExists(cacheName, "a list")) as CacheKeyExists.Success).exists()).toBe(true);
    expect(((await c.keyExists(cacheName, "none")) as CacheKeyExists.Success).exists()).toBe(false);
    const many = (await c.keysExist(cacheName, Array(10_000).fill("a list"))) as CacheKeysExist.Success;
    expect(many.exists()).toEqual(Array(10_000).fill(true));
    expect(errorOf(await c.keysExist(cacheName, Array(10_001).fill("a list")))).toEqual({
      code: INVALID_ARGUMENT_ERROR,
      message: expect.stringContaining("10001 keys; must be <= 10000"),
    });
  });

  it("that are collections are not compared, counted or told with a hash, but may be replaced and end elsewhere", async () => {
    const c = client();
    await c.listPushBack(cacheName, "list", "x");
    const refused = [
      await c.setIfEqual(cacheName, "list", "y", "x"),
      await c.setIfAbsentOrHashNotEqual(cacheName, "list", "y", Uint8Array.of(1)),
      await c.increment(cacheName, "list"),
      await c.getWithHash(cacheName, "list"),
    ];
    for (const response of refused) {
      expect(errorOf(response)).toEqual({
        code: FAILED_PRECONDITION_ERROR,
        message: expect.stringContaining("the key holds a list, and this call is for a scalar"),
      });
    }
    expect(await c.setIfAbsent(cacheName, "list", "y")).toBeInstanceOf(CacheSetIfAbsent.NotStored);
    expect(await c.updateTtl(cacheName, "list", 5000)).toBeInstanceOf(CacheUpdateTtl.Set);
    expect(await remainingMs("list")).toBeLessThanOrEqual(5000);
    expect(await c.setIfPresent(cacheName, "list", "y")).toBeInstanceOf(CacheSetIfPresent.Stored);
    expect(await textOf("list")).toBe("y");
  });

  it("are set and got in batches, in the order asked, each with its own outcome", async () => {
    const c = client();
    const items = Array.from({ length: 1000 }, (_, n) => [`batch ${n}`, `value ${n}`] as const);
    const set = await c.setBatch(cacheName, new Map(items));
    if (!(set instanceof CacheSetBatch.Success)) throw new Error(set.toString());
    expect(set.results().filter((result) => result instanceof CacheSet.Success)).toHaveLength(1000);
    await c.listPushBack(cacheName, "batch list", "x");
    const keys = ["none", ...items.map(([key]) => key).reverse(), "batch list", "batch 0"];
    const got = await c.getBatch(cacheName, keys);
    if (!(got instanceof CacheGetBatch.Success)) throw new Error(got.toString());
    const [none, ...others] = got.results();
    expect(none).toBeInstanceOf(CacheGet.Miss);
    expect(others.slice(0, 1000).map((result) => (result as CacheGet.Hit).valueString())).toEqual(
      items.map(([, value]) => value).reverse(),
    );
    expect(errorOf(others[1000])?.message).toContain("the key holds a list");
    expect((others[1001] as CacheGet.Hit).valueString()).toBe("value 0");
    const empty = (await c.getBatch(cacheName, [])) as CacheGetBatch.Success;
    expect(empty.results()).toEqual([]);
    expect(await c.setBatch(cacheName, new Map())).toBeInstanceOf(CacheSetBatch.Success);
  });

  it("a batch with a wrong item, or with too many, is refused before anything is stored", async () => {
    const c = client();
    const long = "k".repeat(65_537);
    const refused = [
      [
        await c.setBatch(
          cacheName,
          new Map([
            ["bad a", "x"],
            [long, "x"],
          ]),
        ),
        INVALID_ARGUMENT_ERROR,
        "65537 bytes",
      ],
      [await c.setBatch(cacheName, new Map([["bad a", "x"]]), { ttl: 86_401 }), INVALID_ARGUMENT_ERROR, "ttlMs"],
      [
        await c.setBatch(
          cacheName,
          new Map([
            ["bad a", new Uint8Array(1)],
            ["b", new Uint8Array(5_000_001)],
          ]),
        ),
        LIMIT_EXCEEDED_ERROR,
        "request limit",
      ],
      [await c.getBatch(cacheName, ["k", long]), INVALID_ARGUMENT_ERROR, "65537 bytes"],
      [await c.getBatch(cacheName, Array(10_001).fill("k")), INVALID_ARGUMENT_ERROR, "10001 keys"],
      [
        await c.setBatch(cacheName, new Map(Array.from({ length: 10_001 }, (_, n) => [`bad ${n}`, "x"]))),
        INVALID_ARGUMENT_ERROR,
        "10001 keys",
      ],
    ] as const;
    for (const [response, code, text] of refused) {
      expect(errorOf(response)).toEqual({ code, message: expect.stringContaining(text) });
    }
    for (const key of ["bad a", "bad 1"]) expect(await textOf(key)).toBeUndefined();
  });

  it("have up to 5 MB, also to be compared", async () => {
    const value = new Uint8Array(4_999_000).fill(7);
    const c = client();
    expect(await c.set(cacheName, "large", value)).toBeInstanceOf(CacheSet.Success);
    const got = (await c.get(cacheName, "large")) as CacheGet.Hit;
    expect(Buffer.compare(got.valueUint8Array(), value)).toBe(0);
    const size = await c.set(cacheName, "too large", new Uint8Array(5_300_000));
    expect(errorOf(size)).toEqual({
      code: LIMIT_EXCEEDED_ERROR,
      message: expect.stringContaining("Request size limit exceeded for this account"),
    });
    expect(await c.setIfEqual(cacheName, "large", "small", value)).toBeInstanceOf(CacheSetIfEqual.Stored);
    expect(errorOf(await c.setIfAbsent(cacheName, "new", new Uint8Array(5_000_001)))?.code).toBe(LIMIT_EXCEEDED_ERROR);
  });

  it("need permissions on their keys: all keys of a batch, both kinds where a call tells what was there", async () => {
    const c = client();
    await c.setBatch(
      cacheName,
      new Map([
        ["my 1", "1"],
        ["my 2", "2"],
        ["other", "3"],
      ]),
    );
    using reader = await aClient(DisposableTokenScopes.cacheKeyPrefixReadOnly(cacheName, "my "));
    using writer = await aClient(DisposableTokenScopes.cacheKeyPrefixWriteOnly(cacheName, "my "));
    using one = await aClient(DisposableTokenScopes.cacheKeyReadWrite(cacheName, "my 1"));
    expect(await reader.cache.getBatch(cacheName, ["my 1", "my 2"])).toBeInstanceOf(CacheGetBatch.Success);
    expect(await reader.cache.keysExist(cacheName, ["my 1", "my 9"])).toBeInstanceOf(CacheKeysExist.Success);
    expect(await reader.cache.itemGetTtl(cacheName, "my 1")).toBeInstanceOf(CacheItemGetTtl.Hit);
    expect(await writer.cache.setBatch(cacheName, new Map([["my 3", "x"]]))).toBeInstanceOf(CacheSetBatch.Success);
    expect(await writer.cache.setIfAbsent(cacheName, "my 4", "x")).toBeInstanceOf(CacheSetIfAbsent.Stored);
    expect(await writer.cache.updateTtl(cacheName, "my 4", 5000)).toBeInstanceOf(CacheUpdateTtl.Set);
    expect(await one.cache.increment(cacheName, "my 1")).toBeInstanceOf(CacheIncrement.Success);
    expect(await one.cache.setIfEqual(cacheName, "my 1", "x", "2")).toBeInstanceOf(CacheSetIfEqual.Stored);
    const refused = [
      await reader.cache.getBatch(cacheName, ["my 1", "other", "my 2"]),
      await reader.cache.keysExist(cacheName, ["my 1", "other"]),
      await reader.cache.setBatch(cacheName, new Map([["my 1", "x"]])),
      await reader.cache.setIfAbsent(cacheName, "my 1", "x"),
      await reader.cache.updateTtl(cacheName, "my 1", 5000),
      await reader.cache.increment(cacheName, "my 1"),
      await writer.cache.setBatch(
        cacheName,
        new Map([
          ["my 5", "x"],
          ["other", "x"],
        ]),
      ),
      await writer.cache.getBatch(cacheName, ["my 1"]),
      await writer.cache.getWithHash(cacheName, "my 1"),
      await writer.cache.increment(cacheName, "my 1"),
      await writer.cache.setIfEqual(cacheName, "my 1", "x", "1"),
      await writer.cache.keysExist(cacheName, ["my 1"]),
      await writer.cache.itemGetType(cacheName, "my 1"),
      await one.cache.getBatch(cacheName, ["my 1", "my 2"]),
    ];
    for (const [n, response] of refused.entries()) expect(errorOf(response)?.code, `${n}`).toBe(PERMISSION_ERROR);
    expect([await textOf("my 5"), await textOf("other")]).toEqual([undefined, "3"]);
  });
});

it("calls on a cache that does not exist say so", async () => {
  const c = clients.cache;
  const answers = [
    await c.setIfAbsent("nowhere", "k", "x"),
    await c.setIfEqual("nowhere", "k", "x", "y"),
    await c.setIfPresentAndHashEqual("nowhere", "k", "x", Uint8Array.of(1)),
    await c.getWithHash("nowhere", "k"),
    await c.increment("nowhere", "k"),
    await c.keysExist("nowhere", ["k"]),
    await c.updateTtl("nowhere", "k", 1000),
    await c.itemGetTtl("nowhere", "k"),
    await c.itemGetType("nowhere", "k"),
    await c.getBatch("nowhere", ["k"]),
    await c.getBatch("nowhere", []),
    await c.setBatch("nowhere", new Map([["k", "x"]])),
  ];
  for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
});

it("a batch of many large values comes whole, and the server goes on when a client does not wait for it", async () => {
  const c = clients.cache;
  for (const name of ["disk", "memory"]) {
    await c.set(name, "large", new Uint8Array(5_000_000).fill(7));
    const keys = Array<string>(6).fill("large");
    const whole = await c.getBatch(name, keys);
    if (!(whole instanceof CacheGetBatch.Success)) throw new Error(whole.toString());
    expect(whole.results().map((result) => (result as CacheGet.Hit).valueUint8Array().length)).toEqual(
      Array(6).fill(5_000_000),
    );
    const abort = new AbortController();
    const aborted = c.getBatch(name, keys, { abortSignal: abort.signal });
    setImmediate(() => abort.abort());
    expect(errorOf(await aborted)?.code).toBe(MomentoErrorCode.CANCELLED_ERROR);
    expect(await c.getBatch(name, ["large"])).toBeInstanceOf(CacheGetBatch.Success);
  }
});

it("a client that waits 1 ms gets its timeouts, and the server goes on", async () => {
  // Connected first: else the calls would not leave.
  const hasty = await CacheClient.create({
    configuration: Configurations.Laptop.latest().withClientTimeoutMillis(1),
    credentialProvider: localCredential(server.port),
    defaultTtlSeconds: 60,
  });
  for (const name of ["disk", "memory"]) {
    const value = new Uint8Array(4_000_000);
    const answers = await Promise.all([
      hasty.set(name, "hasty", value),
      hasty.setIfAbsent(name, "hasty", value),
      hasty.setIfEqual(name, "hasty", value, value),
      hasty.getWithHash(name, "large"),
    ]);
    for (const answer of answers) expect(errorOf(answer)?.code, `${answer}`).toBe(MomentoErrorCode.TIMEOUT_ERROR);
    expect(await clients.cache.set(name, "after", "x")).toBeInstanceOf(CacheSet.Success);
    expect(await clients.cache.getBatch(name, ["after"])).toBeInstanceOf(CacheGetBatch.Success);
  }
  hasty.close();
});

describe("what the SDK does not send", () => {
  const { _SetIfNotExistsRequest, _SetIfNotExistsResponse, _SetIfHashRequest, _SetIfHashResponse } =
    theirs.cache_client;
  const { _SetIfRequest, _UpdateTtlRequest, _GetRequest, _GetResponse, _GetBatchRequest } = theirs.cache_client;
  const body = { cache_key: Buffer.from("by hand"), cache_body: Buffer.from("x"), ttl_milliseconds: 5000 };

  it("SetIfNotExists is served, for other SDKs", async () => {
    using session = aSession(server.port);
    const results: string[] = [];
    for (const _ of [1, 2]) {
      const message = new _SetIfNotExistsRequest(body).serialize();
      const call = new GrpcCall(session, "/cache_client.Scs/SetIfNotExists", message, { cache: "memory" });
      await call.ended;
      results.push(_SetIfNotExistsResponse.deserialize(call.messages[0] ?? Buffer.alloc(0)).result);
    }
    expect(results).toEqual(["stored", "not_stored"]);
  });

  it("SetIfHash without a condition on what is there answers the new hash", async () => {
    using session = aSession(server.port);
    const unconditional = new common.Unconditional();
    const message = new _SetIfHashRequest({ ...body, unconditional }).serialize();
    const call = new GrpcCall(session, "/cache_client.Scs/SetIfHash", message, { cache: "memory" });
    await call.ended;
    const { stored } = _SetIfHashResponse.deserialize(call.messages[0] ?? Buffer.alloc(0));
    const found = (await clients.cache.getWithHash("memory", "by hand")) as CacheGetWithHash.Hit;
    expect([...stored.new_hash]).toEqual([...found.hashUint8Array()]);
    expect(stored.new_hash).toHaveLength(16);
  });

  it.each([
    ["SetIf", new _SetIfRequest(body).serialize(), "SetIfRequest: no condition is given"],
    ["SetIfHash", new _SetIfHashRequest(body).serialize(), "SetIfHashRequest: no condition is given"],
    ["UpdateTtl", new _UpdateTtlRequest(body).serialize(), "UpdateTtlRequest: no new TTL is given"],
  ])("%s that leaves out what it is about is refused, and says what is missing", async (method, message, text) => {
    using session = aSession(server.port);
    const end = await new GrpcCall(session, `/cache_client.Scs/${method}`, message, { cache: "memory" }).ended;
    expect(end).toEqual({ status: 3, message: text, err: undefined });
  });

  it.each(["application/grpc-web-text", "application/grpc-web+proto"])(
    "a batch of more than a subscription's answer may have comes whole as %s, and ends with its trailers",
    async (type) => {
      const value = Buffer.alloc(1_000_000, 7);
      await clients.cache.set("memory", "web", value);
      const items = Array.from(
        { length: 9 },
        (_, n) => new _GetRequest({ cache_key: Buffer.from(n < 8 ? "web" : "no") }),
      );
      const request = frame(new _GetBatchRequest({ items }).serialize());
      const isText = type.endsWith("text");
      const response = await fetch(`${server.url}/cache_client.Scs/GetBatch`, {
        method: "POST",
        headers: { "content-type": type, cache: "memory" },
        body: isText ? request.toString("base64") : new Uint8Array(request),
      });
      const answer = Buffer.from(await response.arrayBuffer());
      let rest = isText ? Buffer.concat(base64Chunks(answer.toString("latin1"))) : answer;
      const results: number[] = [];
      for (; rest[0] === 0; rest = rest.subarray(5 + rest.readUInt32BE(1))) {
        const message = _GetResponse.deserialize(rest.subarray(5, 5 + rest.readUInt32BE(1)));
        results.push(message.cache_body.length);
      }
      expect(results).toEqual([...Array(8).fill(1_000_000), 0]);
      expect(rest[0]).toBe(0x80);
      expect(rest.toString("latin1")).toContain("grpc-status:0");
    },
  );
});

/** Each run of frames is padded by itself. */
function base64Chunks(text: string): Buffer[] {
  return (text.match(/[^=]+=*/g) ?? []).map((chunk) => Buffer.from(chunk, "base64"));
}
