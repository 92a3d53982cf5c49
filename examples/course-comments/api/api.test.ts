// The API as a page sees it, and the receiver as a stranger sees it: a real Todoku behind both, a real issuer beside them.
import { CacheListPushFront, TopicPublish } from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { keyCredential, localCredential, momentoClients, subscribe } from "../../../test/support/momento-node.ts";
import { aServer } from "../../../test/support/server.ts";
import { anyAnswer } from "../../task-notifications/shared/todoku.ts";
import { aTestIssuer, clientId, type TestIssuer } from "../../task-notifications/testing/issuer.ts";
import { silentLog } from "../../task-notifications/testing/log.ts";
import { keyFileIn } from "../shared/settings.ts";
import { aSetUpTodoku, type SetUpTodoku } from "../testing/application.ts";
import { aDelivery, newSecret } from "../testing/delivery.ts";
import { type RunningApi, startApi } from "./start-api.ts";

// A set-up starts a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let server: Awaited<ReturnType<typeof aServer>>;
let todoku: SetUpTodoku;
let issuer: TestIssuer;
let api: RunningApi;

beforeAll(async () => {
  [server, issuer] = await Promise.all([aServer(), aTestIssuer()]);
  todoku = await aSetUpTodoku(server.url);
  const keyFile = keyFileIn(todoku.stateDir, "api");
  const address = { host: "127.0.0.1", port: 0, issuer: issuer.url, clientId, todokuUrl: server.url };
  api = await startApi({ ...address, keyFile, pageDirectory: todoku.stateDir }, silentLog);
});
afterAll(async () => {
  await api?.close();
  await todoku?.[Symbol.asyncDispose]();
  await issuer?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

async function get(sub: string, path: string, claims: Record<string, unknown> = {}): Promise<Response> {
  const token = await issuer.token(sub, { claims });
  return fetch(`${api.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
}
const getJson = async (sub: string, path: string, claims: Record<string, unknown> = {}) =>
  (await (await get(sub, path, claims)).json()) as Record<string, unknown>;

describe("GET /token", () => {
  it("gives half an hour to publish what a view publishes, in the caller's name, and to follow what it shows", async () => {
    const answer = await getJson("alice", "/token/comments/kanji?sub=bob&tokenId=bob", { name: "Alice" });
    expect(answer).toEqual({
      ...{ endpoint: server.url, cacheName: "course-comments", userId: "alice", token: expect.any(String) },
      ...{ publishTopic: "comment", topic: "comments/kanji", expiresAtMs: expect.any(Number) },
    });
    expect(Number(answer.expiresAtMs) - Date.now()).toBeGreaterThan(29 * 60_000);
    expect(Number(answer.expiresAtMs) - Date.now()).toBeLessThanOrEqual(30 * 60_000 + 1000);
    using clients = momentoClients(keyCredential(String(answer.token), todoku.port));
    using owner = momentoClients(localCredential(todoku.port));
    const published = await subscribe(owner.topics, "course-comments", "comment");
    expect(await clients.topics.publish("course-comments", "comment", "hi")).toBeInstanceOf(TopicPublish.Success);
    expect((await published.waitFor(1))[0]?.tokenId()).toBe("alice");
    published.subscription.unsubscribe();

    const listen = (topic: string) => clients.topics.subscribe("course-comments", topic, { onItem() {}, onError() {} });
    const refusals = [
      ...(await Promise.all(["comment", "comments/bread", "room/en", "poll/live-lesson"].map(listen))),
      await clients.topics.publish("course-comments", "comments/kanji", "forged"),
      await clients.topics.publish("course-comments", "vote", "forged"),
      await clients.cache.listFetch("course-comments", "comments/kanji"),
      await clients.cache.get("course-comments", "name/alice"),
    ];
    for (const refusal of refusals) expect(String(refusal)).toMatch(/permission/i);
  });

  it("writes down what the caller is called, cleaned, and takes the digest of an id that is too long", async () => {
    using owner = momentoClients(localCredential(todoku.port));
    await get("carol", "/token/chat/fr", { name: "  Ca\u202erol\n " });
    expect((await owner.cache.get("course-comments", "name/carol")).value()).toBe("Carol");
    const { userId } = await getJson("x".repeat(200), "/token/chat/fr");
    expect(userId).toMatch(/^sha256:[\w-]{43}$/);
  });

  it.each(["/token/comments/other", "/token/constructor/kanji", "/items/chat/xx", "/token/room/en"])(
    "answers 404 for %s",
    async (path) => {
      expect((await get("alice", path)).status).toBe(404);
    },
  );

  it("answers 401 to who is not signed in, and 405 to what is no GET", async () => {
    for (const path of ["/token/comments/kanji", "/items/comments/kanji"]) {
      expect((await fetch(`${api.url}${path}`)).status).toBe(401);
      expect((await fetch(`${api.url}${path}`, { method: "POST" })).status).toBe(405);
    }
  });
});

describe("GET /items", () => {
  it("gives the comments of a course once each, under the names that belong to their users", async () => {
    using owner = momentoClients(localCredential(todoku.port));
    await get("bob", "/token/comments/stars", { name: "Bob" });
    const kept = { id: "1", userId: "bob", name: "Robert", comment: "bright", atMs: 1 };
    const ofGuest = { ...kept, id: "2", userId: "guest", name: "Guest" };
    for (const text of [JSON.stringify(kept), "not ours", JSON.stringify(ofGuest), JSON.stringify(kept)]) {
      const pushed = await owner.cache.listPushFront("course-comments", "comments/stars", text);
      expect(pushed).toBeInstanceOf(CacheListPushFront.Success);
    }
    expect(await getJson("alice", "/items/comments/stars")).toEqual({
      comments: [{ ...kept, name: "Bob" }, ofGuest],
    });
    expect(await getJson("alice", "/items/comments/bread")).toEqual({ comments: [] });
    expect(await getJson("alice", "/items/chat/en")).toEqual({});
  });

  it("gives how the poll stands, and nobody's vote but the caller's own", async () => {
    const poll = "/items/poll/live-lesson";
    expect(await getJson("alice", poll)).toEqual({ version: 0, counts: {} });
    using owner = momentoClients(localCredential(todoku.port));
    const counts = await subscribe(owner.topics, "course-comments", "poll/live-lesson");
    await todoku.publish("alice", "vote", { pollId: "live-lesson", option: "noon" });
    await counts.waitFor(1);
    counts.subscription.unsubscribe();
    expect(await getJson("alice", poll)).toEqual({ version: 1, counts: { noon: 1 }, mine: "noon" });
    expect(await getJson("bob", poll)).toEqual({ version: 1, counts: { noon: 1 } });
  });
});

describe("the receiver", () => {
  const webhooksSchema = z.object({ webhooks: z.array(z.object({ name: z.string(), url: z.string() })) });
  const secretSchema = z.object({ secret: z.string() });
  const path = "/v1/webhooks/course-comments/comment";

  it("refuses what a stranger sends, and takes a test of somebody who may", async () => {
    const { webhooks } = await todoku.admin.call("GET", "/v1/webhooks", undefined, webhooksSchema);
    const url = webhooks.find(({ name }) => name === "comment")?.url ?? "";
    const comment = JSON.stringify({ courseId: "bread", comment: "forged" });
    const { secret } = await todoku.admin.call(
      "GET",
      `${path.replace(/\w+$/, "vote")}/secret`,
      undefined,
      secretSchema,
    );
    for (const wrong of [newSecret(), secret]) {
      expect((await fetch(url, { method: "POST", ...aDelivery(wrong, comment) })).status).toBe(401);
    }
    const test = await todoku.admin.call("POST", `${path}/test`, {}, z.object({ delivered: z.boolean() }));
    expect(test).toMatchObject({ delivered: true });
    expect(await getJson("alice", "/items/comments/bread")).toEqual({ comments: [] });
  });

  it("loses nothing while the secret of its webhook is rotated, before and after it hears of the new one", async () => {
    using owner = momentoClients(localCredential(todoku.port));
    const told = await subscribe(owner.topics, "course-comments", "comments/bread");
    const comment = async (text: string, count: number) => {
      await todoku.publish("alice", "comment", { courseId: "bread", comment: text });
      expect(JSON.parse((await told.waitFor(count))[count - 1]?.valueString() ?? "")).toMatchObject({ comment: text });
    };
    await comment("before", 1);
    const { secret } = await todoku.admin.call("POST", `${path}/rotate`, { overlapSeconds: 600 }, secretSchema);
    await comment("between", 2);
    await todoku.admin.call("POST", "/v1/secrets/course-comments-signing-comment", { value: secret }, anyAnswer);
    await comment("after", 3);
    told.subscription.unsubscribe();
    const state = z.object({ deadLetters: z.object({ count: z.number() }) });
    expect((await todoku.admin.call("GET", path, undefined, state)).deadLetters.count).toBe(0);
  });
});
