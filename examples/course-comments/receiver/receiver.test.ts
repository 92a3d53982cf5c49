// The receiver without Todoku: what it makes of deliveries, also of those that come twice, at once, or after a failure.
import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../task-notifications/testing/log.ts";
import { parseComment } from "../shared/kept-comment.ts";
import type { Kind } from "../shared/names.ts";
import { aDelivery, type DeliveryTraits, newSecret } from "../testing/delivery.ts";
import { KeptInMemory } from "../testing/kept.ts";
import { createApp } from "./start-receiver.ts";
import { PhraseTranslator } from "./translator.ts";
import { Turns } from "./turns.ts";
import { verifyDelivery } from "./verify.ts";

const secret = newSecret();
let kept: KeptInMemory;
let app: ReturnType<typeof createApp>;

beforeEach(() => {
  kept = new KeptInMemory();
  kept.items.set("name/alice", "Alice");
  const tools = { kept, teller: kept, translator: new PhraseTranslator(), turns: new Turns(), log: silentLog };
  app = createApp(async (_kind, headers, body) => verifyDelivery(secret, headers, body), tools, silentLog);
});

async function deliver(kind: Kind, message: unknown, traits: DeliveryTraits = {}): Promise<number> {
  const { body, headers } = aDelivery(secret, JSON.stringify(message), traits);
  return (await app.request(`/webhooks/${kind}`, { method: "POST", body, headers })).status;
}
const comment = { courseId: "kanji", comment: "This course and video is awesome!" };
const listOf = (courseId: string) => (kept.lists.get(`comments/${courseId}`) ?? []).map(parseComment);

describe("a comment", () => {
  it("is kept in the list of its course, and told to its pages with the author's name", async () => {
    expect(await deliver("comment", comment)).toBe(204);
    const expected = {
      ...{ id: expect.stringContaining("msg_"), userId: "alice", name: "Alice", comment: comment.comment },
      atMs: expect.any(Number),
    };
    expect(listOf("kanji")).toEqual([expected]);
    expect(kept.told).toEqual([{ topic: "comments/kanji", message: expected }]);
  });

  it("is its publisher's, whatever it claims to be", async () => {
    const claims = { userId: "bob", userID: "bob", token_id: "bob", tokenId: "bob", name: "Bob", id: "mine", atMs: 0 };
    await deliver("comment", { ...comment, ...claims });
    expect(listOf("kanji")).toEqual([expect.objectContaining({ userId: "alice" })]);
    expect(kept.told).toEqual([{ topic: "comments/kanji", message: expect.objectContaining({ name: "Alice" }) }]);
    expect(listOf("kanji")[0]?.id).not.toBe("mine");
    expect(listOf("kanji")[0]?.atMs).not.toBe(0);
  });

  it("is kept once when its delivery comes again, after it or at the same time", async () => {
    const statuses = await Promise.all([1, 2, 3].map(() => deliver("comment", comment)));
    expect(statuses).toEqual([204, 204, 204]);
    await deliver("comment", comment);
    expect(listOf("kanji")).toHaveLength(1);
    expect(new Set(kept.told.map(({ message }) => message.id)).size).toBe(1);
  });

  it("is kept once when its page published it twice, for no answer came", async () => {
    const withKey = { ...comment, key: randomUUID() };
    await deliver("comment", withKey, { webhookId: "msg_a_1_1" });
    await deliver("comment", withKey, { webhookId: "msg_a_1_2" });
    expect(listOf("kanji")).toHaveLength(1);
    await deliver("comment", withKey, { webhookId: "msg_a_1_3", payload: { token_id: "bob" } });
    expect(listOf("kanji").map((one) => one?.userId)).toEqual(["bob", "alice"]);
  });

  it("is kept twice when it was written twice", async () => {
    await deliver("comment", comment, { webhookId: "msg_a_1_1" });
    await deliver("comment", comment, { webhookId: "msg_a_1_2" });
    expect(listOf("kanji")).toHaveLength(2);
  });

  it.each(["list", "push", "nameOf", "tell"])("is kept and told when %s failed the first time", async (call) => {
    let failures = 1;
    kept.before = (name) => {
      if (name === call && failures-- > 0) throw new Error("away");
    };
    expect(await deliver("comment", comment)).toBe(503);
    expect(await deliver("comment", comment)).toBe(204);
    expect(listOf("kanji")).toHaveLength(1);
    expect(kept.told.length).toBeGreaterThanOrEqual(1);
  });

  it("takes the article's numbers for course ids as far as there is such a course, and 500 comments of each", async () => {
    expect(await deliver("comment", { ...comment, courseId: 123 })).toBe(204);
    expect(kept.lists.size).toBe(0);
    kept.lists.set(
      "comments/kanji",
      Array.from({ length: 500 }, () => "x"),
    );
    await deliver("comment", comment);
    expect(kept.lists.get("comments/kanji")).toHaveLength(500);
    expect(listOf("kanji")[0]).toMatchObject({ userId: "alice" });
  });

  it.each<[string, unknown, DeliveryTraits]>([
    ["is no JSON object", "just a text", {}],
    ["names an unknown course", { ...comment, courseId: "../kanji" }, {}],
    ["is empty", { ...comment, comment: "  " }, {}],
    ["is too long", { ...comment, comment: "x".repeat(1001) }, {}],
    ["was published with a key, by no user", comment, { payload: { token_id: "" } }],
    ["is bytes", comment, { payload: { text: undefined } }],
    ["is a test", comment, { webhookId: "msg_test_x" }],
  ])("is answered with 204 and passed over when it %s", async (_, message, traits) => {
    expect(await deliver("comment", message, traits)).toBe(204);
    expect(kept.lists.size + kept.told.length).toBe(0);
  });

  it("whose signature is wrong is answered with 401 and kept nowhere", async () => {
    const { body, headers } = aDelivery(newSecret(), JSON.stringify(comment));
    const answer = await app.request("/webhooks/comment", { method: "POST", body, headers });
    expect([answer.status, await answer.json()]).toEqual([401, { message: "momento-signature is wrong or missing" }]);
    expect(kept.lists.size).toBe(0);
  });

  it("that is too large is answered with 413", async () => {
    const body = "x".repeat(2 * 1024 * 1024 + 1);
    expect((await app.request("/webhooks/comment", { method: "POST", body })).status).toBe(413);
    expect((await app.request("/webhooks/other", { method: "POST", body: "{}" })).status).toBe(404);
  });
});

