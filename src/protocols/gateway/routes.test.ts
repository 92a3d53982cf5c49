// Frames of clients, over a real server: the rows of the table of edge cases that are about them, with `ws` as the client.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type Frame, type GatewayClient, refusal, socketUrl } from "../../../test/support/gateway.ts";
import { aServer } from "../../../test/support/server.ts";
import { md5OfAttributes, md5OfBody } from "../aws-md5.ts";

let server: Awaited<ReturnType<typeof aServer>>;
let alice: GatewayClient;
const at = (path: string) => socketUrl(server, path);

beforeAll(async () => {
  server = await aServer({
    gateway: {
      presence: { to: [] }, // who came and left would be published to the topic in between
      endpoints: [
        { path: "/push" },
        { path: "/default", routes: { $default: "send" } },
        { path: "/own", routes: { order: "publish", invoice: "send" }, routeSelection: "${request.body.kind}" },
        { path: "/text", routes: { $default: "publish" }, routeSelection: "\\$default" },
        { path: "/aws", ackStyle: "aws" },
      ],
    },
  });
  alice = await connect(at("/push?user=alice"));
});
afterAll(async () => {
  alice.socket.terminate();
  await server[Symbol.asyncDispose]();
});

const json = { "content-type": "application/json" };

/** The newest message of the topic. */
async function lastItem(): Promise<Frame> {
  const { items } = await (await fetch(`${server.url}/v1/topics/events/messages/items?limit=1000`)).json();
  return items.at(-1);
}

/** Takes one message out of the queue. */
async function received(): Promise<Frame> {
  const queue = `${server.url}/v1/queues/messages`;
  const body = JSON.stringify({ maxMessages: 1, waitSeconds: 5 });
  const { messages } = await (await fetch(`${queue}/receive`, { method: "POST", headers: json, body })).json();
  const [message] = messages;
  const { receiptHandle } = message;
  await fetch(`${queue}/delete`, { method: "POST", headers: json, body: JSON.stringify({ receiptHandle }) });
  return message;
}

const trusted = (route: string, userId = "alice") => ({
  user_id: { type: "String", value: userId },
  timestamp: { type: "Number", value: expect.stringMatching(/^\d{13}$/) },
  source: { type: "String", value: `apigw.route.${route}` },
});
const idPattern = /^[\w-]{15}=$/;
const errorFrame = (message: string) => ({
  message,
  connectionId: expect.stringMatching(idPattern),
  requestId: expect.stringMatching(idPattern),
});

