// Rates and how many streams may be open: in each protocol's own form, and what becomes of clients that take no notice.
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { constants } from "node:http2";
import { connect } from "node:net";
import { CacheGet, MomentoErrorCode, TopicPublish, TopicSubscribe } from "@gomomento/sdk";
import { describe, expect, it } from "vitest";
import { limits } from "../../src/domain/limits.ts";
import { aSession, publishByHand, subscribeByHand } from "../support/grpc.ts";
import { keyCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

type Server = { readonly url: string };

async function post(server: Server, path: string, body: object): Promise<Record<string, string>> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(server.url + path, { method: "POST", headers, body: JSON.stringify(body) });
  expect(response.ok, path).toBe(true);
  return (await response.json()) as Record<string, string>;
}

/** A token for all topics and items of the cache `c`, which is made. */
async function aToken(server: Server, more: object = {}): Promise<string> {
  await post(server, "/v1/caches", { name: "c" }).catch(() => {});
  const cache = { name: "c" };
  const grants = [
    { resource: "topic", role: "publish-subscribe", cache, topic: { all: true } },
    { resource: "cache", role: "read-write", cache, key: { all: true } },
  ];
  return (await post(server, "/v1/tokens", { grants, validForSeconds: 3600, ...more })).token as string;
}

describe("a rate", () => {
  it("is a LimitExceededError of the Node SDK that says so in Momento's words", async () => {
    await using server = await aServer({ rates: { token: { callsPerSecond: 1, burst: 3 } } });
    using clients = momentoClients(keyCredential(await aToken(server), server.port));
    for (let i = 0; i < 3; i++)
      expect(await clients.topics.publish("c", "t", "x")).toBeInstanceOf(TopicPublish.Success);
    const refused = await clients.topics.publish("c", "t", "x");
    if (!(refused instanceof TopicPublish.Error)) throw new Error(refused.toString());
    expect(refused.errorCode()).toBe(MomentoErrorCode.LIMIT_EXCEEDED_ERROR);
    expect(refused.message()).toContain("Request rate limit exceeded for this account");
    expect(refused.message()).toContain("calls of this token must be <= 1 per second and 3 at once");
    const miss = await clients.cache.get("c", "k");
    expect(miss instanceof CacheGet.Error && miss.errorCode()).toBe(MomentoErrorCode.LIMIT_EXCEEDED_ERROR);
  });

  it("is RESOURCE_EXHAUSTED over gRPC with the trailer `err`", async () => {
    await using server = await aServer({ rates: { token: { callsPerSecond: 1, burst: 1 } } });
    const headers = { authorization: await aToken(server) };
    using session = aSession(server.port);
    expect((await publishByHand(session, "c", "t", "x", headers)).status).toBe(0);
    const refused = { status: 8, err: "operations_rate_limit_exceeded" };
    expect(await publishByHand(session, "c", "t", "x", headers)).toMatchObject(refused);
  });

  it("is a 429 over HTTP that says when to try again, and then it works", async () => {
    await using server = await aServer({ rates: { token: { callsPerSecond: 1, burst: 2 } } });
    const headers = { authorization: `Bearer ${await aToken(server)}` };
    const read = () => fetch(`${server.url}/v1/topics/c/t/items`, { headers });
    for (let i = 0; i < 2; i++) expect((await read()).status).toBe(200);
    const refused = await read();
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(await refused.json()).toMatchObject({ code: "limit_exceeded", title: "Too Many Requests" });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect((await read()).status).toBe(200);
  });

  it("of an environment counts without a restart once it is set", async () => {
    await using server = await aServer();
    await post(server, "/v1/environments", { name: "FEAT-1" });
    const { apiKey = "" } = await post(server, "/v1/environments/FEAT-1/keys", { superUser: true });
    const headers = { authorization: `Bearer ${apiKey}` };
    const list = async () => (await fetch(`${server.url}/v1/caches`, { headers })).status;
    for (let i = 0; i < 20; i++) expect(await list()).toBe(200);
    await fetch(`${server.url}/v1/environments/FEAT-1`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ settings: { rates: { key: { callsPerSecond: 1, burst: 1 } } } }),
    });
    const soon = performance.now() + 5000;
    while ((await list()) !== 429) expect(performance.now(), "it never counted").toBeLessThan(soon);
    // The others of the server go on.
    expect((await fetch(`${server.url}/v1/caches`)).status).toBe(200);
  });
});

