// The leaderboards of the unmodified Node SDK against a server of this process, in a `disk` and in a `memory` cache.

import { leaderboard as theirs } from "@gomomento/generated-types";
import {
  CreateCache,
  type CredentialProvider,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  LeaderboardConfigurations,
  LeaderboardDelete,
  LeaderboardFetch,
  LeaderboardLength,
  LeaderboardOrder,
  LeaderboardRemoveElements,
  LeaderboardUpsert,
  MomentoErrorCode,
  PreviewLeaderboardClient,
} from "@gomomento/sdk";
import { afterAll, describe, expect, it } from "vitest";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { keyCredential, localCredential } from "../support/momento-node.ts";
import { aMomentoServer, errorOf } from "../support/momento-server.ts";

const { server, clients, close } = await aMomentoServer();
const clientOf = (credentialProvider: CredentialProvider) =>
  new PreviewLeaderboardClient({ configuration: LeaderboardConfigurations.Laptop.v1(), credentialProvider });
const leaderboards = clientOf(localCredential(server.port));
afterAll(async () => {
  leaderboards.close();
  await close();
});

/** [id, rank, score] of each. */
function placesOf(response: LeaderboardFetch.Response) {
  expect(response, response.toString()).toBeInstanceOf(LeaderboardFetch.Success);
  return (response as LeaderboardFetch.Success).values().map(({ id, rank, score }) => [id, rank, score]);
}

const { Ascending, Descending } = LeaderboardOrder;
const players = { 300: 20, 100: 10, 400: 30, 200: 20 };
const ascending = [
  [100, 0, 10],
  [200, 1, 20],
  [300, 2, 20],
  [400, 3, 30],
];
const descending = [
  [400, 0, 30],
  [300, 1, 20],
  [200, 2, 20],
  [100, 3, 10],
];

