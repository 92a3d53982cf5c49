// The sorted sets of the unmodified Node SDK against a server of this process, in a `disk` and in a `memory` cache.

import { cache as theirs } from "@gomomento/generated-types";
import { common } from "@gomomento/generated-types/dist/common.js";
import {
  CacheDelete,
  type CacheGet,
  CacheItemGetTtl,
  CacheSet,
  CacheSortedSetFetch,
  CacheSortedSetGetRank,
  CacheSortedSetGetScore,
  CacheSortedSetGetScores,
  CacheSortedSetIncrementScore,
  CacheSortedSetLength,
  CacheSortedSetLengthByScore,
  CacheSortedSetPutElement,
  CacheSortedSetPutElements,
  CacheSortedSetRemoveElement,
  CacheSortedSetRemoveElements,
  CacheSortedSetUnionStore,
  CollectionTtl,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  MomentoErrorCode,
  SortedSetAggregate,
  SortedSetOrder,
} from "@gomomento/sdk";
import { afterAll, describe, expect, it } from "vitest";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { keyCredential, momentoClients } from "../support/momento-node.ts";
import { aMomentoServer, errorOf } from "../support/momento-server.ts";

const { server, clients, close } = await aMomentoServer();
afterAll(close);

const { Descending } = SortedSetOrder;
const gamers = { bob: 20, alice: 10, dora: 30, carol: 20 };

