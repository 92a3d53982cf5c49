// The actions over real sockets of a whole server.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type GatewayClient, socketUrl } from "../../../../test/support/gateway.ts";
import { JsonApi } from "../../../../test/support/json-api.ts";
import { aServer } from "../../../../test/support/server.ts";
import { limits } from "../../../domain/limits.ts";

let server: Awaited<ReturnType<typeof aServer>>;
let api: JsonApi;
let topicNumber = 0;
/** A topic that no other test uses. */
const aPlace = () => ({ cache: "demo", topic: `t${++topicNumber}` });
const open = (user = "alice") => connect(socketUrl(server, `/push?user=${user}`));
const publish = (place: { cache: string; topic: string }, body: object) =>
  api.post(`/v1/topics/${place.cache}/${place.topic}`, body);

const follow = (topic: string) => ({
  resource: "topic",
  role: "subscribe",
  cache: { name: "demo" },
  topic: { name: topic },
});
const watch = (user: string) => ({ resource: "presence", role: "watch", user: { name: user } });
async function aToken(grants: readonly object[], more: object = {}): Promise<string> {
  const { token } = (await api.post("/v1/tokens", { grants, validForSeconds: 3600, ...more })) as { token: string };
  return token;
}
const openWith = (credential: string) => connect(socketUrl(server), {}, ["todoku.v1", `bearer.${credential}`]);

/** Connections that no test reads any more would hold up the next one's presence. */
async function using<T>(client: GatewayClient, act: (client: GatewayClient) => Promise<T>): Promise<T> {
  try {
    return await act(client);
  } finally {
    await client.close();
  }
}

const subscriptions = async () => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^todoku_subscriptions\{environment="dev"\} (\d+)$/m.exec(text)?.[1]);
};

beforeAll(async () => {
  server = await aServer({ gateway: { presence: { graceSeconds: 0 } } });
  api = new JsonApi(server.port);
  await api.post("/v1/caches", { name: "demo" });
});
afterAll(() => server?.[Symbol.asyncDispose]());