describe.each(["disk", "memory"])("leaderboards of the SDK in a %s cache", (cacheName) => {
  async function withPlayers(name: string) {
    const leaderboard = leaderboards.leaderboard(cacheName, name);
    const response = await leaderboard.upsert(players);
    expect(response, response.toString()).toBeInstanceOf(LeaderboardUpsert.Success);
    return leaderboard;
  }
  async function lengthOf(name: string) {
    const response = await leaderboards.leaderboard(cacheName, name).length();
    expect(response, response.toString()).toBeInstanceOf(LeaderboardLength.Success);
    return (response as LeaderboardLength.Success).length();
  }

  it("are made by their first upsert, and give elements that are there new scores", async () => {
    const leaderboard = await withPlayers("upsert");
    const again = await leaderboard.upsert(
      new Map([
        [100, 40.5],
        [4_294_967_295, -1],
      ]),
    );
    expect(again).toBeInstanceOf(LeaderboardUpsert.Success);
    expect(placesOf(await leaderboard.fetchByRank(0, 10))).toEqual([
      [4_294_967_295, 0, -1],
      [200, 1, 20],
      [300, 2, 20],
      [400, 3, 30],
      [100, 4, 40.5],
    ]);
    expect(await lengthOf("upsert")).toBe(5);
    expect(errorOf(await leaderboard.upsert({ 1: Number.NaN }))?.code).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
  });

  it("are fetched by rank in both orders, as far as they go", async () => {
    const leaderboard = await withPlayers("by rank");
    expect(placesOf(await leaderboard.fetchByRank(0, 8192))).toEqual(ascending);
    expect(placesOf(await leaderboard.fetchByRank(0, 10, { order: Descending }))).toEqual(descending);
    expect(placesOf(await leaderboard.fetchByRank(1, 3, { order: Ascending }))).toEqual(ascending.slice(1, 3));
    expect(placesOf(await leaderboard.fetchByRank(3, 9, { order: Descending }))).toEqual(descending.slice(3));
    expect(placesOf(await leaderboard.fetchByRank(4, 9))).toEqual([]);
  });

  it("refuse a range of ranks that is empty, reversed or too long", async () => {
    const leaderboard = await withPlayers("ranges");
    const refused = [await leaderboard.fetchByRank(0, 0), await leaderboard.fetchByRank(0, 8193)];
    // The SDK lets a reversed range pass only when it ends at 0.
    refused.push(await leaderboard.fetchByRank(2, 0));
    for (const response of refused) {
      expect(errorOf(response)?.code).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
      expect(errorOf(response)?.message).toMatch(/ranks from \d to before \d+ are .*; must be >= 1 and <= 8192/);
    }
  });

  it("are fetched by score from an inclusive to an exclusive bound, with an offset and a count", async () => {
    const leaderboard = await withPlayers("by score");
    expect(placesOf(await leaderboard.fetchByScore())).toEqual(ascending);
    expect(placesOf(await leaderboard.fetchByScore({ minScore: 20 }))).toEqual(ascending.slice(1));
    expect(placesOf(await leaderboard.fetchByScore({ maxScore: 20 }))).toEqual(ascending.slice(0, 1));
    const middle = { minScore: 10, maxScore: 30, order: Descending };
    expect(placesOf(await leaderboard.fetchByScore(middle))).toEqual(descending.slice(1));
    expect(placesOf(await leaderboard.fetchByScore({ ...middle, offset: 1, count: 1 }))).toEqual(
      descending.slice(2, 3),
    );
    expect(placesOf(await leaderboard.fetchByScore({ offset: 9 }))).toEqual([]);
    expect(placesOf(await leaderboard.fetchByScore({ minScore: 31 }))).toEqual([]);
    expect(errorOf(await leaderboard.fetchByScore({ count: 8193 }))?.code).toBe(
      MomentoErrorCode.INVALID_ARGUMENT_ERROR,
    );
  });

  it("tell ranks in the order asked for, without ids that are not there", async () => {
    const leaderboard = await withPlayers("ranks");
    expect(placesOf(await leaderboard.getRank([400, 7, 100]))).toEqual([ascending[3], ascending[0]]);
    expect(placesOf(await leaderboard.getRank([200, 400], { order: Descending }))).toEqual([
      descending[2],
      descending[0],
    ]);
    expect(placesOf(await leaderboard.getRank([7]))).toEqual([]);
  });

  it("tell competition ranks, where ties share the best, by the call that the SDK has no name for", async () => {
    await withPlayers("competition");
    using session = aSession(server.port);
    const { _GetCompetitionRankRequest, _GetCompetitionRankResponse, _Order } = theirs.leaderboard;
    const ranks = async (ids: number[], order?: theirs.leaderboard._Order) => {
      const of = { leaderboard: "competition", ids, ...(order !== undefined && { order }) };
      const request = new _GetCompetitionRankRequest(of).serialize();
      const call = new GrpcCall(session, "/leaderboard.Leaderboard/GetCompetitionRank", request, { cache: cacheName });
      expect((await call.ended).status).toBe(0);
      const { elements } = _GetCompetitionRankResponse.deserialize(call.messages[0] ?? Buffer.alloc(0));
      return elements.map(({ id, rank, score }) => [id, rank, score]);
    };
    const shared = [
      [400, 0, 30],
      [300, 1, 20],
      [200, 1, 20],
      [100, 3, 10],
    ];
    expect(await ranks([400, 300, 200, 7, 100])).toEqual(shared);
    expect(await ranks([100, 400, 200, 300], _Order.ASCENDING)).toEqual([
      [100, 0, 10],
      [400, 3, 30],
      [200, 1, 20],
      [300, 1, 20],
    ]);
    expect(await ranks([300], _Order.DESCENDING)).toEqual([[300, 1, 20]]);
    expect(await ranks([])).toEqual([]);
  });

  it("lose elements, and everything", async () => {
    const leaderboard = await withPlayers("less");
    expect(await leaderboard.removeElements([100, 7, 300])).toBeInstanceOf(LeaderboardRemoveElements.Success);
    expect(placesOf(await leaderboard.fetchByRank(0, 9))).toEqual([
      [200, 0, 20],
      [400, 1, 30],
    ]);
    expect(await leaderboard.delete()).toBeInstanceOf(LeaderboardDelete.Success);
    expect(await lengthOf("less")).toBe(0);
  });

  it("that are not there are empty, and nothing about them fails", async () => {
    const none = leaderboards.leaderboard(cacheName, "none");
    expect(await lengthOf("none")).toBe(0);
    for (const fetched of [await none.fetchByRank(0, 1), await none.fetchByScore(), await none.getRank([1])])
      expect(placesOf(fetched)).toEqual([]);
    expect(await none.removeElements([1])).toBeInstanceOf(LeaderboardRemoveElements.Success);
    expect(await none.delete()).toBeInstanceOf(LeaderboardDelete.Success);
  });

  it("have 8192 elements in a call, and more in several", async () => {
    const numbered = (from: number, count: number) =>
      new Map(Array.from({ length: count }, (_, n): [number, number] => [from + n, from + n]));
    const leaderboard = leaderboards.leaderboard(cacheName, "many");
    for (const from of [0, 8192]) {
      expect(errorOf(await leaderboard.upsert(numbered(from, 8192)))).toBeUndefined();
    }
    expect(await lengthOf("many")).toBe(16_384);
    expect(placesOf(await leaderboard.fetchByRank(8190, 16_382))).toHaveLength(8192);
    expect(placesOf(await leaderboard.fetchByScore())).toHaveLength(8192);
    const ids = [...numbered(0, 8193).keys()];
    const refused = [
      await leaderboard.upsert(numbered(0, 8193)),
      await leaderboard.removeElements(ids),
      await leaderboard.getRank(ids),
    ];
    for (const response of refused) {
      expect(errorOf(response)?.code).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
      expect(errorOf(response)?.message).toContain("8193");
    }
    expect(await leaderboard.removeElements(ids.slice(1))).toBeInstanceOf(LeaderboardRemoveElements.Success);
    expect(await lengthOf("many")).toBe(8192);
  });

  it("are no items of the cache, whatever their names, and are emptied with it", async () => {
    const own = `${cacheName} flushed`;
    expect(await clients.cache.createCache(own)).toBeInstanceOf(CreateCache.Success);
    await clients.cache.set(own, "name", "scalar");
    await clients.cache.sortedSetPutElement(own, "sorted", "a", 1);
    for (const name of ["name", "sorted"]) {
      const leaderboard = leaderboards.leaderboard(own, name);
      expect(placesOf(await leaderboard.fetchByRank(0, 1))).toEqual([]);
      await leaderboard.upsert({ 1: 1 });
      await clients.cache.delete(own, name);
      expect(placesOf(await leaderboard.fetchByRank(0, 9))).toEqual([[1, 0, 1]]);
    }
    await clients.cache.flushCache(own);
    expect(placesOf(await leaderboards.leaderboard(own, "name").fetchByRank(0, 1))).toEqual([]);
  });

  it("need a permission on the whole cache: to read them, to write them, or both", async () => {
    const leaderboard = await withPlayers("rights");
    const as = async (scope: Parameters<typeof clients.auth.generateDisposableToken>[0]) => {
      const token = await clients.auth.generateDisposableToken(scope, ExpiresIn.seconds(60));
      if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
      return clientOf(keyCredential(token.authToken, server.port));
    };
    const reader = await as(DisposableTokenScopes.cacheReadOnly(cacheName));
    const writer = await as(DisposableTokenScopes.cacheWriteOnly(cacheName));
    const partial = await as(DisposableTokenScopes.cacheKeyPrefixReadWrite(cacheName, "rights"));
    const [read, write, some] = [reader, writer, partial].map((client) => client.leaderboard(cacheName, "rights"));
    if (!read || !write || !some) throw new Error("three clients");
    expect(placesOf(await read.fetchByRank(0, 9))).toEqual(ascending);
    expect(await write.upsert({ 5: 5 })).toBeInstanceOf(LeaderboardUpsert.Success);
    expect(await write.removeElements([5])).toBeInstanceOf(LeaderboardRemoveElements.Success);
    const refused = [
      await read.upsert({ 1: 1 }),
      await read.removeElements([100]),
      await read.delete(),
      await write.fetchByRank(0, 9),
      await write.fetchByScore(),
      await write.getRank([100]),
      await write.length(),
      await some.fetchByRank(0, 9),
      await some.upsert({ 1: 1 }),
      await reader.leaderboard("nowhere", "rights").length(),
    ];
    for (const response of refused) expect(errorOf(response)?.code).toBe(MomentoErrorCode.PERMISSION_ERROR);
    expect(placesOf(await leaderboard.fetchByRank(0, 9))).toEqual(ascending);
    for (const client of [reader, writer, partial]) client.close();
  });

  it("are in no cache that does not exist", async () => {
    const nowhere = leaderboards.leaderboard("nowhere", "l");
    const answers = [await nowhere.upsert({ 1: 1 }), await nowhere.length(), await nowhere.delete()];
    for (const answer of answers) expect(errorOf(answer)?.code).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });
});