describe("a vote", () => {
  const vote = (option: string) => ({ pollId: "live-lesson", option });

  it("counts once for each user, and the last one wins", async () => {
    await deliver("vote", vote("noon"), { atMs: Date.now() - 50, webhookId: "msg_v_1_1" });
    await deliver("vote", vote("evening"), { webhookId: "msg_v_1_2" });
    await deliver("vote", vote("evening"), { webhookId: "msg_v_1_3", payload: { token_id: "bob" } });
    expect(kept.told.at(-1)).toEqual({ topic: "poll/live-lesson", message: { version: 3, counts: { evening: 2 } } });
  });

  it("that is delivered again changes nothing of what came after it", async () => {
    const atMs = Date.now();
    const first = { payload: { event_timestamp: atMs, topic_sequence_number: 1 } };
    await deliver("vote", vote("noon"), first);
    await deliver("vote", vote("evening"), { payload: { event_timestamp: atMs, topic_sequence_number: 2 } });
    await deliver("vote", vote("noon"), first);
    expect(kept.told.at(-1)?.message).toEqual({ version: 2, counts: { evening: 1 } });
  });
});

describe("a line of the chat", () => {
  it("is told to every room in its language, under the name that belongs to the token id", async () => {
    await deliver("chat", { language: "en", text: "Good morning!", name: "Bob", token_id: "bob" });
    const rooms = Object.fromEntries(kept.told.map(({ topic, message }) => [topic, message]));
    const texts = Object.fromEntries(Object.entries(rooms).map(([topic, { text }]) => [topic, text]));
    expect(texts).toEqual({
      "room/en": "Good morning!",
      "room/de": "Guten Morgen!",
      "room/ja": "おはようございます!",
      "room/fr": "Bonjour!",
    });
    for (const message of Object.values(rooms)) expect(message).toMatchObject({ name: "Alice", userId: "alice" });
    expect(rooms["room/de"]).toMatchObject({ original: { language: "en", text: "Good morning!" } });
  });
});
