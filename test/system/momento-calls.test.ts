// Every call of the unmodified Node SDK's cache client and leaderboards, at least once. test/browser/momento-web-calls.test.ts says the same
// lines in Chromium.
import { CacheClient, LeaderboardConfigurations, PreviewLeaderboardClient } from "@gomomento/sdk";
import { expect, it } from "vitest";
import { conversation, converse } from "../support/momento-conversation.ts";
import { localCredential, momentoClients } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

it("the conversation makes every call of the cache client", () => {
  const calls = new Set(conversation.map(([call]) => call));
  const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(CacheClient.prototype)).concat(
    Object.getOwnPropertyNames(CacheClient.prototype),
  );
  const isCall = (name: string) =>
    !["constructor", "cache", "close", "configuration", "getNextDataClient", "ping"].includes(name) &&
    !name.startsWith("_");
  expect(methods.filter((name) => isCall(name) && !calls.has(name))).toEqual([]);
});

it.each(["disk", "memory"] as const)("answers every call of the SDK for a %s cache", async (cacheDurability) => {
  await using server = await aServer({ cacheDurability });
  const credentialProvider = localCredential(server.port);
  using clients = momentoClients(credentialProvider);
  const configuration = LeaderboardConfigurations.Laptop.latest();
  const boards = new PreviewLeaderboardClient({ credentialProvider, configuration });
  const speakers = { cache: clients.cache, leaderboard: boards.leaderboard("c", "board") };
  for (const line of conversation) expect(await converse(line, speakers), JSON.stringify(line)).toEqual(line[2]);
  boards.close();
});