describe("topics.subscribe", () => {
  it("answers with the position first, then gives each item as HTTP has it", async () => {
    const place = aPlace();
    const before = await publish(place, { text: "before" });
    const client = await open();
    expect(await client.ask({ action: "topics.subscribe", ...place, id: "s" })).toEqual({
      ...{ type: "subscribed", id: "s", position: before.position },
      ...place,
    });
    const attributes = { kind: { type: "String", value: "届" } };
    const first = await publish(place, { text: 'quote " and 届く\u2028', attributes });
    const second = await publish(place, { binary: "AAH/" });
    const { items } = await api.get(`/v1/topics/demo/${place.topic}/items?after=${before.position}`);
    expect(await client.nextOnes(2)).toEqual([
      {
        ...{ type: "item", ...place, position: first.position, text: 'quote " and 届く\u2028', attributes },
        publishedAtMs: items[0].publishedAtMs,
      },
      {
        ...{ type: "item", ...place, position: second.position, base64: "AAH/" },
        publishedAtMs: items[1].publishedAtMs,
      },
    ]);
    await client.close();
  });

  it("gives what is kept behind a position, then what comes, with nothing between and nothing twice", async () => {
    const place = aPlace();
    const client = await open();
    client.send(...Array.from({ length: 600 }, (_, i) => ({ action: "topics.publish", ...place, text: `m${i}` })));
    const positions = (await client.nextOnes(600)).map(({ position }) => position);
    client.send({ action: "topics.subscribe", ...place, after: positions[99] });
    const live = Promise.all(Array.from({ length: 50 }, (_, i) => publish(place, { text: `l${i}` })));
    expect((await client.next()).position).toBe(positions[99]);
    const texts = (await client.nextOnes(550)).map(({ text }) => text);
    expect(texts.slice(0, 500)).toEqual(Array.from({ length: 500 }, (_, i) => `m${i + 100}`));
    expect(new Set(texts.slice(500)).size).toBe(50);
    await live;
    expect(await client.rest()).toEqual([]);
    await client.close();
  });

  it("tells of one discontinuity when it is asked for what is not kept", async () => {
    const place = aPlace();
    const { position } = await publish(place, { text: "kept" });
    const [page] = position.split("-");
    const client = await open();
    await client.ask({ action: "topics.subscribe", ...place, after: "1-7" });
    expect(await client.nextOnes(2)).toMatchObject([
      { type: "discontinuity", ...place, after: "1-7", now: `${page}-0` },
      { type: "item", ...place, position, text: "kept" },
    ]);
    await client.close();
  });

  it.each([
    [{ topic: "t" }, "invalid_argument", '"cache": is missing'],
    [{ cache: "demo", topic: 7 }, "invalid_argument", '"topic": must be a text'],
    [{ cache: "demo", topic: " " }, "invalid_argument", "topic name must not be empty"],
    [
      { cache: "demo", topic: "t", after: "7" },
      "invalid_argument",
      '"after": must be a position, written <page>-<sequence>',
    ],
    [{ cache: "nowhere", topic: "t" }, "not_found", 'cache "nowhere" does not exist'],
  ])("refuses %j with a sentence", async (fields, code, message) => {
    const client = await open();
    const answer = await client.ask({ action: "topics.subscribe", id: "x", ...fields });
    expect(answer).toMatchObject({ type: "error", action: "topics.subscribe", id: "x", error: { code } });
    expect((answer.error as { message: string }).message).toContain(message);
    await client.close();
  });

  it("refuses a topic that the connection follows already, and one too many", async () => {
    const client = await open();
    const place = aPlace();
    await client.ask({ action: "topics.subscribe", ...place });
    expect(await client.ask({ action: "topics.subscribe", ...place })).toMatchObject({
      error: { code: "already_exists" },
    });
    const max = limits.gateway.subscriptionsMax;
    for (let i = 1; i < max; i++) client.send({ action: "topics.subscribe", ...aPlace() });
    expect((await client.nextOnes(max - 1)).every(({ type }) => type === "subscribed")).toBe(true);
    expect(await client.ask({ action: "topics.subscribe", ...aPlace() })).toMatchObject({
      error: { code: "limit_exceeded", message: `this connection follows ${max} topics; must be <= ${max}` },
    });
    await client.ask({ action: "topics.unsubscribe", ...place });
    expect(await client.ask({ action: "topics.subscribe", ...aPlace() })).toMatchObject({ type: "subscribed" });
    await client.close();
  });

  it("says why it ended when the cache is deleted", async () => {
    await api.post("/v1/caches", { name: "brief" });
    const client = await open();
    await client.ask({ action: "topics.subscribe", cache: "brief", topic: "t" });
    await api.call("DELETE", "/v1/caches/brief");
    const error = { code: "not_found", message: 'cache "brief" was deleted' };
    expect(await client.next()).toEqual({ type: "unsubscribed", cache: "brief", topic: "t", error });
    expect(await client.ask({ action: "topics.unsubscribe", cache: "brief", topic: "t" })).toMatchObject({
      error: { code: "not_found" },
    });
    await client.close();
  });

  it("needs a grant for the topic", async () => {
    const place = aPlace();
    const client = await openWith(await aToken([follow(place.topic)]));
    expect(await client.ask({ action: "topics.subscribe", ...place })).toMatchObject({ type: "subscribed" });
    expect(await client.ask({ action: "topics.subscribe", ...aPlace() })).toMatchObject({
      error: { code: "permission_denied" },
    });
    expect(await client.ask({ action: "topics.publish", ...place, text: "x" })).toMatchObject({
      error: { code: "permission_denied" },
    });
    await client.close();
  });

  it("gives a client that has not read for a while everything, in order, and holds up nobody else", async () => {
    const place = aPlace();
    const [slow, fast] = [await open("slow"), await open("fast")];
    for (const client of [slow, fast]) await client.ask({ action: "topics.subscribe", ...place });
    slow.socket.pause();
    const count = 40;
    const texts = Array.from({ length: count }, (_, i) => `${i} ${"x".repeat(250_000)}`);
    for (const text of texts) {
      await publish(place, { text });
      expect((await fast.next()).text).toBe(text);
    }
    slow.socket.resume();
    expect((await slow.nextOnes(count)).map(({ text }) => text)).toEqual(texts);
    await publish(place, { text: "live again" });
    expect(await slow.next()).toMatchObject({ text: "live again" });
    await Promise.all([slow.close(), fast.close()]);
  });

  it("does not close a client for what waits of a topic when a notification comes, however small the outbox is", async () => {
    await using small = await aServer({ gateway: { outboxMaxBytes: limits.gateway.messageMaxBytes } });
    const its = new JsonApi(small.port);
    await its.post("/v1/caches", { name: "demo" });
    const place = { cache: "demo", topic: "t" };
    const client = await connect(socketUrl(small, "/push?user=alice"));
    await client.ask({ action: "topics.subscribe", ...place });
    client.socket.pause();
    // More than a loopback connection holds.
    for (let i = 0; i < 40; i++) await its.post("/v1/topics/demo/t", { text: "x".repeat(250_000) });
    const sent = await its.post("/v1/notifications", { users: ["alice"], data: { type: "note" } });
    expect(sent).toMatchObject({ connections: 1, undelivered: 0 });
    client.socket.resume();
    const frames = await client.nextOnes(41);
    expect(frames.filter(({ type }) => type === "item")).toHaveLength(40);
    await client.close();
  });

  it("goes on until the server that stops ends the connection as a whole", async () => {
    await using stopping = await aServer();
    const its = new JsonApi(stopping.port);
    await its.post("/v1/caches", { name: "demo" });
    const client = await connect(socketUrl(stopping, "/push?user=alice"));
    await client.ask({ action: "topics.subscribe", cache: "demo", topic: "t" });
    await stopping.close();
    expect((await client.closed)[0]).toBe(1012);
    expect(client.frames.slice(1)).toMatchObject([{ type: "disconnect", reconnect: true }]);
  });

  it("leaves nothing when a connection is cut", async () => {
    const before = await subscriptions();
    const client = await open();
    for (let i = 0; i < 10; i++) await client.ask({ action: "topics.subscribe", ...aPlace() });
    expect(await subscriptions()).toBe(before + 10);
    client.send({ action: "topics.subscribe", ...aPlace() });
    client.socket.terminate();
    await expect.poll(subscriptions).toBe(before);
  });
});

