// The dictionaries of the unmodified Node SDK against a server of this process, in a `disk` and in a `memory` cache.

import { cache as theirs } from "@gomomento/generated-types";
import {
  CacheDelete,
  CacheDictionaryFetch,
  CacheDictionaryGetField,
  CacheDictionaryGetFields,
  CacheDictionaryIncrement,
  CacheDictionaryLength,
  CacheDictionaryRemoveField,
  CacheDictionaryRemoveFields,
  CacheDictionarySetField,
  CacheDictionarySetFields,
  type CacheGet,
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

describe.each(["disk", "memory"])("dictionaries of the SDK in a %s cache", (cacheName) => {
  const client = () => clients.cache;
  async function valuesOf(name: string) {
    const response = await client().dictionaryFetch(cacheName, name);
    if (response instanceof CacheDictionaryFetch.Hit) return response.valueRecord();
    expect(response, response.toString()).toBeInstanceOf(CacheDictionaryFetch.Miss);
    return undefined;
  }
  /** A call as the SDK has none. Answers the bytes of its message, and its status. */
  async function call(method: string, request: Uint8Array) {
    using session = aSession(server.port);
    const grpc = new GrpcCall(session, `/cache_client.Scs/${method}`, request, { cache: cacheName });
    return { ...(await grpc.ended), message: grpc.messages[0] ?? Buffer.alloc(0) };
  }

  it("are set field by field, by records and by maps, and fetched whole", async () => {
    expect(await client().dictionarySetField(cacheName, "whole", "a", "1")).toBeInstanceOf(
      CacheDictionarySetField.Success,
    );
    expect(await client().dictionarySetFields(cacheName, "whole", { b: "2", c: "3" })).toBeInstanceOf(
      CacheDictionarySetFields.Success,
    );
    await client().dictionarySetFields(cacheName, "whole", new Map([["a", "4"]]));
    expect(await valuesOf("whole")).toEqual({ a: "4", b: "2", c: "3" });
    const length = (await client().dictionaryLength(cacheName, "whole")) as CacheDictionaryLength.Hit;
    expect(length.length()).toBe(3);
    expect(await valuesOf("none")).toBeUndefined();
    expect(await client().dictionaryLength(cacheName, "none")).toBeInstanceOf(CacheDictionaryLength.Miss);
  });

  it("answer one field, or several in their order with misses between them", async () => {
    await client().dictionarySetFields(cacheName, "some", { a: "1", b: "", c: "3" });
    const field = (await client().dictionaryGetField(cacheName, "some", "a")) as CacheDictionaryGetField.Hit;
    expect(field.valueString()).toBe("1");
    expect(await client().dictionaryGetField(cacheName, "some", "x")).toBeInstanceOf(CacheDictionaryGetField.Miss);
    expect(await client().dictionaryGetField(cacheName, "none", "a")).toBeInstanceOf(CacheDictionaryGetField.Miss);
    const names = ["c", "x", "b", "a", "c"];
    const some = (await client().dictionaryGetFields(cacheName, "some", names)) as CacheDictionaryGetFields.Hit;
    expect(some.responses.map((part) => part.constructor === CacheDictionaryGetField.Hit)).toEqual([
      true,
      false,
      true,
      true,
      true,
    ]);
    const values = some.responses.flatMap((part) =>
      part instanceof CacheDictionaryGetField.Hit ? [part.valueString()] : [],
    );
    expect(values).toEqual(["3", "", "1", "3"]);
    expect(some.valueRecord()).toEqual({ a: "1", b: "", c: "3" });
    const unknown = await client().dictionaryGetFields(cacheName, "some", ["x", "y"]);
    expect(unknown).toBeInstanceOf(CacheDictionaryGetFields.Hit);
    expect(await client().dictionaryGetFields(cacheName, "none", names)).toBeInstanceOf(CacheDictionaryGetFields.Miss);
  });

  it("keep fields and values that are bytes, and empty ones", async () => {
    const [field, value, empty] = [Uint8Array.of(0, 255), Uint8Array.of(254, 0), new Uint8Array(0)];
    const entries = new Map([
      [field, value],
      [empty, empty],
    ]);
    const set = await client().dictionarySetFields(cacheName, "bytes", entries);
    expect(errorOf(set), set.toString()).toBeUndefined();
    const asked = [empty, Uint8Array.of(0), field];
    const got = (await client().dictionaryGetFields(cacheName, "bytes", asked)) as CacheDictionaryGetFields.Hit;
    const bytes = got.responses.map((part) =>
      part instanceof CacheDictionaryGetField.Hit ? [...part.valueUint8Array()] : undefined,
    );
    expect(bytes).toEqual([[], undefined, [254, 0]]);
  });

  it("count up and down from nothing, and refuse what is no whole number", async () => {
    const increment = async (field: string, amount?: number) => {
      const response = await client().dictionaryIncrement(cacheName, "counts", field, amount);
      return response instanceof CacheDictionaryIncrement.Success ? response.value() : errorOf(response)?.code;
    };
    expect(await increment("n")).toBe(1);
    expect(await increment("n", 41)).toBe(42);
    expect(await increment("n", -42)).toBe(0);
    expect(await increment("n", -7)).toBe(-7);
    await client().dictionarySetFields(cacheName, "counts", { set: "10", text: "ten", most: "9223372036854775807" });
    expect(await increment("set", 5)).toBe(15);
    const { FAILED_PRECONDITION_ERROR } = MomentoErrorCode;
    expect(await increment("text")).toBe(FAILED_PRECONDITION_ERROR);
    expect(await increment("most")).toBe(FAILED_PRECONDITION_ERROR);
    expect(await valuesOf("counts")).toEqual({ n: "-7", set: "15", text: "ten", most: "9223372036854775807" });
  });

  it("count what many add at the same time", async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => client().dictionaryIncrement(cacheName, "hits", "n")),
    );
    expect(new Set(answers.map((answer) => (answer as CacheDictionaryIncrement.Success).value())).size).toBe(100);
    expect(await valuesOf("hits")).toEqual({ n: "100" });
  });

  it("lose one field, several, and go with the last", async () => {
    await client().dictionarySetFields(cacheName, "less", { a: "1", b: "2", c: "3", d: "4" });
    const { Success } = CacheDictionaryRemoveField;
    expect(await client().dictionaryRemoveField(cacheName, "less", "a")).toBeInstanceOf(Success);
    expect(await client().dictionaryRemoveField(cacheName, "less", "a")).toBeInstanceOf(Success);
    expect(await client().dictionaryRemoveField(cacheName, "none", "a")).toBeInstanceOf(Success);
    expect(await client().dictionaryRemoveFields(cacheName, "less", ["b", "x"])).toBeInstanceOf(
      CacheDictionaryRemoveFields.Success,
    );
    expect(await valuesOf("less")).toEqual({ c: "3", d: "4" });
    await client().dictionaryRemoveFields(cacheName, "less", ["c", "d"]);
    expect(await valuesOf("less")).toBeUndefined();
    await client().dictionarySetField(cacheName, "less", "again", "1");
    expect(await client().delete(cacheName, "less")).toBeInstanceOf(CacheDelete.Success);
    expect(await valuesOf("less")).toBeUndefined();
  });

  it("lose everything by the call that the SDK has no name for, and only dictionaries do", async () => {
    const { _DictionaryDeleteRequest } = theirs.cache_client;
    const all = (name: string) =>
      new _DictionaryDeleteRequest({
        dictionary_name: Buffer.from(name),
        all: new _DictionaryDeleteRequest.All(),
      }).serialize();
    await client().dictionarySetFields(cacheName, "all", { a: "1", b: "2" });
    expect((await call("DictionaryDelete", all("all"))).status).toBe(0);
    expect(await valuesOf("all")).toBeUndefined();
    expect((await call("DictionaryDelete", all("all"))).status).toBe(0);
    await client().set(cacheName, "all", "scalar");
    const failedPrecondition = 9;
    expect((await call("DictionaryDelete", all("all"))).status).toBe(failedPrecondition);
    expect(((await client().get(cacheName, "all")) as CacheGet.Hit).valueString()).toBe("scalar");
    const neither = new _DictionaryDeleteRequest({ dictionary_name: Buffer.from("all") }).serialize();
    const invalidArgument = 3;
    expect((await call("DictionaryDelete", neither)).status).toBe(invalidArgument);
  });

  it("share their keys with items: another type is a failed precondition, set and delete take everything", async () => {
    await client().set(cacheName, "scalar", "x");
    const answers = [
      await client().dictionarySetField(cacheName, "scalar", "a", "1"),
      await client().dictionaryGetField(cacheName, "scalar", "a"),
      await client().dictionaryGetFields(cacheName, "scalar", ["a"]),
      await client().dictionaryFetch(cacheName, "scalar"),
      await client().dictionaryIncrement(cacheName, "scalar", "a"),
      await client().dictionaryRemoveField(cacheName, "scalar", "a"),
      await client().dictionaryLength(cacheName, "scalar"),
    ];
    for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.FAILED_PRECONDITION_ERROR);
    await client().dictionarySetField(cacheName, "dictionary", "a", "1");
    expect(errorOf(await client().get(cacheName, "dictionary"))).toEqual({
      code: MomentoErrorCode.FAILED_PRECONDITION_ERROR,
      message: expect.stringContaining("the key holds a dictionary, and this call is for a scalar"),
    });
    expect(await client().set(cacheName, "dictionary", "now a scalar")).toBeInstanceOf(CacheSet.Success);
    expect(((await client().get(cacheName, "dictionary")) as CacheGet.Hit).valueString()).toBe("now a scalar");
  });

  it("end by their first TTL unless a call refreshes it", async () => {
    const names = ["set", "counted", "refreshed by set", "refreshed by count"];
    for (const name of names) {
      await client().dictionarySetField(cacheName, name, "n", "1", {
        ttl: CollectionTtl.of(1).withNoRefreshTtlOnUpdates(),
      });
    }
    const kept = { ttl: new CollectionTtl(60, false) };
    await client().dictionarySetField(cacheName, "set", "m", "2", kept);
    await client().dictionaryIncrement(cacheName, "counted", "n", 1, kept);
    await client().dictionarySetFields(cacheName, "refreshed by set", { m: "2" }, { ttl: CollectionTtl.of(60) });
    await client().dictionaryIncrement(cacheName, "refreshed by count", "n", 1, { ttl: CollectionTtl.of(60) });
    for (const name of ["set", "counted"]) {
      await expect.poll(() => valuesOf(name), { timeout: 5000 }).toBeUndefined();
    }
    expect(await valuesOf("refreshed by set")).toEqual({ n: "1", m: "2" });
    expect(await valuesOf("refreshed by count")).toEqual({ n: "2" });
  });

  it("take fields and values of 128 KiB and no larger ones, and 10 MB in all", async () => {
    const { LIMIT_EXCEEDED_ERROR } = MomentoErrorCode;
    const element = "x".repeat(131_072);
    expect(errorOf(await client().dictionarySetField(cacheName, "large", element, element))).toBeUndefined();
    expect(errorOf(await client().dictionarySetField(cacheName, "large", "f", `${element}x`))).toEqual({
      code: LIMIT_EXCEEDED_ERROR,
      message: expect.stringContaining("element size: the value has 131073 bytes"),
    });
    expect(errorOf(await client().dictionarySetField(cacheName, "large", `${element}x`, "v"))).toEqual({
      code: LIMIT_EXCEEDED_ERROR,
      message: expect.stringContaining("element size: the field has 131073 bytes"),
    });
    const fields = Array.from({ length: 74 }, (_, n) => `${n}`);
    const most = new Map(fields.map((field) => [field, element]));
    const response = await client().dictionarySetFields(cacheName, "large", most);
    expect(errorOf(response), response.toString()).toBeUndefined();
    expect(errorOf(await client().dictionarySetField(cacheName, "large", "more", element))?.code).toBe(
      LIMIT_EXCEEDED_ERROR,
    );
    const all = (await client().dictionaryFetch(cacheName, "large")) as CacheDictionaryFetch.Hit;
    expect(all.valueMapStringUint8Array().size).toBe(75);
    const twice = await client().dictionaryGetFields(cacheName, "large", [...fields, ...fields]);
    expect(errorOf(twice)?.code).toBe(LIMIT_EXCEEDED_ERROR);
    await client().delete(cacheName, "large");
  });

  it("take a hundred thousand fields in a call, and no more", async () => {
    const { _DictionarySetRequest, _DictionaryFieldValuePair } = theirs.cache_client;
    const [name, value] = [Buffer.from("many"), Buffer.from("v")];
    const items = Array.from(
      { length: 100_000 },
      (_, n) => new _DictionaryFieldValuePair({ field: Buffer.from(`${n}`), value }),
    );
    const most = new _DictionarySetRequest({ dictionary_name: name, items, ttl_milliseconds: 60_000 }).serialize();
    const { status, message } = await call("DictionarySet", most);
    expect([status, message]).toEqual([0, Buffer.alloc(0)]);
    expect(((await client().dictionaryLength(cacheName, "many")) as CacheDictionaryLength.Hit).length()).toBe(100_000);
    // Messages that follow each other are one.
    const oneMore = new _DictionarySetRequest({ items: items.slice(0, 1) }).serialize();
    const invalidArgument = 3;
    expect((await call("DictionarySet", Buffer.concat([most, oneMore]))).status).toBe(invalidArgument);
    const all = (await client().dictionaryFetch(cacheName, "many")) as CacheDictionaryFetch.Hit;
    expect(all.valueMapStringString().size).toBe(100_000);
    await client().delete(cacheName, "many");
  });

  it("need a permission on their key: read to get, write to set, both to increment", async () => {
    const aClient = async (scope: Parameters<typeof clients.auth.generateDisposableToken>[0]) => {
      const token = await clients.auth.generateDisposableToken(scope, ExpiresIn.seconds(60));
      if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
      return momentoClients(keyCredential(token.authToken, server.port));
    };
    await client().dictionarySetField(cacheName, "mine", "a", "1");
    using reader = await aClient(DisposableTokenScopes.cacheKeyReadOnly(cacheName, "mine"));
    using writer = await aClient(DisposableTokenScopes.cacheKeyWriteOnly(cacheName, "mine"));
    using both = await aClient(DisposableTokenScopes.cacheKeyReadWrite(cacheName, "mine"));
    expect(await reader.cache.dictionaryFetch(cacheName, "mine")).toBeInstanceOf(CacheDictionaryFetch.Hit);
    expect(await reader.cache.dictionaryGetField(cacheName, "mine", "a")).toBeInstanceOf(CacheDictionaryGetField.Hit);
    expect(await reader.cache.dictionaryLength(cacheName, "mine")).toBeInstanceOf(CacheDictionaryLength.Hit);
    expect(errorOf(await writer.cache.dictionarySetField(cacheName, "mine", "b", "2"))).toBeUndefined();
    expect(errorOf(await writer.cache.dictionaryRemoveField(cacheName, "mine", "b"))).toBeUndefined();
    const refused = [
      await reader.cache.dictionarySetField(cacheName, "mine", "x", "1"),
      await reader.cache.dictionaryRemoveFields(cacheName, "mine", ["a"]),
      await reader.cache.dictionaryIncrement(cacheName, "mine", "a"),
      await writer.cache.dictionaryFetch(cacheName, "mine"),
      await writer.cache.dictionaryGetFields(cacheName, "mine", ["a"]),
      await writer.cache.dictionaryLength(cacheName, "mine"),
      await writer.cache.dictionaryIncrement(cacheName, "mine", "a"),
      await both.cache.dictionaryFetch(cacheName, "other"),
    ];
    for (const response of refused) expect(errorOf(response)?.code).toBe(MomentoErrorCode.PERMISSION_ERROR);
    expect(await both.cache.dictionaryIncrement(cacheName, "mine", "a")).toBeInstanceOf(
      CacheDictionaryIncrement.Success,
    );
    expect(await valuesOf("mine")).toEqual({ a: "2" });
  });

  it("are in no cache that does not exist", async () => {
    const answers = [
      await client().dictionarySetField("nowhere", "d", "a", "1"),
      await client().dictionarySetFields("nowhere", "d", { a: "1" }),
      await client().dictionaryGetField("nowhere", "d", "a"),
      await client().dictionaryGetFields("nowhere", "d", ["a"]),
      await client().dictionaryFetch("nowhere", "d"),
      await client().dictionaryIncrement("nowhere", "d", "a"),
      await client().dictionaryRemoveField("nowhere", "d", "a"),
      await client().dictionaryRemoveFields("nowhere", "d", ["a"]),
      await client().dictionaryLength("nowhere", "d"),
    ];
    for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });
});
