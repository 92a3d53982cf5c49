// One port, its limits, and what floods and nonsense do to it. Each HTTP/2 number of limits.ts has its test here or in
// protocols/momento/send-buffer.test.ts.
import { once } from "node:events";
import { constants } from "node:http2";
import { connect as connectTcp } from "node:net";
import { CacheSet } from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { limits } from "../../src/domain/limits.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { createListener } from "../../src/server/listener.ts";
import { startServer } from "../../src/server/server.ts";
import { aSession, frame, GrpcCall, publishByHand, subscribeByHand } from "../support/grpc.ts";
import { localCredential, momentoClients } from "../support/momento-node.ts";
import { aDirectory, aServer } from "../support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;

beforeAll(async () => {
  server = await aServer();
  const { cache } = momentoClients(localCredential(server.port));
  await cache.createCache("c");
  expect(await cache.set("c", "big", new Uint8Array(5_000_000))).toBeInstanceOf(CacheSet.Success);
  cache.close();
});
afterAll(() => server[Symbol.asyncDispose]());

const ping = (session: ReturnType<typeof aSession>) =>
  new GrpcCall(session, "/cache_client.Ping/Ping", new Uint8Array()).ended;
const isAlive = async () => (await ping(aSession(server.port))).status === 0;
const metric = async (name: string) => {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1]);
};

