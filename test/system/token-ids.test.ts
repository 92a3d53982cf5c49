// Who published an item stands in its token id, at every door, and nothing that a client writes changes it.
import pubsub from "@gomomento/generated-types/dist/cachepubsub.js";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { publishDoors, readDoors, type Shown } from "../support/item-doors.ts";
import { localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";
import { aWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

const { _PublishRequest, _TopicValue } = pubsub.cache_client.pubsub;
const json = { "content-type": "application/json" };

let server: Awaited<ReturnType<typeof aServer>>;
let receiver: WebhookReceiver;
/** Messages to the receiver that earlier tests published. */
let receivedBefore = 0;
let page = 0;

beforeAll(async () => {
  server = await aServer();
  receiver = await aWebhookReceiver();
  expect((await post("/v1/caches", { name: "c" })).status).toBe(201);
  const body = JSON.stringify({ topic: "t", url: receiver.url });
  const put = await fetch(`${server.url}/v1/webhooks/c/w`, { method: "PUT", headers: json, body });
  expect(put.status).toBe(201);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});
beforeEach(async () => {
  receivedBefore = receiver.calls.length;
  expect((await post("/v1/caches/c/flush")).status).toBe(204);
  const { next } = (await (await fetch(`${server.url}/v1/topics/c/t/items`)).json()) as { next: string };
  page = Number(next.split("-")[0]);
});

function post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { ...json, ...headers } };
  return fetch(server.url + path, { method: "POST", ...sent });
}

const grants = [{ resource: "topic", role: "publish-subscribe", cache: { name: "c" }, topic: { all: true } }];

async function aToken(tokenId?: string): Promise<string> {
  const answer = await post("/v1/tokens", {
    grants,
    validForSeconds: 60,
    ...(tokenId === undefined ? {} : { tokenId }),
  });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { token: string }).token;
}

async function aKey(): Promise<string> {
  return ((await (await post("/v1/keys", { superUser: true })).json()) as { apiKey: string }).apiKey;
}

/** What the receiver of the webhook got of this test. */
async function delivered(count: number): Promise<readonly Shown[]> {
  const calls = await receiver.received(receivedBefore + count);
  return calls.slice(receivedBefore).map(({ body }) => {
    const { text, token_id: tokenId } = JSON.parse(body.toString()) as { text: string; token_id: string };
    return { text, tokenId };
  });
}

/** The same items at every door, and nothing else. */
async function expectEverywhere(wanted: readonly Shown[]): Promise<void> {
  for (const [door, read] of Object.entries(readDoors)) {
    expect(await read(server, page, wanted.length), door).toEqual(wanted);
  }
  expect(await delivered(wanted.length), "webhook").toEqual(wanted);
}

describe("the token id of the publisher's token", () => {
  it("is on the items of every door, whichever door they came in by", async () => {
    using clients = momentoClients(localCredential(server.port));
    const received = await subscribe(clients.topics, "c", "t");
    const token = await aToken("alice");
    const wanted: Shown[] = [];
    for (const [door, publish] of Object.entries(publishDoors)) {
      await publish(server, token, `by ${door}`);
      wanted.push({ text: `by ${door}`, tokenId: "alice" });
    }
    await expectEverywhere(wanted);
    const items = await received.waitFor(wanted.length);
    expect(items.map((item) => ({ text: item.valueString(), tokenId: item.tokenId() }))).toEqual(wanted);
    received.subscription.unsubscribe();
  });

  it("is empty for keys, for tokens without one, and without a credential", async () => {
    const wanted: Shown[] = [];
    for (const [who, credential] of [
      ["a key", await aKey()],
      ["a token", await aToken()],
      ["nobody", ""],
    ] as const) {
      for (const door of ["gRPC", "/v1"] as const) {
        await publishDoors[door]?.(server, credential, `${who} by ${door}`);
        wanted.push({ text: `${who} by ${door}`, tokenId: "" });
      }
    }
    await expectEverywhere(wanted);
  });

  it("may have any characters, and comes out of every door as it went in", async () => {
    const wanted: Shown[] = [];
    for (const tokenId of [
      'x","text":"forged","token_id":"admin',
      "a\r\ndata: b\n\nid: 9-9",
      "\u2028\u0000 \\u0022 届く",
    ]) {
      await publishDoors["/v1"]?.(server, await aToken(tokenId), "hello");
      wanted.push({ text: "hello", tokenId });
    }
    await expectEverywhere(wanted);
  });
});