describe("topics.unsubscribe", () => {
  it("answers, and gives nothing of the topic behind its answer", async () => {
    const [place, other] = [aPlace(), aPlace()];
    const client = await open();
    for (const one of [place, other]) await client.ask({ action: "topics.subscribe", ...one });
    expect(await client.ask({ action: "topics.unsubscribe", ...place, id: "u" })).toEqual({
      ...{ type: "unsubscribed", id: "u" },
      ...place,
    });
    await publish(place, { text: "unheard" });
    await publish(other, { text: "heard" });
    expect(await client.rest()).toMatchObject([{ type: "item", ...other, text: "heard" }]);
    await client.close();
  });
});

describe("topics.publish", () => {
  it("takes many frames of one chunk in their order, and answers in it", async () => {
    const place = aPlace();
    const client = await open();
    await client.ask({ action: "topics.subscribe", ...place });
    const count = 1000;
    // Corked, they leave in as few segments as fit.
    const tcp = (client.socket as unknown as { _socket: { cork(): void; uncork(): void } })._socket;
    tcp.cork();
    for (let i = 0; i < count; i++) client.send({ action: "topics.publish", ...place, text: `m${i}`, id: String(i) });
    tcp.uncork();
    const frames = await client.nextOnes(2 * count);
    const numbers = Array.from({ length: count }, (_, i) => String(i));
    const published = frames.filter(({ type }) => type === "published");
    expect(published.map(({ id }) => id)).toEqual(numbers);
    const items = frames.filter(({ type }) => type === "item");
    expect(items.map(({ text }) => text)).toEqual(numbers.map((n) => `m${n}`));
    expect(items.map(({ position }) => position)).toEqual(published.map(({ position }) => position));
    await client.close();
  });

  it("stamps items with the token's id, whatever the client says", async () => {
    const place = aPlace();
    const role = { ...follow(place.topic), role: "publish-subscribe" };
    const client = await openWith(await aToken([role], { tokenId: "device-7" }));
    await client.ask({ action: "topics.subscribe", ...place });
    client.send({ action: "topics.publish", ...place, text: "x", tokenId: "somebody else" });
    expect(await client.next()).toMatchObject({ type: "item", text: "x", tokenId: "device-7" });
    await client.close();
  });

  it("answers a repeat with the first position", async () => {
    const place = aPlace();
    const client = await open();
    const frame = { action: "topics.publish", ...place, base64: "AAH/", messageId: "m-1" };
    const first = await client.ask(frame);
    expect(first).toEqual({ type: "published", ...place, position: first.position, isRepeat: false });
    expect(await client.ask(frame)).toEqual({ ...first, isRepeat: true });
    await client.close();
  });

  it.each([
    [{}, 'must have either "text" or "base64"'],
    [{ text: "a", base64: "AA==" }, 'must have either "text" or "base64"'],
    [{ base64: "?" }, '"base64": must be base64'],
    [{ text: "\ud800" }, '"text": must be well-formed Unicode'],
    [{ text: "" }, "a text message must not be empty"],
    [{ text: "x", attributes: { a: { type: "String" } } }, '"attributes.a.value"'],
    [
      { text: "x", attributes: JSON.parse('{"__proto__":{"type":"String","value":"x"}}') },
      '"__proto__" is not allowed',
    ],
    [{ text: "x", messageId: "" }, "messageId has 0 characters"],
  ])("refuses %j with a sentence", async (fields, message) => {
    const client = await open();
    // JSON.stringify writes half a surrogate pair as an escape, as a hostile client would.
    const answer = await client.ask({ action: "topics.publish", ...aPlace(), ...fields });
    expect(answer).toMatchObject({ type: "error", error: { code: "invalid_argument" } });
    expect((answer.error as { message: string }).message).toContain(message);
    await client.close();
  });
});