describe("the one port", () => {
  it("speaks HTTP/1.1 and HTTP/2, and tells that it lives", async () => {
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    expect(await (await fetch(`${server.url}/health/ready`)).json()).toMatchObject({ engine: { status: "open" } });
    using session = aSession(server.port);
    const live = session.request({ ":path": "/health/live" });
    const [head] = (await once(live, "response")) as [{ ":status"?: number }];
    expect(head[":status"]).toBe(200);
    expect((await ping(session)).status).toBe(0);
  });

  it("recognises a preface that comes byte by byte", async () => {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.setNoDelay();
    await once(socket, "connect");
    for (const byte of Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1")) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    }
    const [settings] = (await once(socket, "data")) as [Buffer];
    expect(settings[3]).toBe(4); // a SETTINGS frame, not an HTTP/1.1 answer
    socket.destroy();
  });

  it("answers a TLS handshake at once with 400 where it speaks none", async () => {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.write(Buffer.from("16030100050100000100", "hex"));
    const [head] = (await once(socket, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  it("answers a request that offers h2c as if it had not: Java and curl --http2 do with each first one", async () => {
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.write(
      "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    const [head] = (await once(socket, "data")) as [Buffer];
    expect(head.toString()).toMatch(/^HTTP\/1\.1 200 /);
    socket.destroy();
  });

  it("says in every HTTP answer that it is not to be kept, and that no link takes its address along", async () => {
    const host = "Host: localhost\r\nConnection: close\r\n";
    const web = "Content-Type: application/grpc-web+proto\r\nContent-Length: 0\r\n";
    for (const [status, request] of [
      [200, `GET / HTTP/1.1\r\n${host}\r\n`],
      [200, `GET /metrics HTTP/1.1\r\n${host}\r\n`],
      [200, `POST /cache_client.Ping/Ping HTTP/1.1\r\n${host}${web}\r\n`],
      [200, `POST /cache_client.Nothing/Nothing HTTP/1.1\r\n${host}${web}\r\n`],
      [204, `OPTIONS /cache_client.Ping/Ping HTTP/1.1\r\n${host}\r\n`],
      [204, `OPTIONS /v1/caches HTTP/1.1\r\n${host}\r\n`],
      [400, `GET /v1\\caches HTTP/1.1\r\n${host}\r\n`],
      [400, "PRI * HTTP/1.0\r\n\r\n"],
      [401, `GET /v1/caches?ticket=x HTTP/1.1\r\n${host}\r\n`],
      [404, `GET /nothing HTTP/1.1\r\n${host}\r\n`],
      [405, `PUT /v1/caches HTTP/1.1\r\n${host}\r\n`],
      [404, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"],
      [426, `GET /push HTTP/1.1\r\n${host}\r\n`],
    ] as const) {
      const socket = connectTcp(server.port, "127.0.0.1").setEncoding("latin1");
      socket.write(request);
      let answer = "";
      socket.on("data", (chunk: string) => {
        answer += chunk;
      });
      await once(socket, "close");
      const head = answer.split("\r\n\r\n", 1)[0]?.toLowerCase().split("\r\n");
      expect(head?.[0], request).toContain(` ${status} `);
      expect(head, request).toEqual(
        expect.arrayContaining([
          "cache-control: no-store",
          "referrer-policy: no-referrer",
          "x-content-type-options: nosniff",
        ]),
      );
    }
  });

  it.each(["GARBAGE\r\n\r\n", "PRI * HTTP/1.0\r\n\r\n", "\0\0\0\0", "GET / HTTP/9.9\r\n\r\n"])(
    "ends a connection that says %j",
    async (bytes) => {
      const socket = connectTcp(server.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.resume();
      socket.write(bytes);
      await once(socket, "close");
      expect(await isAlive()).toBe(true);
    },
  );

  it("that another one holds is an error that leaves nothing running", async () => {
    await using directory = await aDirectory();
    const warnings: string[] = [];
    const warn = (_: unknown, message: string) => void warnings.push(message);
    const config = configSchema.parse({ port: server.port, dataDir: directory.path });
    await expect(startServer(config, { ...silentLog, warn })).rejects.toThrow("EADDRINUSE");
    await new Promise((resolve) => setTimeout(resolve, 1200)); // upkeep would run within a second, over a store that is closed
    expect(warnings).toEqual([]);
  });

  it("does not wait for connections that have said nothing when it closes", async () => {
    const wheel = new TimerWheel(systemClock);
    const listener = createListener({ handleHttp() {}, handleGrpc() {}, handleUpgrade() {} }, wheel);
    const port = await listener.listen(0, "127.0.0.1");
    const socket = connectTcp(port, "127.0.0.1");
    while (listener.connections() === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = once(socket, "close");
    await listener.close(3_600_000);
    await closed;
  });

  it("closes connections that say nothing, and heads that never end", async () => {
    const wheel = new TimerWheel(systemClock);
    wheel.start();
    const listener = createListener(
      { handleHttp: (_, response) => void response.end(), handleGrpc() {}, handleUpgrade() {} },
      wheel,
      { firstBytesMs: 200 },
    );
    const port = await listener.listen(0, "127.0.0.1");
    for (const begin of ["", "PRI", "GET / HTTP/1.1\r\nHost: a\r\n"]) {
      const socket = connectTcp(port, "127.0.0.1");
      socket.resume();
      if (begin) socket.write(begin);
      await once(socket, "close");
    }
    await listener.close(0);
    wheel.stop();
  });
});

describe("gRPC requests that are no use", () => {
  it.each<[string, string, Uint8Array, number, string]>([
    ["an unknown method", "/cache_client.Scs/Nonsense", frame(new Uint8Array()), 12, "/cache_client.Scs/Nonsense"],
    ["a message of garbage", "/cache_client.pubsub.Pubsub/Publish", frame(Buffer.alloc(40, 0xff)), 3, "PublishRequest"],
    [
      "a body that ends too soon",
      "/cache_client.pubsub.Pubsub/Publish",
      Buffer.from([0, 0, 0, 0, 9, 1]),
      3,
      "after 6 bytes",
    ],
    ["an empty body", "/cache_client.pubsub.Pubsub/Publish", Buffer.alloc(0), 3, "after 0 bytes"],
    ["a compressed message", "/cache_client.pubsub.Pubsub/Publish", Buffer.from([1, 0, 0, 0, 0]), 12, "no compression"],
    [
      "a message that announces 4 GB",
      "/cache_client.pubsub.Pubsub/Publish",
      Buffer.from([0, 255, 255, 255, 255]),
      8,
      "<= 10486000",
    ],
  ])("are answered: %s", async (_, path, body, status, text) => {
    using session = aSession(server.port);
    const call = new GrpcCall(session, path, undefined);
    call.stream.end(body);
    expect(await call.ended).toMatchObject({ status, message: expect.stringContaining(text) });
    expect((await ping(session)).status).toBe(0);
  });

  it("answer before an upload that is too big has ended", async () => {
    using session = aSession(server.port);
    const call = new GrpcCall(session, "/cache_client.Scs/Set", undefined);
    call.stream.write(Buffer.from([0, 0x00, 0xff, 0xff, 0xff]));
    expect(await call.ended).toMatchObject({ status: 8, err: "request_size_limit_exceeded" });
  });

  it("take messages that come in small pieces", async () => {
    using session = aSession(server.port);
    const call = new GrpcCall(session, "/cache_client.Ping/Ping", undefined);
    for (const byte of frame(new Uint8Array([0x08, 0x01])))
      await new Promise((resolve) => call.stream.write(Buffer.of(byte), resolve));
    call.stream.end();
    expect((await call.ended).status).toBe(0);
  });
});

describe("streams", () => {
  it("free their subscription when the client cancels, or is gone", async () => {
    const session = aSession(server.port);
    const calls = Array.from({ length: 20 }, () => subscribeByHand(session, "c", "leave"));
    for (const call of calls) await call.until(() => call.messages.length > 0);
    expect(await metric("todoku_topic_subscriptions")).toBe(20);
    for (const call of calls.slice(0, 10)) call.stream.close(constants.NGHTTP2_CANCEL);
    await expect.poll(() => metric("todoku_topic_subscriptions")).toBe(10);
    session.destroy();
    await expect.poll(() => metric("todoku_topic_subscriptions")).toBe(0);
  });

  it("free it when the client has left before it was made, over HTTP/2 too", async () => {
    const { token } = (await (
      await fetch(`${server.url}/v1/tokens`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          grants: [{ resource: "topic", role: "subscribe", cache: { all: true }, topic: { all: true } }],
          validForSeconds: 60,
        }),
      })
    ).json()) as { token: string };
    using session = aSession(server.port);
    await once(session, "connect");
    const web = {
      ":method": "POST",
      ":path": "/cache_client.pubsub.Pubsub/Subscribe",
      "content-type": "application/grpc-web",
    };
    const events = { ":path": "/v1/topics/c/early", accept: "text/event-stream", authorization: `Bearer ${token}` };
    for (let i = 0; i < 50; i++) {
      const streams = [session.request(web), session.request(events)];
      streams[0]?.end(frame(Buffer.from(`\n\x01c\x12\x07early${10 + i}`))); // cache "c", a topic that nobody follows yet
      streams[1]?.end();
      for (const stream of streams) {
        stream.on("error", () => {});
        setImmediate(() => stream.close(constants.NGHTTP2_CANCEL));
      }
    }
    await ping(session);
    session.destroy();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await metric("todoku_topic_subscriptions")).toBe(0);
  });

  it("beat at once and each second", async () => {
    using session = aSession(server.port);
    const startMs = performance.now();
    const call = subscribeByHand(session, "c", "beat");
    await call.until(() => call.messages.length >= 1);
    expect(performance.now() - startMs).toBeLessThan(900);
    await call.until(() => call.messages.length >= 3);
    expect(performance.now() - startMs).toBeGreaterThan(1500);
    expect(call.items()).toEqual([]);
  });

  it("resume behind a position, and tell of one gap for a page that is not this one", async () => {
    using session = aSession(server.port);
    for (const text of ["a", "b", "c"]) await publishByHand(session, "c", "resume", text);
    const resumed = subscribeByHand(session, "c", "resume", { resumeAt: 2 });
    await resumed.until(() => resumed.items().length === 2);
    expect(resumed.items().map(({ item }) => item.value.text)).toEqual(["b", "c"]);
    const page = resumed.items()[0]?.item.sequence_page;
    const other = subscribeByHand(session, "c", "resume", { resumeAt: 2, page: 1 });
    await other.until(() => other.items().length === 4);
    expect(other.items()[0]?.discontinuity).toMatchObject({
      last_topic_sequence: 1,
      new_topic_sequence: 0,
      new_sequence_page: page,
    });
    expect(
      other
        .items()
        .slice(1)
        .map(({ item }) => item.value.text),
    ).toEqual(["a", "b", "c"]);
  });

  it("give a client that stopped reading everything later, and hold up nobody", async () => {
    using stalled = aSession(server.port, { settings: { initialWindowSize: 65_535 } });
    using session = aSession(server.port);
    const slow = subscribeByHand(stalled, "c", "slow");
    const fast = subscribeByHand(session, "c", "slow");
    await slow.until(() => slow.messages.length > 0);
    await fast.until(() => fast.messages.length > 0);
    slow.stream.pause();
    const count = 1000; // of 20 kB: 20 MB, 80 times what a stream may hold
    for (let i = 0; i < count; i++) await publishByHand(session, "c", "slow", `${i}`.padEnd(20_000, "."));
    await fast.until(() => fast.items().length === count);
    expect(slow.items().length).toBeLessThan(count / 2);
    slow.stream.resume();
    await slow.until(() => slow.items().length === count);
    expect(slow.items().map(({ item }) => item.topic_sequence_number)).toEqual(
      Array.from({ length: count }, (_, i) => i + 1),
    );
  });
});

describe("HTTP/2 limits", () => {
  const goaway = async (session: ReturnType<typeof aSession>) => {
    const code = new Promise<number>((resolve) => {
      session.on("goaway", resolve);
      session.on("close", () => resolve(-1));
    });
    return code;
  };

  it("are announced: streams, header bytes, no push", async () => {
    using session = aSession(server.port);
    await once(session, "remoteSettings");
    expect(session.remoteSettings).toMatchObject({
      maxConcurrentStreams: limits.http2.maxConcurrentStreams,
      maxHeaderListSize: limits.http2.headerListMaxBytes,
      initialWindowSize: limits.http2.initialWindowBytes,
    });
  });

  it("allow a thousand cancels in a burst, and end a session that resets without end", async () => {
    using session = aSession(server.port);
    for (let i = 0; i < 1500; i++) {
      const call = subscribeByHand(session, "c", "reset");
      call.stream.close(constants.NGHTTP2_CANCEL);
      if (i % 100 === 0) await ping(session);
    }
    expect((await ping(session)).status).toBe(0);
    const ended = goaway(session);
    for (let i = 0; i < 2 * limits.http2.streamResetBurst && !session.closed && !session.destroyed; i++) {
      subscribeByHand(session, "c", "reset").stream.close(constants.NGHTTP2_CANCEL);
      if (i % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).not.toBe(0);
    expect(await isAlive()).toBe(true);
  });

  it("end a session that makes the server reset its streams without end", async () => {
    const http2Frame = (type: number, flags: number, stream: number, payload: Uint8Array) => {
      const head = Buffer.alloc(9);
      head.writeUIntBE(payload.length, 0, 3);
      head.set([type, flags], 3);
      head.writeUInt32BE(stream, 5);
      return Buffer.concat([head, payload]);
    };
    const [data, headers, settings, windowUpdate] = [0, 1, 4, 8];
    const request = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 9]), Buffer.from("localhost")]);
    /** What a server must answer with a reset of the stream, behind a whole request: nothing counts as the client's reset. */
    const faults = [
      (stream: number) => http2Frame(windowUpdate, 0, stream, Buffer.alloc(4)),
      (stream: number) => http2Frame(windowUpdate, 0, stream, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
      (stream: number) => http2Frame(data, 1, stream, Buffer.from([0])),
    ];
    for (const fault of faults) {
      const socket = connectTcp(server.port, "127.0.0.1");
      const closed = once(socket, "close");
      socket.on("error", () => {}).resume();
      socket.write(
        Buffer.concat([
          Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
          http2Frame(settings, 0, 0, request.subarray(0, 0)),
        ]),
      );
      const flood = Array.from({ length: 2 * limits.http2.streamResetBurst }, (_, n) =>
        Buffer.concat([http2Frame(headers, 5, 2 * n + 1, request), fault(2 * n + 1)]),
      );
      socket.write(Buffer.concat(flood));
      await closed;
    }
    expect(await isAlive()).toBe(true);
  });

  it("end a session that floods with PING", async () => {
    using session = aSession(server.port, { maxOutstandingPings: 10_000 });
    await once(session, "connect");
    const ended = goaway(session);
    for (let i = 0; i < limits.http2.pingsPerSecond * 30 && !session.destroyed; i++) session.ping(() => {});
    expect(await ended).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it("do not mind the pings of an SDK", async () => {
    using session = aSession(server.port);
    await once(session, "connect");
    for (let i = 0; i < 50; i++) await new Promise((resolve) => session.ping(resolve));
    expect((await ping(session)).status).toBe(0);
  });

  it("end a session that floods with SETTINGS", async () => {
    using session = aSession(server.port);
    await once(session, "connect");
    const ended = goaway(session);
    for (let i = 0; i < limits.http2.settingsPerSecond * 30 && !session.destroyed; i++) {
      session.settings({ maxConcurrentStreams: i + 1 });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  });

  it("refuse heads that are too long or have too many lines", async () => {
    for (const headers of [
      { "x-long": "x".repeat(limits.http2.headerListMaxBytes + 1) },
      Object.fromEntries(Array.from({ length: limits.http2.headerPairsMax + 1 }, (_, i) => [`x-${i}`, "1"])),
    ]) {
      using session = aSession(server.port);
      await once(session, "remoteSettings");
      const call = new GrpcCall(session, "/cache_client.Ping/Ping", new Uint8Array(), headers);
      expect((await call.ended).status).not.toBe(0);
    }
    expect(await isAlive()).toBe(true);
  });

  it("refuse new streams when what waits for a client passes the session's memory", async () => {
    using session = aSession(server.port, { settings: { initialWindowSize: 0 } });
    const get = () =>
      new GrpcCall(session, "/cache_client.Scs/Get", Buffer.from([0x0a, 3, ...Buffer.from("big")]), { cache: "c" });
    const calls = Array.from({ length: 40 }, get); // 200 MB of answers that nobody reads
    const outcomes = await Promise.race([
      Promise.any(calls.map(async (call) => (await call.ended).status)),
      once(session, "close").then(() => -1),
      (async () => {
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 100));
          const more = get();
          const end = await Promise.race([more.ended, new Promise<undefined>((resolve) => setTimeout(resolve, 200))]);
          if (end) return end.status;
        }
      })(),
    ]);
    expect(outcomes).not.toBe(0);
    expect(await isAlive()).toBe(true);
  });
});
