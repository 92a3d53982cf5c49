// The lists of the unmodified Node SDK against a server of this process, in a `disk` and in a `memory` cache.

import { cache as theirs } from "@gomomento/generated-types";
import { common } from "@gomomento/generated-types/dist/common.js";
import {
  CacheDelete,
  type CacheGet,
  CacheListFetch,
  CacheListLength,
  CacheListPopBack,
  CacheListPopFront,
  CacheListRemoveValue,
  CacheListRetain,
  CacheSet,
  CollectionTtl,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  MomentoErrorCode,
} from "@gomomento/sdk";
import { afterAll, describe, expect, it } from "vitest";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { keyCredential, momentoClients } from "../support/momento-node.ts";
import { aMomentoServer, errorOf } from "../support/momento-server.ts";

const { server, clients, close } = await aMomentoServer();
afterAll(close);

describe.each(["disk", "memory"])("lists of the SDK in a %s cache", (cacheName) => {
  const client = () => clients.cache;
  async function valuesOf(list: string, slice?: { startIndex?: number; endIndex?: number }) {
    const response = await client().listFetch(cacheName, list, slice);
    if (response instanceof CacheListFetch.Hit) return response.valueListString();
    expect(response, response.toString()).toBeInstanceOf(CacheListFetch.Miss);
    return undefined;
  }

  it("grow at both ends, in the order given, and are cut at the other end", async () => {
    expect(await client().listPushBack(cacheName, "grow", "c")).toMatchObject({ _listLength: 1 });
    await client().listPushFront(cacheName, "grow", "b");
    await client().listConcatenateFront(cacheName, "grow", ["1", "a"]);
    await client().listConcatenateBack(cacheName, "grow", ["d", "e"]);
    expect(await valuesOf("grow")).toEqual(["1", "a", "b", "c", "d", "e"]);
    await client().listPushBack(cacheName, "grow", "f", { truncateFrontToSize: 6 });
    await client().listPushFront(cacheName, "grow", "0", { truncateBackToSize: 3 });
    expect(await valuesOf("grow")).toEqual(["0", "a", "b"]);
    await client().listConcatenateBack(cacheName, "grow", ["x", "y"], { truncateFrontToSize: 3 });
    await client().listConcatenateFront(cacheName, "grow", ["v", "w"], { truncateBackToSize: 4 });
    expect(await valuesOf("grow")).toEqual(["v", "w", "b", "x"]);
  });

  it("are fetched whole or in slices, as bytes and as text", async () => {
    await client().listConcatenateBack(cacheName, "slices", ["a", "b", "c", "d"]);
    expect(await valuesOf("slices", { startIndex: 1, endIndex: 3 })).toEqual(["b", "c"]);
    expect(await valuesOf("slices", { startIndex: -2 })).toEqual(["c", "d"]);
    expect(await valuesOf("slices", { endIndex: -3 })).toEqual(["a"]);
    expect(await valuesOf("slices", { startIndex: 9 })).toEqual([]);
    await client().listConcatenateBack(cacheName, "bytes", [Uint8Array.of(0, 255), new Uint8Array(0)]);
    const bytes = (await client().listFetch(cacheName, "bytes")) as CacheListFetch.Hit;
    expect(bytes.valueListUint8Array().map((value) => [...value])).toEqual([[0, 255], []]);
    expect(await valuesOf("none")).toBeUndefined();
  });

  it("are popped, told by length, and gone when empty", async () => {
    await client().listConcatenateBack(cacheName, "pops", ["a", "b", "c"]);
    const front = (await client().listPopFront(cacheName, "pops")) as CacheListPopFront.Hit;
    const back = (await client().listPopBack(cacheName, "pops")) as CacheListPopBack.Hit;
    expect([front.valueString(), back.valueString()]).toEqual(["a", "c"]);
    expect(((await client().listLength(cacheName, "pops")) as CacheListLength.Hit).length()).toBe(1);
    await client().listPopBack(cacheName, "pops");
    expect(await client().listPopBack(cacheName, "pops")).toBeInstanceOf(CacheListPopBack.Miss);
    expect(await client().listPopFront(cacheName, "pops")).toBeInstanceOf(CacheListPopFront.Miss);
    expect(await client().listLength(cacheName, "pops")).toBeInstanceOf(CacheListLength.Miss);
  });

  it("lose a value, all but a slice, or everything", async () => {
    await client().listConcatenateBack(cacheName, "less", ["x", "a", "x", "b", "c", "x"]);
    expect(await client().listRemoveValue(cacheName, "less", "x")).toBeInstanceOf(CacheListRemoveValue.Success);
    expect(await valuesOf("less", { startIndex: 1 })).toEqual(["b", "c"]);
    const slice = { startIndex: 1, endIndex: 2 };
    expect(await client().listRetain(cacheName, "less", slice)).toBeInstanceOf(CacheListRetain.Success);
    expect(await valuesOf("less")).toEqual(["b"]);
    await client().listRetain(cacheName, "less", { startIndex: 5 });
    expect(await valuesOf("less")).toBeUndefined();
    expect(await client().listRetain(cacheName, "less", slice)).toBeInstanceOf(CacheListRetain.Success);
    expect(await client().listRemoveValue(cacheName, "less", "x")).toBeInstanceOf(CacheListRemoveValue.Success);
    await client().listPushBack(cacheName, "less", "again");
    expect(await client().delete(cacheName, "less")).toBeInstanceOf(CacheDelete.Success);
    expect(await valuesOf("less")).toBeUndefined();
  });

  it("lose ranges, by the call that the SDK has no name for", async () => {
    await client().listConcatenateBack(cacheName, "erase", ["a", "b", "c", "d", "e"]);
    using session = aSession(server.port);
    const { _ListEraseRequest, _ListRange, _ListEraseResponse } = theirs.cache_client;
    const erase = async (what: object) => {
      const request = new _ListEraseRequest({ list_name: Buffer.from("erase"), ...what }).serialize();
      const call = new GrpcCall(session, "/cache_client.Scs/ListErase", request, { cache: cacheName });
      await call.ended;
      return _ListEraseResponse.deserialize(call.messages[0] ?? Buffer.alloc(0));
    };
    const ranges = [
      new _ListRange({ begin_index: 3, count: 1 }),
      new _ListRange({ begin_index: 0, count: 2 }),
      new _ListRange({ begin_index: 4_000_000_000, count: 4_000_000_000 }),
    ];
    const some = new _ListEraseRequest._ListRanges({ ranges });
    expect((await erase({ some })).found.list_length).toBe(2);
    expect(await valuesOf("erase")).toEqual(["c", "e"]);
    const all = new common._Empty();
    expect((await erase({ all })).found.list_length).toBe(0);
    expect((await erase({ all })).list).toBe("missing");
  });

  it("share their keys with items: another type is a failed precondition, set and delete take everything", async () => {
    await client().set(cacheName, "scalar", "x");
    await client().listPushBack(cacheName, "list", "x");
    const { FAILED_PRECONDITION_ERROR } = MomentoErrorCode;
    expect(errorOf(await client().listPushBack(cacheName, "scalar", "y"))?.code).toBe(FAILED_PRECONDITION_ERROR);
    expect(errorOf(await client().listFetch(cacheName, "scalar"))?.code).toBe(FAILED_PRECONDITION_ERROR);
    expect(errorOf(await client().get(cacheName, "list"))).toEqual({
      code: FAILED_PRECONDITION_ERROR,
      message: expect.stringContaining("the key holds a list, and this call is for a scalar"),
    });
    expect(await client().set(cacheName, "list", "now a scalar")).toBeInstanceOf(CacheSet.Success);
    expect(((await client().get(cacheName, "list")) as CacheGet.Hit).valueString()).toBe("now a scalar");
  });

  it("end by their first TTL unless a call refreshes it", async () => {
    const kept = new CollectionTtl(60, false);
    for (const name of ["short", "refreshed"])
      await client().listPushBack(cacheName, name, "a", { ttl: CollectionTtl.of(1) });
    await client().listPushBack(cacheName, "short", "b", { ttl: kept });
    await client().listPushBack(cacheName, "refreshed", "b", { ttl: CollectionTtl.of(60) });
    await expect.poll(() => valuesOf("short"), { timeout: 5000 }).toBeUndefined();
    expect(await valuesOf("refreshed")).toEqual(["a", "b"]);
  });

  it("take elements of 128 KiB and no larger ones", async () => {
    const element = "x".repeat(131_072);
    expect(errorOf(await client().listPushBack(cacheName, "large", element))).toBeUndefined();
    expect(errorOf(await client().listPushBack(cacheName, "large", `${element}x`))).toEqual({
      code: MomentoErrorCode.LIMIT_EXCEEDED_ERROR,
      message: expect.stringContaining("element size: the value has 131073 bytes"),
    });
    const most = await client().listConcatenateBack(
      cacheName,
      "large",
      Array.from({ length: 75 }, () => element),
    );
    expect(errorOf(most), most.toString()).toBeUndefined();
    const values = (await client().listFetch(cacheName, "large")) as CacheListFetch.Hit;
    expect(values.valueListUint8Array()).toHaveLength(76);
    expect(errorOf(await client().listPushFront(cacheName, "large", element))?.code).toBe(
      MomentoErrorCode.LIMIT_EXCEEDED_ERROR,
    );
  });

  it("need a permission on their key: read to fetch, write to push, both to pop", async () => {
    const aClient = async (scope: Parameters<typeof clients.auth.generateDisposableToken>[0]) => {
      const token = await clients.auth.generateDisposableToken(scope, ExpiresIn.seconds(60));
      if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
      return momentoClients(keyCredential(token.authToken, server.port));
    };
    await client().listPushBack(cacheName, "mine", "a");
    using reader = await aClient(DisposableTokenScopes.cacheKeyReadOnly(cacheName, "mine"));
    using writer = await aClient(DisposableTokenScopes.cacheKeyWriteOnly(cacheName, "mine"));
    using both = await aClient(DisposableTokenScopes.cacheKeyReadWrite(cacheName, "mine"));
    expect(await reader.cache.listFetch(cacheName, "mine")).toBeInstanceOf(CacheListFetch.Hit);
    expect(errorOf(await writer.cache.listPushBack(cacheName, "mine", "b"))).toBeUndefined();
    const refused = [
      await reader.cache.listPushBack(cacheName, "mine", "x"),
      await reader.cache.listPopBack(cacheName, "mine"),
      await reader.cache.listRemoveValue(cacheName, "mine", "x"),
      await reader.cache.listRetain(cacheName, "mine"),
      await writer.cache.listFetch(cacheName, "mine"),
      await writer.cache.listLength(cacheName, "mine"),
      await writer.cache.listPopFront(cacheName, "mine"),
      await both.cache.listFetch(cacheName, "other"),
    ];
    for (const response of refused) expect(errorOf(response)?.code).toBe(MomentoErrorCode.PERMISSION_ERROR);
    expect(await both.cache.listPopFront(cacheName, "mine")).toBeInstanceOf(CacheListPopFront.Hit);
    expect(await valuesOf("mine")).toEqual(["b"]);
  });

  it("are in no cache that does not exist", async () => {
    const answers = [
      await client().listPushBack("nowhere", "l", "x"),
      await client().listFetch("nowhere", "l"),
      await client().listPopFront("nowhere", "l"),
      await client().listLength("nowhere", "l"),
    ];
    for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });
});