describe("auth.refresh", () => {
  const alice = { userId: "alice" };

  it("goes on with a new token of the same user, beyond the old one's end", async () => {
    const place = aPlace();
    const old = await aToken([follow(place.topic)], alice);
    const client = await openWith(old);
    await client.ask({ action: "topics.subscribe", ...place });
    const token = await aToken([follow(place.topic)], alice);
    const refreshed = await client.ask({ action: "auth.refresh", token, id: "r" });
    expect(refreshed).toEqual({ type: "auth.refreshed", expiresAtMs: expect.any(Number), id: "r" });
    await api.post("/v1/revocations", { token: old });
    await publish(place, { text: "still here" });
    expect(await client.next()).toMatchObject({ type: "item", text: "still here" });
    await api.post("/v1/revocations", { token });
    expect((await client.closed)[0]).toBe(4401);
  });

  it("ends what the new token may not follow or watch, and leaves the rest", async () => {
    const [kept, lost] = [aPlace(), aPlace()];
    const client = await openWith(
      await aToken([follow(kept.topic), follow(lost.topic), watch("bob"), watch("carol")], alice),
    );
    for (const place of [kept, lost]) await client.ask({ action: "topics.subscribe", ...place });
    await client.ask({ action: "presence.watch", users: ["bob", "carol"] });
    client.send({ action: "auth.refresh", token: await aToken([follow(kept.topic), watch("carol")], alice) });
    expect(await client.nextOnes(3)).toMatchObject([
      { type: "unsubscribed", ...lost, error: { code: "permission_denied" } },
      { type: "presence.unwatched", users: ["bob"], error: { code: "permission_denied" } },
      { type: "auth.refreshed" },
    ]);
    await publish(lost, { text: "unheard" });
    await publish(kept, { text: "heard" });
    await using(await open("bob"), async () => {});
    await using(await open("carol"), async () => {
      expect(await client.nextOnes(2)).toMatchObject([
        { type: "item", text: "heard" },
        { type: "presence", message: { user_id: "carol", status: "ONLINE" } },
      ]);
    });
    await client.close();
  });

  it.each([
    ["of another user", { userId: "bob" }, "another user"],
    ["of nobody", {}, "another user"],
  ])("refuses a token %s, and nothing changes", async (_, more, message) => {
    const place = aPlace();
    const client = await openWith(await aToken([follow(place.topic)], alice));
    await client.ask({ action: "topics.subscribe", ...place });
    const answer = await client.ask({ action: "auth.refresh", token: await aToken([follow("none")], more) });
    expect(answer).toMatchObject({ type: "error", action: "auth.refresh", error: { code: "permission_denied" } });
    expect((answer.error as { message: string }).message).toContain(message);
    await publish(place, { text: "on" });
    expect(await client.next()).toMatchObject({ text: "on" });
    await client.close();
  });

  it("takes for a connection without a user what has the same token id, and nothing else", async () => {
    const client = await openWith(await aToken([follow("none")], { tokenId: "screen-1" }));
    const token = await aToken([follow("none")], { tokenId: "screen-1" });
    expect(await client.ask({ action: "auth.refresh", token })).toMatchObject({ type: "auth.refreshed" });
    for (const more of [{ tokenId: "screen-2" }, {}, { tokenId: "screen-1", userId: "alice" }]) {
      expect(await client.ask({ action: "auth.refresh", token: await aToken([follow("none")], more) })).toMatchObject({
        error: { code: "permission_denied" },
      });
    }
    await client.close();
  });

  it("refuses what is no credential, an empty one, and one of another environment, without repeating it", async () => {
    const { key } = await api.post("/v1/environments", { name: "other" });
    const client = await openWith(await aToken([follow("none")], alice));
    const forged = "todoku_forged_secret";
    const refused = await client.ask({ action: "auth.refresh", token: forged });
    expect(refused).toMatchObject({ type: "error", error: { code: "unauthenticated" } });
    expect(JSON.stringify(refused)).not.toContain(forged);
    expect(await client.ask({ action: "auth.refresh", token: "" })).toMatchObject({
      error: { code: "invalid_argument" },
    });
    const other = new JsonApi(server.port, key.apiKey);
    const { token } = await other.post("/v1/tokens", {
      grants: [follow("none")],
      validForSeconds: 60,
      userId: "alice",
    });
    expect(await client.ask({ action: "auth.refresh", token })).toMatchObject({ error: { code: "permission_denied" } });
    await client.close();
  });
});