describe.each(["disk", "memory"])("sorted sets of the SDK in a %s cache", (cacheName) => {
  const client = () => clients.cache;
  const put = (name: string, elements: Record<string, number>) =>
    client().sortedSetPutElements(cacheName, name, elements);
  /** "<element> <score>" of each; undefined for a miss. */
  function textOf(response: CacheSortedSetFetch.Response) {
    if (response instanceof CacheSortedSetFetch.Hit) {
      return response.valueArrayStringElements().map(({ value, score }) => `${value} ${score}`);
    }
    expect(response, response.toString()).toBeInstanceOf(CacheSortedSetFetch.Miss);
    return undefined;
  }
  const byRank = async (name: string, options?: Parameters<typeof clients.cache.sortedSetFetchByRank>[2]) =>
    textOf(await client().sortedSetFetchByRank(cacheName, name, options));
  const byScore = async (name: string, options?: Parameters<typeof clients.cache.sortedSetFetchByScore>[2]) =>
    textOf(await client().sortedSetFetchByScore(cacheName, name, options));
  /** A request that the SDK does not send, and the answer read by Momento's own class. */
  async function call<Answer>(
    name: string,
    request: { serialize(): Uint8Array },
    answer: { deserialize(bytes: Uint8Array): Answer },
  ) {
    using session = aSession(server.port);
    const made = new GrpcCall(session, `/cache_client.Scs/${name}`, request.serialize(), { cache: cacheName });
    const { status, message } = await made.ended;
    return { status, message, answer: answer.deserialize(made.messages[0] ?? Buffer.alloc(0)) };
  }

  it("are put by element or many at once, and fetched by rank in both orders, ties by their bytes", async () => {
    expect(await client().sortedSetPutElement(cacheName, "rank", "bob", 1)).toBeInstanceOf(
      CacheSortedSetPutElement.Success,
    );
    expect(await put("rank", gamers)).toBeInstanceOf(CacheSortedSetPutElements.Success);
    const ascending = ["alice 10", "bob 20", "carol 20", "dora 30"];
    expect(await byRank("rank")).toEqual(ascending);
    expect(await byRank("rank", { order: Descending })).toEqual(ascending.toReversed());
    expect(await byRank("rank", { startRank: 1, endRank: 3 })).toEqual(["bob 20", "carol 20"]);
    expect(await byRank("rank", { startRank: 0, endRank: 1, order: Descending })).toEqual(["dora 30"]);
    expect(await byRank("rank", { startRank: -2 })).toEqual(["carol 20", "dora 30"]);
    expect(await byRank("rank", { startRank: -2, order: Descending })).toEqual(["bob 20", "alice 10"]);
    expect(await byRank("rank", { endRank: -3 })).toEqual(["alice 10"]);
    expect(await byRank("rank", { startRank: 9 })).toEqual([]);
    expect(await byRank("none")).toBeUndefined();
  });

  it("hold any bytes and any numbers", async () => {
    const elements = new Map([
      [Uint8Array.of(0, 255), -0.5],
      [new Uint8Array(0), 0],
      [Uint8Array.of(0), Number.MAX_VALUE],
    ]);
    await client().sortedSetPutElements(cacheName, "bytes", elements);
    const fetched = (await client().sortedSetFetchByRank(cacheName, "bytes")) as CacheSortedSetFetch.Hit;
    expect(fetched.valueArrayUint8Elements().map(({ value, score }) => [[...value], score])).toEqual([
      [[0, 255], -0.5],
      [[], 0],
      [[0], Number.MAX_VALUE],
    ]);
  });

  it("are fetched by score in both orders, from an offset on and up to a count", async () => {
    await put("score", gamers);
    expect(await byScore("score", { minScore: 20 })).toEqual(["bob 20", "carol 20", "dora 30"]);
    expect(await byScore("score", { maxScore: 20 })).toEqual(["alice 10", "bob 20", "carol 20"]);
    expect(await byScore("score", { minScore: 15, maxScore: 25, order: Descending })).toEqual(["carol 20", "bob 20"]);
    expect(await byScore("score", { offset: 1, count: 2 })).toEqual(["bob 20", "carol 20"]);
    expect(await byScore("score", { offset: 1, count: 1, order: Descending })).toEqual(["carol 20"]);
    expect(await byScore("score", { offset: 9 })).toEqual([]);
    expect(await byScore("score", { minScore: 21, maxScore: 29 })).toEqual([]);
    expect(await byScore("none")).toBeUndefined();
  });

  it("tell scores and ranks", async () => {
    await put("tell", gamers);
    const scores = await client().sortedSetGetScores(cacheName, "tell", ["dora", "nobody", "alice"]);
    expect(scores).toBeInstanceOf(CacheSortedSetGetScores.Hit);
    expect((scores as CacheSortedSetGetScores.Hit).responses().map((response) => response.score())).toEqual([
      30,
      undefined,
      10,
    ]);
    expect((await client().sortedSetGetScore(cacheName, "tell", "bob")).score()).toBe(20);
    expect(await client().sortedSetGetScore(cacheName, "tell", "nobody")).toBeInstanceOf(CacheSortedSetGetScore.Miss);
    expect(await client().sortedSetGetScore(cacheName, "none", "bob")).toBeInstanceOf(CacheSortedSetGetScore.Miss);
    expect(await client().sortedSetGetScores(cacheName, "none", ["bob"])).toBeInstanceOf(CacheSortedSetGetScores.Miss);
    const rank = (value: string, order = SortedSetOrder.Ascending) =>
      client().sortedSetGetRank(cacheName, "tell", value, { order });
    expect([(await rank("alice")).rank(), (await rank("carol")).rank()]).toEqual([0, 2]);
    expect([(await rank("alice", Descending)).rank(), (await rank("carol", Descending)).rank()]).toEqual([3, 1]);
    expect(await rank("nobody")).toBeInstanceOf(CacheSortedSetGetRank.Miss);
    const ofNone = await client().sortedSetGetRank(cacheName, "none", "alice");
    expect(ofNone).toBeInstanceOf(CacheSortedSetGetRank.Miss);
  });

  it("tell how many they are, all and by score", async () => {
    await put("length", gamers);
    expect((await client().sortedSetLength(cacheName, "length")).length()).toBe(4);
    expect((await client().sortedSetLengthByScore(cacheName, "length")).length()).toBe(4);
    expect((await client().sortedSetLengthByScore(cacheName, "length", { minScore: 11, maxScore: 30 })).length()).toBe(
      3,
    );
    expect(await client().sortedSetLength(cacheName, "none")).toBeInstanceOf(CacheSortedSetLength.Miss);
    for (const answer of [
      await client().sortedSetLengthByScore(cacheName, "length", { minScore: 31 }),
      await client().sortedSetLengthByScore(cacheName, "none"),
    ])
      expect(answer).toBeInstanceOf(CacheSortedSetLengthByScore.Miss);
  });

  it("add to scores, from 0 on", async () => {
    const increment = (amount?: number) => client().sortedSetIncrementScore(cacheName, "add", "a", amount);
    const answers = [await increment(), await increment(1.5), await increment(-2.5)];
    expect(answers.map((answer) => answer instanceof CacheSortedSetIncrementScore.Success && answer.score())).toEqual([
      1, 2.5, 0,
    ]);
    expect(await byRank("add")).toEqual(["a 0"]);
  });

  it("lose elements, and are gone with the last", async () => {
    await put("less", gamers);
    expect(await client().sortedSetRemoveElement(cacheName, "less", "bob")).toBeInstanceOf(
      CacheSortedSetRemoveElement.Success,
    );
    expect(await client().sortedSetRemoveElements(cacheName, "less", ["dora", "nobody"])).toBeInstanceOf(
      CacheSortedSetRemoveElements.Success,
    );
    expect(await byRank("less")).toEqual(["alice 10", "carol 20"]);
    await client().sortedSetRemoveElements(cacheName, "less", ["alice", "carol"]);
    expect(await byRank("less")).toBeUndefined();
    expect(await client().sortedSetRemoveElement(cacheName, "less", "bob")).toBeInstanceOf(
      CacheSortedSetRemoveElement.Success,
    );
    await put("less", gamers);
    expect(await client().delete(cacheName, "less")).toBeInstanceOf(CacheDelete.Success);
    expect(await byRank("less")).toBeUndefined();
  });

  it("are united with weights, by sum, least or most, over what was there", async () => {
    await put("one", { a: 1, b: 2 });
    await put("two", { b: 10, c: 20 });
    const sources = [
      { sortedSetName: "one", weight: 2 },
      { sortedSetName: "two", weight: 0.5 },
      { sortedSetName: "none", weight: 1 },
    ];
    const unite = (aggregate?: SortedSetAggregate) =>
      client().sortedSetUnionStore(cacheName, "union", sources, aggregate === undefined ? {} : { aggregate });
    await put("union", { before: 1 });
    const united = await unite();
    expect(united).toBeInstanceOf(CacheSortedSetUnionStore.Success);
    expect((united as CacheSortedSetUnionStore.Success).length()).toBe(3);
    expect(await byRank("union")).toEqual(["a 2", "b 9", "c 10"]);
    await unite(SortedSetAggregate.MIN);
    expect(await byRank("union")).toEqual(["a 2", "b 4", "c 10"]);
    await unite(SortedSetAggregate.MAX);
    expect(await byRank("union")).toEqual(["a 2", "b 5", "c 10"]);
    const itself = [{ sortedSetName: "union", weight: -1 }];
    await client().sortedSetUnionStore(cacheName, "union", itself);
    expect(await byRank("union")).toEqual(["c -10", "b -5", "a -2"]);
    await client().sortedSetUnionStore(cacheName, "union", [{ sortedSetName: "none", weight: 1 }]);
    expect(await byRank("union")).toBeUndefined();
    expect(errorOf(await client().sortedSetUnionStore(cacheName, "union", []))).toEqual({
      code: MomentoErrorCode.INVALID_ARGUMENT_ERROR,
      message: expect.stringContaining("0 sources of the union; must be >= 1"),
    });
  });

  it("answer what other SDKs ask: exclusive bounds, values alone, all removed", async () => {
    await put("other", gamers);
    const {
      _SortedSetFetchRequest: Fetch,
      _SortedSetFetchResponse,
      _SortedSetLengthByScoreRequest,
      _SortedSetLengthByScoreResponse,
      _SortedSetRemoveRequest,
      _SortedSetRemoveResponse,
    } = theirs.cache_client;
    const { _ByIndex, _ByScore } = Fetch;
    const set_name = Buffer.from("other");
    const fetched = async (request: ConstructorParameters<typeof Fetch>[0]) => {
      const { answer } = await call("SortedSetFetch", new Fetch(request), _SortedSetFetchResponse);
      return answer.found.values.values.map((value) => Buffer.from(value).toString());
    };
    const bound = (score: number, exclusive: boolean) => new _ByScore._Score({ score, exclusive });
    const between = { min_score: bound(10, true), max_score: bound(30, true), count: -1 };
    expect(await fetched({ set_name, by_score: new _ByScore(between) })).toEqual(["bob", "carol"]);
    expect(await fetched({ set_name, by_score: new _ByScore({ ...between, count: 1, offset: 1 }) })).toEqual(["carol"]);
    expect(await fetched({ set_name, by_score: new _ByScore({ ...between, count: 0 }) })).toEqual([]);
    expect(await fetched({ set_name, by_index: new _ByIndex(), order: Fetch.Order.DESCENDING })).toEqual([
      "dora",
      "carol",
      "bob",
      "alice",
    ]);
    const neither = await call("SortedSetFetch", new Fetch({ set_name }), _SortedSetFetchResponse);
    expect(neither).toMatchObject({ status: 3, message: expect.stringContaining("neither `by_index` nor `by_score`") });
    const counted = async (ends: object) => {
      const request = new _SortedSetLengthByScoreRequest({ set_name, ...ends });
      return (await call("SortedSetLengthByScore", request, _SortedSetLengthByScoreResponse)).answer.found.length;
    };
    const unbounded = new common._Unbounded();
    expect(await counted({ exclusive_min: 10, exclusive_max: 30 })).toBe(2);
    expect(await counted({ inclusive_min: 20, unbounded_max: unbounded })).toBe(3);
    expect(await counted({ exclusive_min: 20 })).toBe(1);
    expect(await counted({ exclusive_min: 30 })).toBe(0);
    // The name "m", and 7 in the field that is the order of the one and the aggregate of the other.
    const unknown = { serialize: () => Buffer.from([0x0a, 1, 0x6d, 0x18, 7]) };
    for (const [name, what] of [
      ["SortedSetGetRank", "order 7"],
      ["SortedSetUnionStore", "aggregate 7"],
    ] as const) {
      const refused = await call(name, unknown, common._Empty);
      expect(refused).toMatchObject({ status: 3, message: expect.stringContaining(what) });
    }
    const nothing = new _SortedSetRemoveRequest({ set_name });
    expect((await call("SortedSetRemove", nothing, _SortedSetRemoveResponse)).status).toBe(3);
    const all = new _SortedSetRemoveRequest({ set_name, all: new _SortedSetRemoveRequest._All() });
    expect((await call("SortedSetRemove", all, _SortedSetRemoveResponse)).status).toBe(0);
    expect(await byRank("other")).toBeUndefined();
  });

  it("share their keys with items: another type is a failed precondition, set takes everything", async () => {
    await client().set(cacheName, "scalar", "x");
    await client().listPushBack(cacheName, "list", "x");
    await put("sorted", gamers);
    const { FAILED_PRECONDITION_ERROR } = MomentoErrorCode;
    const refused = [
      await put("scalar", gamers),
      await client().sortedSetIncrementScore(cacheName, "list", "a"),
      await client().sortedSetRemoveElement(cacheName, "scalar", "a"),
      await client().sortedSetFetchByRank(cacheName, "list"),
      await client().sortedSetGetRank(cacheName, "scalar", "a"),
      await client().sortedSetUnionStore(cacheName, "list", [{ sortedSetName: "sorted", weight: 1 }]),
      await client().sortedSetUnionStore(cacheName, "sorted", [{ sortedSetName: "list", weight: 1 }]),
      await client().listFetch(cacheName, "sorted"),
    ];
    for (const response of refused) expect(errorOf(response)?.code).toBe(FAILED_PRECONDITION_ERROR);
    expect(errorOf(await client().get(cacheName, "sorted"))?.message).toContain(
      "the key holds a sorted set, and this call is for a scalar",
    );
    expect(await client().set(cacheName, "sorted", "now a scalar")).toBeInstanceOf(CacheSet.Success);
    expect(((await client().get(cacheName, "sorted")) as CacheGet.Hit).valueString()).toBe("now a scalar");
  });

  it("keep their first TTL unless a call refreshes it", async () => {
    const secondsOf = async (name: string) => {
      const response = await client().itemGetTtl(cacheName, name);
      if (!(response instanceof CacheItemGetTtl.Hit)) throw new Error(response.toString());
      return Math.ceil(response.remainingTtlMillis() / 1000);
    };
    const short = { ttl: CollectionTtl.of(20) };
    for (const name of ["kept", "refreshed"]) await client().sortedSetPutElement(cacheName, name, "a", 1, short);
    await client().sortedSetPutElement(cacheName, "kept", "b", 2, { ttl: new CollectionTtl(50, false) });
    await client().sortedSetIncrementScore(cacheName, "refreshed", "a", 1, { ttl: CollectionTtl.of(50) });
    await client().sortedSetUnionStore(cacheName, "united", [{ sortedSetName: "refreshed", weight: 1 }], short);
    const [kept, refreshed, united] = [
      await secondsOf("kept"),
      await secondsOf("refreshed"),
      await secondsOf("united"),
    ];
    expect(Math.max(kept, united)).toBeLessThanOrEqual(20);
    expect(refreshed).toBeGreaterThan(20);
    const long = { ttl: CollectionTtl.of(50) };
    await client().sortedSetUnionStore(cacheName, "united", [{ sortedSetName: "kept", weight: 1 }], long);
    expect(await secondsOf("united")).toBeGreaterThan(20);
  });

  it("take elements of 128 KiB and no larger ones, and scores that are numbers", async () => {
    const element = "x".repeat(131_072);
    expect(errorOf(await put("large", { [element]: 1 }))).toBeUndefined();
    const tooLarge = {
      code: MomentoErrorCode.LIMIT_EXCEEDED_ERROR,
      message: expect.stringContaining("element size: the element has 131073 bytes"),
    };
    expect(errorOf(await put("large", { [`${element}x`]: 1 }))).toEqual(tooLarge);
    expect(errorOf(await client().sortedSetIncrementScore(cacheName, "large", `${element}x`))).toEqual(tooLarge);
    expect(errorOf(await put("large", { a: Number.NaN }))?.code).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
    expect((await client().sortedSetGetRank(cacheName, "large", element)).rank()).toBe(0);
  });

  it("take and answer ten thousand elements at once, and refuse more than a call may have", async () => {
    const many = Array.from({ length: 10_000 }, (_, n): [string, number] => [`element ${n}`, n % 1000]);
    const done = await client().sortedSetPutElements(cacheName, "many", many);
    expect(done, done.toString()).toBeInstanceOf(CacheSortedSetPutElements.Success);
    const all = (await client().sortedSetFetchByRank(cacheName, "many")) as CacheSortedSetFetch.Hit;
    expect(all.valueArrayUint8Elements()).toHaveLength(10_000);
    expect((await client().sortedSetGetRank(cacheName, "many", "element 9999")).rank()).toBe(9999);
    // So many empty elements, which the SDK takes a second to write.
    const elements = Buffer.alloc(200_002).map((_, n) => (n % 2 === 0 ? 2 * 8 + 2 : 0));
    const name = Buffer.from([8 + 2, 1, 0x6d]);
    const tooMany = { serialize: () => Buffer.concat([name, elements]) };
    expect(await call("SortedSetPut", tooMany, theirs.cache_client._SortedSetPutResponse)).toMatchObject({
      status: 3,
      message: expect.stringContaining("100001 elements to add; must be <= 100000"),
    });
  });

  it("need a permission on their key: read to look, write to put and remove, both to increment", async () => {
    const aClient = async (scope: Parameters<typeof clients.auth.generateDisposableToken>[0]) => {
      const token = await clients.auth.generateDisposableToken(scope, ExpiresIn.seconds(60));
      if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
      return momentoClients(keyCredential(token.authToken, server.port));
    };
    await put("mine", gamers);
    using reader = await aClient(DisposableTokenScopes.cacheKeyReadOnly(cacheName, "mine"));
    using writer = await aClient(DisposableTokenScopes.cacheKeyWriteOnly(cacheName, "mine"));
    using both = await aClient(DisposableTokenScopes.cacheKeyReadWrite(cacheName, "mine"));
    expect((await reader.cache.sortedSetGetRank(cacheName, "mine", "bob")).rank()).toBe(1);
    expect(errorOf(await writer.cache.sortedSetPutElement(cacheName, "mine", "eve", 1))).toBeUndefined();
    expect((await both.cache.sortedSetIncrementScore(cacheName, "mine", "eve", 1)).score()).toBe(2);
    const refused = [
      await reader.cache.sortedSetPutElement(cacheName, "mine", "x", 1),
      await reader.cache.sortedSetIncrementScore(cacheName, "mine", "x"),
      await reader.cache.sortedSetRemoveElement(cacheName, "mine", "x"),
      await reader.cache.sortedSetUnionStore(cacheName, "mine", [{ sortedSetName: "mine", weight: 1 }]),
      await writer.cache.sortedSetFetchByRank(cacheName, "mine"),
      await writer.cache.sortedSetFetchByScore(cacheName, "mine"),
      await writer.cache.sortedSetGetScores(cacheName, "mine", ["bob"]),
      await writer.cache.sortedSetGetRank(cacheName, "mine", "bob"),
      await writer.cache.sortedSetLength(cacheName, "mine"),
      await writer.cache.sortedSetLengthByScore(cacheName, "mine"),
      await writer.cache.sortedSetIncrementScore(cacheName, "mine", "bob"),
      await writer.cache.sortedSetUnionStore(cacheName, "mine", [{ sortedSetName: "mine", weight: 1 }]),
      await both.cache.sortedSetUnionStore(cacheName, "mine", [{ sortedSetName: "other", weight: 1 }]),
      await both.cache.sortedSetFetchByRank(cacheName, "other"),
    ];
    for (const response of refused) expect(errorOf(response)?.code).toBe(MomentoErrorCode.PERMISSION_ERROR);
  });

  it("are in no cache that does not exist", async () => {
    const answers = [
      await client().sortedSetPutElement("nowhere", "s", "x", 1),
      await client().sortedSetFetchByScore("nowhere", "s"),
      await client().sortedSetGetScore("nowhere", "s", "x"),
      await client().sortedSetUnionStore("nowhere", "s", [{ sortedSetName: "s", weight: 1 }]),
    ];
    for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });
});