describe("streams", () => {
  it("past the limit are a LimitExceededError of the Node SDK, and one that ends makes room", async () => {
    await using server = await aServer({ rates: { token: { streams: 2 } } });
    using clients = momentoClients(keyCredential(await aToken(server), server.port));
    const first = await subscribe(clients.topics, "c", "t");
    const second = await subscribe(clients.topics, "c", "u");
    const refused = await clients.topics.subscribe("c", "v", {});
    if (!(refused instanceof TopicSubscribe.Error)) throw new Error("it was let in");
    expect(refused.errorCode()).toBe(MomentoErrorCode.LIMIT_EXCEEDED_ERROR);
    expect(refused.message()).toContain("Topic subscriptions limit exceeded for this account");
    expect(refused.message()).toContain("this token has 2 subscriptions and waiting receives open");
    first.subscription.unsubscribe();
    const soon = performance.now() + 5000;
    let third = await clients.topics.subscribe("c", "v", {});
    while (!(third instanceof TopicSubscribe.Subscription)) {
      expect(performance.now(), "no room was made").toBeLessThan(soon);
      third = await clients.topics.subscribe("c", "v", {});
    }
    second.subscription.unsubscribe();
    third.unsubscribe();
  });

  it("are counted whatever protocol they come by, waiting receives of queues too", async () => {
    await using server = await aServer({ rates: { environment: { streams: 2 } } });
    const headers = { authorization: await aToken(server) };
    await post(server, "/v1/queues", { name: "q" });
    using session = aSession(server.port);
    const stream = subscribeByHand(session, "c", "t", { headers });
    await stream.until(() => stream.messages.length > 0);
    const events = new AbortController();
    const accept = { accept: "text/event-stream" };
    const response = await fetch(`${server.url}/v1/topics/c/t`, { headers: accept, signal: events.signal });
    expect(response.status).toBe(200);
    const receive = () =>
      fetch(`${server.url}/v1/queues/q/receive`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"waitSeconds":1}',
      });
    expect((await receive()).status).toBe(429);
    expect((await fetch(`${server.url}/topics/c/t`)).status).toBe(429);
    const refused = subscribeByHand(session, "c", "t", { headers });
    expect(await refused.ended).toMatchObject({ status: 8, err: "topic_subscriptions_limit_exceeded" });
    events.abort();
    const soon = performance.now() + 5000;
    while ((await receive()).status !== 200) expect(performance.now(), "no room was made").toBeLessThan(soon);
  });
});

describe("credentials that are refused", () => {
  it("past the limit are not looked at any more; those that are known go on", async () => {
    await using server = await aServer({ rates: { failedCredentialsPerMinute: 20 } });
    const known = { authorization: `Bearer ${await aToken(server)}` };
    const call = (headers: Record<string, string>) => fetch(`${server.url}/v1/topics/c/t/items`, { headers });
    expect((await call(known)).status).toBe(200);
    const unknown = await aToken(server);
    for (let i = 0; i < 20; i++) expect((await call({ authorization: `Bearer guess-${i}` })).status).toBe(401);
    const refused = await call({ authorization: "Bearer guess-20" });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "3"]);
    // Not even one that is good, for to know that it is would be to look at it.
    expect((await call({ authorization: `Bearer ${unknown}` })).status).toBe(429);
    expect((await call(known)).status).toBe(200);
  });
});