describe("presence.watch", () => {
  it("answers with the states of now, each user once", async () => {
    const client = await open("watcher");
    await client.ask({ action: "presence.watch", users: ["dave"] });
    await using(await open("dave"), async () => {
      const { message } = await client.next();
      expect(await client.ask({ action: "presence.watch", users: ["kim", "dave", "kim"], id: "w" })).toEqual({
        ...{ type: "presence.watching", id: "w" },
        users: [{ user_id: "kim", status: "OFFLINE", seq: 0 }, message],
      });
    });
    expect(await client.next()).toMatchObject({ message: { user_id: "dave", status: "OFFLINE" } });
    expect(await client.rest()).toEqual([]);
    await client.close();
  });

  it("tells alternating states with a growing counter", async () => {
    const client = await open("watcher2");
    await client.ask({ action: "presence.watch", users: ["erin"] });
    const messages: { status: string; seq: number; timestamp: number }[] = [];
    const take = async () => messages.push((await client.next()).message as (typeof messages)[0]);
    for (let i = 0; i < 4; i++) {
      const erin = await open("erin");
      await take();
      await erin.close();
      await take();
    }
    expect(messages.map(({ status }) => status)).toEqual(Array(4).fill(["ONLINE", "OFFLINE"]).flat());
    for (let i = 1; i < messages.length; i++) {
      expect(messages[i]?.seq).toBeGreaterThan(messages[i - 1]?.seq ?? 0);
    }
    expect(Math.abs((messages[0]?.timestamp ?? 0) - Date.now() / 1000)).toBeLessThan(60);
    await client.close();
  });

  it("names the first user whom it may not see, and then watches nobody", async () => {
    const client = await openWith(await aToken([watch("frank")], { userId: "alice" }));
    expect(await client.ask({ action: "presence.watch", users: ["frank", "grace"] })).toEqual({
      ...{ type: "error", action: "presence.watch" },
      error: { code: "permission_denied", message: 'this credential may not do presence.watch on user "grace"' },
    });
    expect(await client.ask({ action: "presence.unwatch" })).toEqual({ type: "presence.unwatched", users: [] });
    await client.close();
  });

  it("watches as many users as its bound says, all frames together", async () => {
    const client = await open("watcher3");
    const max = limits.gateway.watchedUsersMax;
    const users = Array.from({ length: max }, (_, i) => `user-${i}`);
    const { users: states } = await client.ask({ action: "presence.watch", users });
    expect(states).toHaveLength(max);
    expect(await client.ask({ action: "presence.watch", users: ["user-0"] })).toMatchObject({
      type: "presence.watching",
    });
    expect(await client.ask({ action: "presence.watch", users: ["one-more"] })).toMatchObject({
      error: { code: "limit_exceeded", message: expect.stringContaining(`must be <= ${max}`) },
    });
    expect(await client.ask({ action: "presence.watch", users: [...users, "one-more"] })).toMatchObject({
      error: { code: "invalid_argument", message: expect.stringContaining('"users"') },
    });
    await client.close();
  });

  it("stops for those that presence.unwatch names, else for all", async () => {
    const client = await open("watcher4");
    await client.ask({ action: "presence.watch", users: ["heidi", "ivan", "judy"] });
    expect(await client.ask({ action: "presence.unwatch", users: ["ivan", "nobody"], id: "u" })).toEqual({
      ...{ type: "presence.unwatched", users: ["ivan"], id: "u" },
    });
    await using(await open("ivan"), async () => {});
    await using(await open("judy"), async () => {
      expect(await client.next()).toMatchObject({ message: { user_id: "judy", status: "ONLINE" } });
    });
    expect(await client.next()).toMatchObject({ message: { user_id: "judy", status: "OFFLINE" } });
    expect(await client.ask({ action: "presence.unwatch" })).toMatchObject({ users: ["heidi", "judy"] });
    await client.close();
  });
});