describe("ping", () => {
  it("is answered with the connection's id, and with the id of the frame when it has one", async () => {
    const pong = { type: "pong", statusCode: 200, connectionId: expect.stringMatching(idPattern) };
    expect(await alice.ask({ action: "ping" })).toEqual(pong);
    expect(await alice.ask({ action: "ping", id: "7" })).toEqual({ ...pong, id: "7" });
  });

  it("needs no user", async () => {
    const stranger = await connect(at("/push"));
    expect(await stranger.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    await stranger.close();
  });
});

describe("publish", () => {
  it("goes to the topic messages as JSON text, with attributes that name the sender", async () => {
    const message = { type: "message", message: { text: "hi", user_id: "mallory" } };
    const ack = await alice.ask({ action: "publish", message, id: "a" });
    const item = await lastItem();
    expect(ack).toEqual({
      ...{ type: "ack", action: "publish", id: "a", requestId: expect.stringMatching(idPattern) },
      ...{ position: item.position, messageId: item.position },
    });
    expect(item).toMatchObject({ text: JSON.stringify(message), tokenId: "alice", attributes: trusted("publish") });
    const timestamp = Number((item.attributes as { timestamp: { value: string } }).timestamp.value);
    expect(Math.abs(Date.now() - timestamp)).toBeLessThan(60_000);
  });

  it("takes a text as it is, and passes over other keys, attributes too", async () => {
    await alice.ask({
      action: "publish",
      message: "just text",
      attributes: { user_id: "mallory" },
      user_id: "mallory",
    });
    expect(await lastItem()).toMatchObject({ text: "just text", attributes: trusted("publish") });
  });

  it("of the same messageId is published once, and another user's is another one", async () => {
    const first = await alice.ask({ action: "publish", message: "once", messageId: "m" });
    const again = await alice.ask({ action: "publish", message: "twice", messageId: "m" });
    expect([first.messageId, again.position]).toEqual(["m", first.position]);
    const bob = await connect(at("/push?user=bob"));
    const others = await bob.ask({ action: "publish", message: "bob's", messageId: "m" });
    expect(others.position).not.toBe(first.position);
    await bob.close();
  });

  it("answers in the order of the frames", async () => {
    const client = await connect(at("/push?user=carol"));
    for (let n = 0; n < 500; n++) client.send({ action: "publish", message: `${n}`, id: `${n}` });
    await client.until(() => (client.frames.length === 500 ? true : undefined));
    expect(client.frames.map(({ id }) => id)).toEqual(Array.from({ length: 500 }, (_, n) => `${n}`));
    await client.close();
  });
});

describe("send", () => {
  it("goes to the queue messages, with attributes that name the sender", async () => {
    const ack = await alice.ask({ action: "send", message: { type: "message", message: {} } });
    const message = await received();
    expect(ack).toEqual({ type: "ack", action: "send", messageId: message.messageId, requestId: expect.any(String) });
    expect(message).toMatchObject({ body: '{"type":"message","message":{}}', attributes: trusted("send") });
  });
});

describe("a message that cannot be sent", () => {
  it.each([
    ["without a message", { action: "send" }],
    ["with an empty one", { action: "publish", message: "" }],
    ["with a messageId that is none", { action: "send", message: "x", messageId: 5 }],
    ["with an empty messageId", { action: "send", message: "x", messageId: "" }],
    ["with a messageId that is too long", { action: "publish", message: "x", messageId: "x".repeat(129) }],
    ["that is half a character", '{"action":"send","message":"\\ud800"}'],
  ])("%s is answered with Bad request body", async (_, frame) => {
    expect(await alice.ask(frame)).toEqual({
      ...errorFrame("Bad request body"),
      error: { code: "invalid_argument", message: expect.any(String) },
    });
  });

  it("because nobody has signed in is answered with Forbidden", async () => {
    const stranger = await connect(at("/push"));
    for (const action of ["publish", "send"]) {
      const answer = await stranger.ask({ action, message: "x", id: action });
      expect(answer).toMatchObject({ ...errorFrame("Forbidden"), id: action, error: { code: "permission_denied" } });
    }
    await stranger.close();
  });

  it("is nested 60,000 deep, and does no harm", async () => {
    const deep = "[".repeat(60_000) + "]".repeat(60_000);
    expect(await alice.ask(`{"action":"publish","message":${deep}}`)).toHaveProperty("requestId");
    expect(await alice.ask({ action: "ping" })).toMatchObject({ type: "pong" });
  });
});

describe("a frame that names no route", () => {
  it.each([
    ["no JSON", "hello"],
    ["an array", "[]"],
    ["a number", "5"],
    ["null", "null"],
    ["an action that is no text", { action: 5 }],
    ["an unknown action", { action: "nothing" }],
    ["$connect", { action: "$connect" }],
    ["$disconnect", { action: "$disconnect" }],
    ["$default", { action: "$default" }],
    ["the name of something inherited", { action: "constructor" }],
    ["an inherited action", '{"__proto__":{"action":"ping"}}'],
    ["an empty text", '""'],
  ])("%s: is Forbidden, and in dev mode told which there are", async (_, frame) => {
    expect(await alice.ask(frame)).toEqual({
      ...errorFrame("Forbidden"),
      error: { code: "permission_denied", message: expect.any(String) },
      supported: expect.arrayContaining(["ping", "publish", "send", "topics.subscribe"]),
    });
  });

  it.each([
    ["hello", "this frame is no JSON object"],
    ["[]", "this frame is no JSON object"],
    ["{}", "this frame names no action"],
    ['{"action":"order"}', 'there is no action "order"'],
  ])("%j is told what it lacks: %s", async (frame, message) => {
    expect(await alice.ask(frame)).toMatchObject({ error: { message } });
  });

  it.each(["hello", "[]", "null", '{"action":"$default"}', '{"action":"nothing"}'])(
    "%j goes to $default when there is one, as it stands",
    async (text) => {
      const client = await connect(at("/default?user=alice"));
      expect(await client.ask(text)).toMatchObject({ type: "ack", action: "$default" });
      expect(await received()).toMatchObject({ body: text, attributes: trusted("$default") });
      expect(await client.ask({ action: "ping" })).toMatchObject({ type: "pong" });
      await client.close();
    },
  );
});

describe("routes of the operator's own", () => {
  it("are chosen by the endpoint's expression, and carry the whole frame", async () => {
    const client = await connect(at("/own?user=alice"));
    const order = { kind: "order", what: ["tea"] };
    expect(await client.ask(order)).toMatchObject({ type: "ack", action: "order", position: expect.any(String) });
    expect(await lastItem()).toMatchObject({ text: JSON.stringify(order), attributes: trusted("order") });
    const invoice = { kind: "invoice", id: "i" };
    expect(await client.ask(invoice)).toMatchObject({ type: "ack", action: "invoice", id: "i" });
    expect(await received()).toMatchObject({ body: JSON.stringify(invoice), attributes: trusted("invoice") });
    expect(await client.ask({ action: "ping" })).toMatchObject({ message: "Forbidden" });
    expect(await client.ask({ kind: "ping" })).toMatchObject({ type: "pong" });
    await client.close();
  });

  it("take everything where the expression is \\$default", async () => {
    const client = await connect(at("/text?user=alice"));
    expect(await client.ask({ action: "ping" })).toMatchObject({ type: "ack", action: "$default" });
    expect(await lastItem()).toMatchObject({ text: '{"action":"ping"}', attributes: trusted("$default") });
    await client.close();
  });
});

describe("ackStyle aws", () => {
  it("answers as API Gateway passes on what SNS and SQS say", async () => {
    const client = await connect(at("/aws?user=alice"));
    expect(await client.ask({ action: "publish", message: "x" })).toEqual({
      PublishResponse: {
        PublishResult: { MessageId: expect.any(String), SequenceNumber: null },
        ResponseMetadata: { RequestId: expect.stringMatching(idPattern) },
      },
    });
    const answer = await client.ask({ action: "send", message: "x" });
    const message = await received();
    expect(answer).toEqual({
      SendMessageResponse: {
        SendMessageResult: {
          MD5OfMessageAttributes: md5OfAttributes(message.attributes as Parameters<typeof md5OfAttributes>[0]),
          MD5OfMessageBody: md5OfBody("x"),
          MD5OfMessageSystemAttributes: null,
          MessageId: message.messageId,
          SequenceNumber: null,
        },
        ResponseMetadata: { RequestId: expect.stringMatching(idPattern) },
      },
    });
    await client.close();
  });
});

it("the empty credential of dev mode is not for pages of other origins", async () => {
  const refused = await refusal(at("/push"), { origin: "https://evil.example" });
  expect(refused).toMatchObject({ status: 401, body: { message: "Unauthorized" } });
});
