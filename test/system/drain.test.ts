// What a stop does to those who are connected: SIGTERM to a process, and the same in this process where times are looked at.
import { once } from "node:events";
import { Agent, get, type IncomingMessage, request } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { CacheGet, CacheSet, TopicPublish } from "@gomomento/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aSession, subscribeByHand } from "../support/grpc.ts";
import { localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory, aServer } from "../support/server.ts";
import { follow } from "../support/sse.ts";

const unavailable = 14;
const drain = (delaySeconds: number, seconds: number) => ({ drain: { delaySeconds, seconds, graceSeconds: 3 } });

async function post(url: string, path: string, body: object, token?: string) {
  const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url + path, {
    ...{ method: "POST", headers: { "content-type": "application/json", ...bearer }, body: JSON.stringify(body) },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

/** Resolves when the server says that it wants no more work. */
async function draining(url: string): Promise<void> {
  while ((await fetch(`${url}/health/ready`)).status !== 503) await wait(5);
}

describe("a server that stops", () => {
  it.concurrent("says so to balancers first, and goes on with everything until they had the time to notice", async () => {
    await using server = await aServer(drain(1, 0));
    await post(server.url, "/v1/caches", { name: "c" });
    const before = await follow(`${server.url}/v1/topics/c/t`);
    const closed = server.close();
    await draining(server.url);
    expect(await (await fetch(`${server.url}/health/ready`)).json()).toMatchObject({ status: "draining" });
    const late = await follow(`${server.url}/v1/topics/c/t`);
    await post(server.url, "/v1/topics/c/t", { text: "still there" });
    for (const stream of [before, late]) expect(await stream.nextData()).toMatchObject({ text: "still there" });
    await closed;
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow("fetch failed");
  });

  it("tells streams one after the other, in no order, spread over the time that is set", async () => {
    await using server = await aServer(drain(0, 1));
    await post(server.url, "/v1/caches", { name: "c" });
    const streams = await Promise.all(Array.from({ length: 30 }, () => follow(`${server.url}/v1/topics/c/t`)));
    const ended: { readonly stream: number; readonly atMs: number }[] = [];
    const all = streams.map(async (stream, n) => {
      while (await stream.next());
      ended.push({ stream: n, atMs: performance.now() });
    });
    const startMs = performance.now();
    await server.close();
    await Promise.all(all);
    const times = ended.map(({ atMs }) => atMs - startMs);
    expect(times.at(-1)).toBeGreaterThan(900);
    // Evenly: none of the four quarters of the time is without its share.
    for (const quarter of [0, 1, 2, 3])
      expect(times.filter((ms) => ms >= quarter * 250 && ms < quarter * 250 + 300).length).toBeGreaterThanOrEqual(4);
    const order = ended.map(({ stream }) => stream);
    expect(order).not.toEqual(order.toSorted((a, b) => a - b));
  });

  it.concurrent("tells gRPC streams UNAVAILABLE, and their session to take its next calls elsewhere while its others go on", async () => {
    await using server = await aServer(drain(0, 1));
    await post(server.url, "/v1/caches", { name: "c" });
    using session = aSession(server.port);
    const calls = [1, 2, 3, 4].map(() => subscribeByHand(session, "c", "t"));
    for (const call of calls) await call.until(() => call.messages.length > 0);
    const goneAway = once(session, "goaway");
    const ends = calls.map(async (call) => ({ ...(await call.ended), atMs: performance.now() }));
    const closed = server.close();
    const [code] = await goneAway;
    expect(code).toBe(0);
    const all = await Promise.all(ends);
    for (const end of all)
      expect(end).toMatchObject({ status: unavailable, message: expect.stringContaining("stopping") });
    const times = all.map(({ atMs }) => atMs);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(500);
    await closed;
  });

  it.concurrent("answers receives that wait with nothing, and tells HTTP/1.1 clients to take their next request elsewhere", async () => {
    await using server = await aServer(drain(0, 1));
    await post(server.url, "/v1/caches", { name: "c" });
    await post(server.url, "/v1/queues", { name: "q" });
    const held = await Promise.all([1, 2, 3].map(() => follow(`${server.url}/v1/topics/c/t`)));
    const ask = aLine(server.url);
    expect((await ask("/health/live")).headers.connection).toBe("keep-alive");
    const poll = post(server.url, "/v1/queues/q/receive", { waitSeconds: 20 });
    const isWaiting = async () =>
      (await (await fetch(`${server.url}/metrics`)).text()).includes('todoku_queue_polls{environment="dev"} 1\n');
    while (!(await isWaiting()));
    const closed = server.close();
    expect(await poll).toEqual({ messages: [] });
    expect((await ask("/health/live")).headers.connection).toBe("close");
    await expect(ask("/health/live")).rejects.toThrow("ECONNREFUSED");
    await closed;
    for (const stream of held) stream.close();
  });

  it.concurrent("gives who follows a topic anew while it stops no answer at all: an EventSource would take it for the last word", async () => {
    await using server = await aServer(drain(0, 1));
    await post(server.url, "/v1/caches", { name: "c" });
    const held = await Promise.all([1, 2, 3].map(() => follow(`${server.url}/v1/topics/c/t`)));
    const ask = aLine(server.url);
    await ask("/health/live");
    const closed = server.close();
    await expect(ask("/v1/topics/c/t", { accept: "text/event-stream" })).rejects.toThrow("socket hang up");
    await closed;
    for (const stream of held) stream.close();
  });

  it.concurrent("finishes a call that runs, and cuts one that does not end after the grace", async () => {
    await using server = await aServer({ drain: { delaySeconds: 0, seconds: 0, graceSeconds: 1 } });
    await post(server.url, "/v1/caches", { name: "c" });
    const headers = { "content-type": "application/json", "content-length": 15, expect: "100-continue" };
    /** Resolves when the server has begun to read it. */
    const upload = async () => {
      const call = request(`${server.url}/v1/topics/c/t`, { method: "POST", headers });
      const answered = once(call, "response").then(
        ([answer]) => (answer as IncomingMessage).statusCode,
        (error: Error) => error.message,
      );
      call.flushHeaders();
      await once(call, "continue");
      call.write('{"text":');
      return { call, answered };
    };
    const [slow, stuck] = [await upload(), await upload()];
    const closed = server.close();
    slow.call.end('"late"}');
    expect(await slow.answered).toBe(200);
    expect(await stuck.answered).toBe("socket hang up");
    await closed;
  });

  it.concurrent("does not wait for a connection whose last call has ended", async () => {
    await using server = await aServer({ drain: { delaySeconds: 0, seconds: 0, graceSeconds: 8 } });
    const headers = { "content-type": "application/json", "content-length": 12, expect: "100-continue" };
    const agent = new Agent({ keepAlive: true });
    const call = request(`${server.url}/v1/caches`, { method: "POST", agent, headers });
    const answered = once(call, "response");
    call.flushHeaders();
    await once(call, "continue");
    const closed = server.close();
    const startMs = performance.now();
    call.end('{"name":"c"}');
    const [answer] = (await answered) as [IncomingMessage];
    expect(answer.resume().statusCode).toBe(201);
    await closed;
    expect(performance.now() - startMs).toBeLessThan(4000);
    agent.destroy();
  });

  it.concurrent("does not cut an answer that is on its way to a slow reader", async () => {
    await using server = await aServer({ drain: { delaySeconds: 0, seconds: 0, graceSeconds: 8 } });
    await post(server.url, "/v1/caches", { name: "c" });
    const item = `${server.url}/cache/c?key=k`;
    // More than both ends of a connection hold for one who does not read.
    const size = 4_900_000;
    await fetch(`${item}&ttl_seconds=60`, { method: "PUT", body: Buffer.alloc(size) });
    const [answer] = (await once(get(item), "response")) as [IncomingMessage];
    await once(answer, "readable");
    const closed = server.close();
    await wait(50); // an answer that is cut is cut by then
    let bytes = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) bytes += chunk.length;
    expect(bytes).toBe(size);
    await closed;
  });
});

/** Asks over one connection that is kept, and gives the answer when it is whole. */
function aLine(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return async (path: string, headers = {}) => {
    const [answer] = (await once(get(url + path, { agent, headers }), "response")) as [IncomingMessage];
    await once(answer.resume(), "end");
    return answer;
  };
}

describe("a process", () => {
  let directory: Awaited<ReturnType<typeof aDirectory>>;
  let running: DevProcess[];
  beforeEach(async () => {
    directory = await aDirectory();
    running = [];
  });
  afterEach(async () => {
    for (const { child, end } of running)
      if (child.exitCode === null && child.signalCode === null) await end("SIGKILL");
    await directory[Symbol.asyncDispose]();
  });
  async function start(port = 0, ...flags: string[]): Promise<DevProcess & { readonly url: string }> {
    const args = ["--port", String(port), "--data-dir", directory.path, "--log-level", "warn", ...flags];
    const server = await startDevProcess(args);
    running.push(server);
    return { ...server, url: `http://127.0.0.1:${server.port}` };
  }

  it("exits with 0 after SIGTERM; a second signal ends it at once with 1", async () => {
    expect(await (await start()).end("SIGTERM")).toEqual({ code: 0, signal: null });
    const server = await start(0, "--drain-delay-seconds", "600");
    server.child.kill("SIGTERM");
    await draining(server.url);
    expect(await server.end("SIGINT")).toEqual({ code: 1, signal: null });
  });

  it("that is started again loses nothing for the Node SDK, which hears of no error", async () => {
    const first = await start();
    await post(first.url, "/v1/caches", { name: "c" });
    using clients = momentoClients(localCredential(first.port));
    const topics = ["a", "b", "c"];
    const all = await Promise.all(topics.map((topic) => subscribe(clients.topics, "c", topic)));
    const publish = async (text: string) => {
      for (const topic of topics)
        expect(await clients.topics.publish("c", topic, text)).toBeInstanceOf(TopicPublish.Success);
    };
    await publish("before");
    for (const received of all) await received.waitFor(1);
    expect(await first.end("SIGTERM")).toEqual({ code: 0, signal: null });
    const second = await start(first.port);
    for (const topic of topics) await post(second.url, `/v1/topics/c/${topic}`, { text: "after" });
    for (const received of all) {
      const items = await received.waitFor(2, 20_000);
      expect(items.map((item) => item.valueString())).toEqual(["before", "after"]);
      expect({ errors: received.errors, discontinuities: received.discontinuities }).toEqual({
        ...{ errors: [], discontinuities: [] },
      });
      received.subscription.unsubscribe();
    }
  });

  it("that is started again under load fails no call twice, and loses no message that was acknowledged", async () => {
    const first = await start();
    for (const [path, name] of [
      ["/v1/caches", "c"],
      ["/v1/queues", "q"],
    ] as const)
      await post(first.url, path, { name });
    using clients = momentoClients(localCredential(first.port));
    const back = Promise.withResolvers<void>();
    let [isOver, retries] = [false, 0];
    const failedTwice: unknown[] = [];
    /** What a client does that retries once, when the server is back. */
    const once = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await call();
      } catch {
        retries++;
        await back.promise;
        return call().catch((error: unknown) => void failedTwice.push(error));
      }
    };
    const published = new Set<string>();
    const sent = new Set<string>();
    const worked = new Set<string>();
    const items = new Map<string, string>();
    const publish = async (text: string, token?: string) => {
      await post(first.url, "/v1/topics/c/t", { text, messageId: text }, token);
      published.add(text);
    };
    const grants = [{ resource: "topic", role: "publish-subscribe", cache: { name: "c" }, topic: { name: "t" } }];
    const mint = async () => String((await post(first.url, "/v1/tokens", { grants, validForSeconds: 600 })).token);
    const oldToken = await mint();
    const heard = await subscribe(clients.topics, "c", "t");
    const streamed: string[] = [];
    /** Comes back behind the last item it has, as an EventSource does. */
    const stream = async () => {
      for (let after = "0-0"; streamed.at(-1) !== "the end"; ) {
        const headers = { "last-event-id": after, authorization: `Bearer ${oldToken}` };
        const open = await once(() => follow(`${first.url}/v1/topics/c/t`, headers));
        for (let block = await open?.next(); block; block = await open?.next()) {
          const isStopping = block.event === "error" && JSON.parse(block.data ?? "").code === "unavailable";
          if (block.event !== undefined && !isStopping) failedTwice.push(block);
          if (block.event === undefined && block.data !== undefined) streamed.push(JSON.parse(block.data).text);
          after = block.id ?? after;
          if (streamed.at(-1) === "the end") open?.close();
          if (streamed.at(-1) === "the end") break;
        }
      }
    };
    const streams = stream();
    const loop = async (turn: (n: number) => Promise<unknown>) => {
      for (let n = 0; !isOver; n++) await turn(n);
    };
    const load = [
      ...["h1", "h2"].map((who) => loop((n) => once(() => publish(`${who}-${n}`)))),
      loop((n) =>
        once(async () => {
          const answer = await clients.topics.publish("c", "t", `sdk-${n}`);
          if (!(answer instanceof TopicPublish.Success)) throw new Error(answer.toString());
          published.add(`sdk-${n}`);
        }),
      ),
      loop((n) =>
        once(async () => {
          await post(first.url, "/v1/queues/q/send", { body: `m-${n}`, messageId: `m-${n}` });
          sent.add(`m-${n}`);
        }),
      ),
      loop((n) => once(() => publish(`old-${n}`, oldToken))),
      loop(async (n) => {
        const token = await once(mint);
        await once(() => publish(`new-${n}`, token));
      }),
      loop((n) =>
        once(async () => {
          const answer = await clients.cache.set("c", `k-${n % 20}`, `v-${n}`);
          if (!(answer instanceof CacheSet.Success)) throw new Error(answer.toString());
          items.set(`k-${n % 20}`, `v-${n}`);
        }),
      ),
      ...[1, 2].map(() => loop(() => once(() => work(first.url, worked)))),
    ];
    while (published.size < 200 || worked.size < 50 || items.size < 20) await wait(10);
    expect(await first.end("SIGTERM")).toEqual({ code: 0, signal: null });
    const second = await start(first.port);
    const before = published.size;
    back.resolve();
    while (published.size < before + 200) await wait(10);
    isOver = true;
    await Promise.all(load);
    while (await work(second.url, worked, 0));
    await publish("the end");
    await streams;

    expect(failedTwice).toEqual([]);
    expect(retries).toBeGreaterThan(0);
    const kept: string[] = [];
    for (let after = "0-0"; ; ) {
      const page = await (await fetch(`${second.url}/v1/topics/c/t/items?after=${after}&limit=1000`)).json();
      const { items: more, next } = page as { items: { text: string }[]; next: string };
      kept.push(...more.map(({ text }) => text));
      if (more.length === 0) break;
      after = next;
    }
    expect([...published].filter((text) => !kept.includes(text))).toEqual([]);
    expect(streamed).toEqual(kept);
    expect((await heard.waitFor(kept.length)).map((item) => item.valueString())).toEqual(kept);
    expect([heard.errors, heard.discontinuities]).toEqual([[], []]);
    heard.subscription.unsubscribe();
    for (const [key, value] of items) {
      const answer = await clients.cache.get("c", key);
      expect(answer instanceof CacheGet.Hit && answer.valueString()).toBe(value);
    }
    expect([...sent].filter((body) => !worked.has(body))).toEqual([]);
  });
});

/** Receives, and deletes what came. Resolves with how many messages that were. */
async function work(url: string, worked: Set<string>, waitSeconds = 5): Promise<number> {
  const { messages } = (await post(url, "/v1/queues/q/receive", { maxMessages: 10, waitSeconds })) as {
    messages: { body: string; receiptHandle: string }[];
  };
  for (const { body } of messages) worked.add(body);
  if (messages.length > 0) {
    await post(url, "/v1/queues/q/delete", { receiptHandles: messages.map(({ receiptHandle }) => receiptHandle) });
  }
  return messages.length;
}
