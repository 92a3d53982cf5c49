// The sets of the unmodified Node SDK against a server of this process, in a `disk` and in a `memory` cache.

import { cache as theirs } from "@gomomento/generated-types";
import {
  CacheDelete,
  type CacheGet,
  CacheSet,
  CacheSetAddElement,
  CacheSetAddElements,
  CacheSetContainsElement,
  CacheSetContainsElements,
  CacheSetFetch,
  CacheSetRemoveElement,
  CacheSetRemoveElements,
  CacheSetSample,
  CollectionTtl,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  MomentoErrorCode,
} from "@gomomento/sdk";
import { CacheSetLength, CacheSetPop } from "@gomomento/sdk-core";
import { afterAll, describe, expect, it } from "vitest";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { keyCredential, momentoClients } from "../support/momento-node.ts";
import { aMomentoServer, errorOf } from "../support/momento-server.ts";

const { server, clients, close } = await aMomentoServer();
afterAll(close);

describe.each(["disk", "memory"])("sets of the SDK in a %s cache", (cacheName) => {
  const client = () => clients.cache;
  async function elementsOf(set: string) {
    const response = await client().setFetch(cacheName, set);
    if (response instanceof CacheSetFetch.Hit) return response.valueArrayString().toSorted();
    expect(response, response.toString()).toBeInstanceOf(CacheSetFetch.Miss);
    return undefined;
  }

  it("hold each element once, as bytes and as text, and are gone when empty", async () => {
    expect(await client().setAddElement(cacheName, "s", "b")).toBeInstanceOf(CacheSetAddElement.Success);
    expect(await client().setAddElements(cacheName, "s", ["a", "b", "c"])).toBeInstanceOf(CacheSetAddElements.Success);
    expect(await elementsOf("s")).toEqual(["a", "b", "c"]);
    expect(((await client().setLength(cacheName, "s")) as CacheSetLength.Hit).length()).toBe(3);
    expect(await client().setRemoveElement(cacheName, "s", "b")).toBeInstanceOf(CacheSetRemoveElement.Success);
    expect(await client().setRemoveElements(cacheName, "s", ["b", "x"])).toBeInstanceOf(CacheSetRemoveElements.Success);
    expect(await elementsOf("s")).toEqual(["a", "c"]);
    await client().setRemoveElements(cacheName, "s", ["a", "c"]);
    expect(await elementsOf("s")).toBeUndefined();
    expect(await client().setLength(cacheName, "s")).toBeInstanceOf(CacheSetLength.Miss);
    expect(await client().setRemoveElement(cacheName, "s", "b")).toBeInstanceOf(CacheSetRemoveElement.Success);
    await client().setAddElements(cacheName, "bytes", [Uint8Array.of(0, 255), new Uint8Array(0)]);
    const bytes = (await client().setFetch(cacheName, "bytes")) as CacheSetFetch.Hit;
    expect(bytes.valueArrayUint8Array().map((value) => [...value])).toEqual(expect.arrayContaining([[0, 255], []]));
    expect(await client().delete(cacheName, "bytes")).toBeInstanceOf(CacheDelete.Success);
    expect(await elementsOf("bytes")).toBeUndefined();
  });

  it("say which elements they contain", async () => {
    await client().setAddElements(cacheName, "contains", ["a", "b"]);
    const one = async (element: string) => await client().setContainsElement(cacheName, "contains", element);
    expect(((await one("a")) as CacheSetContainsElement.Hit).containsElement()).toBe(true);
    expect(((await one("x")) as CacheSetContainsElement.Hit).containsElement()).toBe(false);
    const several = await client().setContainsElements(cacheName, "contains", ["x", "b", "a"]);
    const answers = (several as CacheSetContainsElements.Hit).containsElements();
    expect(answers).toEqual({ x: false, b: true, a: true });
    expect(await client().setContainsElement(cacheName, "none", "a")).toBeInstanceOf(CacheSetContainsElement.Miss);
    const missing = await client().setContainsElements(cacheName, "none", ["a"]);
    expect(missing).toBeInstanceOf(CacheSetContainsElements.Miss);
  });

  it("give samples, which stay, and pops, which go", async () => {
    const all = ["a", "b", "c", "d", "e"];
    await client().setAddElements(cacheName, "random", all);
    const sample = async (limit: number) =>
      ((await client().setSample(cacheName, "random", limit)) as CacheSetSample.Hit).valueArrayString();
    expect(await sample(0)).toEqual([]);
    expect(new Set(await sample(3)).size).toBe(3);
    expect((await sample(9)).toSorted()).toEqual(all);
    const popped = (await client().setPop(cacheName, "random", 2)) as CacheSetPop.Hit;
    const left = (await elementsOf("random")) ?? [];
    expect([popped.valueArrayString(), left].map(({ length }) => length)).toEqual([2, 3]);
    expect([...popped.valueArrayString(), ...left].toSorted()).toEqual(all);
    const rest = (await client().setPop(cacheName, "random", 4_000_000_000)) as CacheSetPop.Hit;
    expect(rest.valueArrayString().toSorted()).toEqual(left);
    expect(await client().setPop(cacheName, "random", 1)).toBeInstanceOf(CacheSetPop.Miss);
    expect(await client().setSample(cacheName, "random", 1)).toBeInstanceOf(CacheSetSample.Miss);
  });

  it("are subtracted from others and from themselves, by calls that the SDK has no names for", async () => {
    await client().setAddElements(cacheName, "difference", ["a", "b"]);
    using session = aSession(server.port);
    const { _SetDifferenceRequest, _SetDifferenceResponse, _SetPopRequest } = theirs.cache_client;
    const call = async (method: string, request: Uint8Array) => {
      const call = new GrpcCall(session, `/cache_client.Scs/${method}`, request, { cache: cacheName });
      const { status } = await call.ended;
      return { status, message: call.messages[0] ?? Buffer.alloc(0) };
    };
    const difference = async (what: object) => {
      const request = new _SetDifferenceRequest({ set_name: Buffer.from("difference"), ...what }).serialize();
      const { status, message } = await call("SetDifference", request);
      return status === 0 ? _SetDifferenceResponse.deserialize(message).set : status;
    };
    const { _Minuend, _Subtrahend } = _SetDifferenceRequest;
    const minuend = new _Minuend({ elements: ["b", "x", "y"].map((element) => Buffer.from(element)) });
    expect(await difference({ minuend })).toBe("found");
    expect(await elementsOf("difference")).toEqual(["x", "y"]);
    const identity = new _Subtrahend({ identity: new _Subtrahend._Identity() });
    expect(await difference({ subtrahend: identity })).toBe("found");
    expect(await elementsOf("difference")).toBeUndefined();
    expect(await difference({ subtrahend: identity })).toBe("missing");
    expect(await difference({ minuend })).toBe("missing");
    const invalidArgument = 3;
    expect(await difference({})).toBe(invalidArgument);
    expect(await difference({ subtrahend: new _Subtrahend() })).toBe(invalidArgument);
    const noCount = await call("SetPop", new _SetPopRequest({ set_name: Buffer.from("difference") }).serialize());
    expect(noCount.status).toBe(invalidArgument);
  });

  it("share their keys with items: another type is a failed precondition, set and delete take everything", async () => {
    await client().set(cacheName, "scalar", "x");
    await client().setAddElement(cacheName, "set", "x");
    const wrong = [
      await client().setAddElement(cacheName, "scalar", "y"),
      await client().setRemoveElement(cacheName, "scalar", "y"),
      await client().setFetch(cacheName, "scalar"),
      await client().setSample(cacheName, "scalar", 1),
      await client().setPop(cacheName, "scalar", 1),
      await client().setContainsElement(cacheName, "scalar", "x"),
      await client().setLength(cacheName, "scalar"),
      await client().listPushBack(cacheName, "set", "y"),
    ];
    for (const answer of wrong) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.FAILED_PRECONDITION_ERROR);
    expect(errorOf(await client().get(cacheName, "set"))).toEqual({
      code: MomentoErrorCode.FAILED_PRECONDITION_ERROR,
      message: expect.stringContaining("the key holds a set, and this call is for a scalar"),
    });
    expect(await client().set(cacheName, "set", "now a scalar")).toBeInstanceOf(CacheSet.Success);
    expect(((await client().get(cacheName, "set")) as CacheGet.Hit).valueString()).toBe("now a scalar");
  });

  it("end by their first TTL unless a call refreshes it", async () => {
    for (const name of ["short", "refreshed"]) {
      await client().setAddElement(cacheName, name, "a", { ttl: CollectionTtl.of(1) });
    }
    await client().setAddElement(cacheName, "short", "b", { ttl: new CollectionTtl(60, false) });
    await client().setAddElement(cacheName, "refreshed", "b", { ttl: CollectionTtl.of(60) });
    await expect.poll(() => elementsOf("short"), { timeout: 5000 }).toBeUndefined();
    expect(await elementsOf("refreshed")).toEqual(["a", "b"]);
  });

  it("take elements of 128 KiB and no larger ones, and so many of them", async () => {
    const element = (n: number) => `${n}`.padStart(131_072, "x");
    expect(errorOf(await client().setAddElement(cacheName, "large", `x${element(0)}`))).toEqual({
      code: MomentoErrorCode.LIMIT_EXCEEDED_ERROR,
      message: expect.stringContaining("element size: the element has 131073 bytes"),
    });
    const all = Array.from({ length: 76 }, (_, n) => element(n));
    const most = await client().setAddElements(cacheName, "large", all);
    expect(errorOf(most), most.toString()).toBeUndefined();
    expect(await elementsOf("large")).toEqual(all.toSorted());
    expect(errorOf(await client().setAddElement(cacheName, "large", element(76)))?.code).toBe(
      MomentoErrorCode.LIMIT_EXCEEDED_ERROR,
    );
    expect(errorOf(await client().setAddElement(cacheName, "large", element(75)))).toBeUndefined();
  });

  it("need a permission on their key: read to fetch, write to add, both to pop", async () => {
    const aClient = async (scope: Parameters<typeof clients.auth.generateDisposableToken>[0]) => {
      const token = await clients.auth.generateDisposableToken(scope, ExpiresIn.seconds(60));
      if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
      return momentoClients(keyCredential(token.authToken, server.port));
    };
    await client().setAddElement(cacheName, "mine", "a");
    using reader = await aClient(DisposableTokenScopes.cacheKeyReadOnly(cacheName, "mine"));
    using writer = await aClient(DisposableTokenScopes.cacheKeyWriteOnly(cacheName, "mine"));
    using both = await aClient(DisposableTokenScopes.cacheKeyReadWrite(cacheName, "mine"));
    expect(await reader.cache.setFetch(cacheName, "mine")).toBeInstanceOf(CacheSetFetch.Hit);
    expect(await reader.cache.setSample(cacheName, "mine", 1)).toBeInstanceOf(CacheSetSample.Hit);
    expect(errorOf(await writer.cache.setAddElement(cacheName, "mine", "b"))).toBeUndefined();
    const refused = [
      await reader.cache.setAddElement(cacheName, "mine", "x"),
      await reader.cache.setRemoveElement(cacheName, "mine", "a"),
      await reader.cache.setPop(cacheName, "mine", 1),
      await writer.cache.setPop(cacheName, "mine", 1),
      await writer.cache.setFetch(cacheName, "mine"),
      await writer.cache.setSample(cacheName, "mine", 1),
      await writer.cache.setLength(cacheName, "mine"),
      await writer.cache.setContainsElement(cacheName, "mine", "a"),
      await both.cache.setFetch(cacheName, "other"),
    ];
    for (const response of refused) expect(errorOf(response)?.code).toBe(MomentoErrorCode.PERMISSION_ERROR);
    expect(await both.cache.setPop(cacheName, "mine", 1)).toBeInstanceOf(CacheSetPop.Hit);
    expect(await elementsOf("mine")).toHaveLength(1);
  });

  it("are in no cache that does not exist", async () => {
    const answers = [
      await client().setAddElement("nowhere", "s", "x"),
      await client().setRemoveElement("nowhere", "s", "x"),
      await client().setFetch("nowhere", "s"),
      await client().setSample("nowhere", "s", 1),
      await client().setPop("nowhere", "s", 1),
      await client().setContainsElements("nowhere", "s", ["x"]),
      await client().setLength("nowhere", "s"),
    ];
    for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });
});