describe("a client that goes on when it is refused", () => {
  const { refusalsMax, cutOffsMax } = limits.rates;

  it("loses its HTTP/1.1 connection, and in the end gets no new one", async () => {
    await using server = await aServer({ rates: { token: { callsPerSecond: 1, burst: 1 } } });
    const head = `GET /v1/topics/c/t/items HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${await aToken(server)}\r\n\r\n`;
    /** Sends more calls than are forgiven without waiting for an answer; what came back until the connection was closed. */
    const flood = async () => {
      const socket = connect(server.port, "127.0.0.1").on("error", () => {});
      let answers = "";
      socket.setEncoding("latin1").on("data", (text: string) => {
        answers += text;
      });
      socket.write(head.repeat(refusalsMax + 100));
      await new Promise((resolve) => socket.once("close", resolve));
      return answers;
    };
    for (let connection = 0; connection < cutOffsMax; connection++) {
      const answers = await flood();
      // The last ones may be lost with the reset of a connection whose rest nobody reads.
      expect(answers.match(/HTTP\/1\.1 429 /g)?.length).toBeGreaterThan(refusalsMax / 10);
    }
    expect(await flood()).toBe("");
  });

  it("loses its HTTP/2 session with ENHANCE_YOUR_CALM", async () => {
    await using server = await aServer({ rates: { token: { callsPerSecond: 1, burst: 1 } } });
    const authorization = await aToken(server);
    using session = aSession(server.port);
    let goneWith: number | undefined;
    session.once("goaway", (code) => {
      goneWith = code;
    });
    const closed = new Promise((resolve) => session.once("close", resolve));
    const statuses: number[] = [];
    while (goneWith === undefined) {
      const calls = Array.from({ length: 20 }, () => publishByHand(session, "c", "t", "x", { authorization }));
      statuses.push(...(await Promise.all(calls)).map(({ status }) => status));
    }
    expect(goneWith).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(statuses.filter((status) => status === 8).length).toBeGreaterThanOrEqual(refusalsMax - 20);
    await closed;
  });
});

describe("connections of one address", () => {
  it("past the limit are reset at once; one that closes makes room", async () => {
    await using server = await aServer({ rates: { address: { connections: 2 } } });
    const open = async () => {
      const socket = connect(server.port, "127.0.0.1").on("error", () => {});
      const isOpen = await new Promise<boolean>((resolve) => {
        socket.once("close", () => resolve(false));
        socket.once("data", () => resolve(true));
        socket.write("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
      });
      return { socket, isOpen };
    };
    const [first, second] = [await open(), await open()];
    expect([first.isOpen, second.isOpen, (await open()).isOpen]).toEqual([true, true, false]);
    first.socket.destroy();
    const soon = performance.now() + 5000;
    let third = await open();
    while (!third.isOpen) {
      expect(performance.now(), "no room was made").toBeLessThan(soon);
      third = await open();
    }
    third.socket.destroy();
    second.socket.destroy();
  });
});

describe("fairness", () => {
  it("a token that floods gets one refusal per connection and 50 ms, and another client all its answers", async () => {
    await using server = await aServer({ rates: { token: { callsPerSecond: 50, burst: 50 } } });
    const headers = { authorization: `Bearer ${await aToken(server)}` };
    const path = `${server.url}/v1/topics/c/t/items`;
    const connections = 16;
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    const call = async (options: object) => {
      const [response] = (await once(get(path, options), "response")) as [IncomingMessage];
      await once(response.resume(), "end");
      return response.statusCode;
    };
    const counts = { taken: 0, refused: 0 };
    const enough = { taken: 50, refused: 10 * connections };
    let isOver = false;
    const startedAtMs = performance.now();
    let refusedFromMs: number | undefined;
    const flood = Array.from({ length: connections }, async () => {
      while (!isOver) {
        if ((await call({ agent, headers })) === 200) counts.taken++;
        else {
          refusedFromMs ??= performance.now();
          counts.refused++;
        }
      }
    });
    const others = new Agent({ keepAlive: true, maxSockets: 1 });
    while (counts.taken < enough.taken || counts.refused < enough.refused) {
      expect(await call({ agent: others })).toBe(200);
    }
    isOver = true;
    await Promise.all(flood);
    const endedAtMs = performance.now();
    const refusedForMs = endedAtMs - (refusedFromMs ?? endedAtMs);
    // However slow or busy the machine is, it is only less.
    expect(counts.refused).toBeLessThanOrEqual(connections * (refusedForMs / limits.rates.refusalDelayMs + 1));
    expect(counts.taken).toBeLessThanOrEqual(50 + (50 * (endedAtMs - startedAtMs)) / 1000 + 1);
    agent.destroy();
    others.destroy();
  });
});