describe("what a client writes", () => {
  it("into a text stays text: it cannot break out of the JSON around it", async () => {
    const token = await aToken("mallory");
    const texts = [
      '{"cache":"c","topic":"t","token_id":"admin","text":"x"}',
      'x","token_id":"admin","text":"y',
      'x"}\n\n{"token_id":"admin"}',
      'line\r\nid: 9-9\ndata: {"tokenId":"admin"}\n\n',
      '\\","token_id":"admin\\u0000\u0000\u2028\u2029</script>',
    ];
    for (const text of texts) await publishDoors["/v1"]?.(server, token, text);
    await expectEverywhere(texts.map((text) => ({ text, tokenId: "mallory" })));
    for (const { body } of receiver.calls.slice(receivedBefore)) {
      // A reader that takes the first of two fields, or the last, must find the same.
      expect(body.toString().match(/(?<!\\)"token_id":/g)).toHaveLength(1);
    }
  });

  it("into attributes, headers or the query changes nothing", async () => {
    const token = await aToken("mallory");
    const forged = { token_id: "admin", tokenId: "admin", publisher_id: "admin" };
    const attributes = Object.fromEntries(
      Object.keys(forged).map((name) => [name, { type: "String", value: "admin" }]),
    );
    const headers = { authorization: `Bearer ${token}`, ...forged };
    const query = new URLSearchParams(forged).toString();
    expect((await post(`/v1/topics/c/t?${query}`, { text: "1", attributes }, headers)).status).toBe(200);
    const plain = { ...headers, "content-type": "text/plain" };
    const sent = await fetch(`${server.url}/topics/c/t?${query}`, { method: "POST", headers: plain, body: "2" });
    expect(sent.status).toBe(204);
    await expectEverywhere(["1", "2"].map((text) => ({ text, tokenId: "mallory" })));
    const [first] = receiver.calls.slice(receivedBefore);
    expect(JSON.parse(first?.body.toString() ?? "")).toMatchObject({ token_id: "mallory", attributes });
  });

  it("into fields that the protocol does not have is refused by /v1, and passed over by gRPC", async () => {
    const token = await aToken("mallory");
    for (const field of ["tokenId", "token_id", "publisherId", "publisher_id", "principal"]) {
      const answer = await post(
        "/v1/topics/c/t",
        { text: "x", [field]: "admin" },
        { authorization: `Bearer ${token}` },
      );
      expect([answer.status, await answer.text()], field).toEqual([400, expect.stringContaining(field)]);
    }
    const request = new _PublishRequest({ cache_name: "c", topic: "t", value: new _TopicValue({ text: "x" }) });
    // Fields 3 to 15 with a text behind them; 3 is taken, for it is the value: what merges into it must be a TopicValue.
    const smuggled = [4, 5, 6, 7, 8, 15].map((field) =>
      Buffer.concat([Buffer.of((field << 3) | 2, 5), Buffer.from("admin")]),
    );
    // publisher_id has number 3 in TopicItem: the same in the value, which has two fields.
    const inValue = Buffer.concat([Buffer.of((3 << 3) | 2, 7, (3 << 3) | 2, 5), Buffer.from("admin")]);
    const message = Buffer.concat([request.serializeBinary(), ...smuggled, inValue]);
    using session = aSession(server.port);
    const headers = { authorization: token, publisher_id: "admin", "token-id": "admin" };
    const call = new GrpcCall(session, "/cache_client.pubsub.Pubsub/Publish", message, headers);
    expect((await call.ended).status).toBe(0);
    await expectEverywhere([{ text: "x", tokenId: "mallory" }]);
  });

  it("with a messageId that somebody else has used leaves that one's item as it is", async () => {
    for (const tokenId of ["alice", "mallory"]) {
      const headers = { authorization: `Bearer ${await aToken(tokenId)}` };
      const answer = await post("/v1/topics/c/t", { text: `of ${tokenId}`, messageId: "m" }, headers);
      expect(await answer.json()).toMatchObject({ isRepeat: tokenId === "mallory" });
    }
    await expectEverywhere([{ text: "of alice", tokenId: "alice" }]);
  });

  it("that is no Unicode text is refused at every door, so no reader sees another text than was sent", async () => {
    const token = await aToken("mallory");
    const headers = { ...json, authorization: `Bearer ${token}` };
    const body = '{"text": "\\ud800\\",\\"token_id\\":\\"admin"}';
    expect((await fetch(`${server.url}/v1/topics/c/t`, { method: "POST", headers, body })).status).toBe(400);
    const plain = { ...headers, "content-type": "text/plain" };
    const bytes = Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22);
    expect((await fetch(`${server.url}/topics/c/t`, { method: "POST", headers: plain, body: bytes })).status).toBe(400);
    const value = Buffer.concat([Buffer.of((3 << 3) | 2, 7, (1 << 3) | 2, 5), bytes]);
    const request = new _PublishRequest({ cache_name: "c", topic: "t" });
    using session = aSession(server.port);
    const message = Buffer.concat([request.serializeBinary(), value]);
    const call = new GrpcCall(session, "/cache_client.pubsub.Pubsub/Publish", message, { authorization: token });
    expect((await call.ended).status).toBe(3);
    await publishDoors["/v1"]?.(server, token, "ok");
    await expectEverywhere([{ text: "ok", tokenId: "mallory" }]);
  });
});
