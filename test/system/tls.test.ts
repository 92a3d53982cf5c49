// The one port with TLS: what is spoken on it, by whom, and what happens to those who come without, too slowly or too often.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import {
  connect as connectHttp2,
  constants,
  type SecureClientSessionOptions,
  type ServerHttp2Stream,
} from "node:http2";
import { connect as connectTcp } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDevTls } from "../../src/cli/commands/tls-dev.ts";
import { limits } from "../../src/domain/limits.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { createListener } from "../../src/server/listener.ts";
import { openTls } from "../../src/server/tls-files.ts";
import { frame, subscribeByHand } from "../support/grpc.ts";
import { runCli, runNode, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";
import { aCertificate, aTlsServer, curl, host, secureSocket } from "../support/tls.ts";

let certificate: Awaited<ReturnType<typeof aCertificate>>;
beforeAll(async () => {
  certificate = await aCertificate();
});
afterAll(() => certificate[Symbol.asyncDispose]());

/** A listener whose door says over what a request came, and from where. */
async function aListener(
  options: { plaintext?: "never" | "loopback"; firstBytesMs?: number; certFile?: string; keyFile?: string } = {},
) {
  const lines: string[] = [];
  const note = (_: unknown, message: string) => void lines.push(message);
  const wheel = new TimerWheel(systemClock);
  wheel.start();
  const { plaintext = "never", certFile = certificate.certFile, keyFile = certificate.keyFile } = options;
  const parts = { wheel, log: { ...silentLog, info: note, warn: note, error: note }, wallMs: Date.now };
  const tls = await openTls({ certFile, keyFile, plaintext }, parts);
  const doors = {
    handleHttp: ({ httpVersion, socket }, response) =>
      void response.end(JSON.stringify({ httpVersion, peer: socket.remoteAddress })),
    handleGrpc() {},
    handleUpgrade() {},
  } satisfies Parameters<typeof createListener>[0];
  const { firstBytesMs = limits.firstBytesMs } = options;
  const listener = createListener(doors, wheel, { tls, firstBytesMs });
  return {
    lines,
    tls,
    port: await listener.listen(0, "127.0.0.1"),
    connections: listener.connections,
    async [Symbol.asyncDispose]() {
      await listener.close(0);
      tls?.files.close();
      wheel.stop();
    },
  };
}

const serialOf = async (port: number, ca = certificate.ca) => {
  const socket = await secureSocket(port, ca);
  const { serialNumber } = socket.getPeerCertificate();
  socket.destroy();
  return serialNumber;
};

describe("the one port with TLS", () => {
  it.each([
    ["HTTP/1.1", "--http1.1", "1.1"],
    ["HTTP/2", "--http2", "2.0"],
  ])("speaks %s with curl, and knows the peer's address", async (_, flag, httpVersion) => {
    await using listener = await aListener();
    const answer = await curl(certificate.caFile, listener.port, [flag, `https://${host}/`]);
    expect(JSON.parse(answer)).toEqual({ httpVersion, peer: "127.0.0.1" });
  });

  it("is each of the names that the SDKs and the HTTP API put before the endpoint", async () => {
    await using listener = await aListener();
    for (const name of certificate.hosts) {
      expect(await curl(certificate.caFile, listener.port, [`https://${name}/`]), name).toContain("httpVersion");
    }
    expect(certificate.hosts).toContain(`web.cache.${host}`);
    const other = secureSocket(listener.port, certificate.ca, { servername: "other.test" });
    await expect(other).rejects.toThrow("other.test");
  });

  it("speaks HTTP/1.1 to a client without ALPN, and nothing to one that wants something else", async () => {
    await using listener = await aListener();
    using socket = await secureSocket(listener.port, certificate.ca);
    expect(socket.alpnProtocol).toBe(false);
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(String((await once(socket, "data"))[0])).toMatch(/^HTTP\/1\.1 200 /);
    const other = secureSocket(listener.port, certificate.ca, { ALPNProtocols: ["h3"] });
    await expect(other).rejects.toThrow("no application protocol");
  });

  it("takes TLS 1.3 and 1.2, and refuses 1.1 and what comes before it", async () => {
    await using listener = await aListener();
    const handshake = (version: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3") =>
      secureSocket(listener.port, certificate.ca, {
        minVersion: version,
        maxVersion: version,
        ciphers: "DEFAULT@SECLEVEL=0",
      });
    for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
      using socket = await handshake(version);
      expect(socket.getProtocol()).toBe(version);
    }
    await expect(handshake("TLSv1.1")).rejects.toThrow("protocol version");
    await expect(handshake("TLSv1")).rejects.toThrow("protocol version");
  });

  it("does not renegotiate", async () => {
    await using listener = await aListener();
    using socket = await secureSocket(listener.port, certificate.ca, { maxVersion: "TLSv1.2" });
    const failed = once(socket, "error");
    socket.renegotiate({}, () => {});
    expect(String((await failed)[0])).toContain("no renegotiation");
  });

  it("resumes a session by its ticket", async () => {
    await using listener = await aListener();
    const first = await secureSocket(listener.port, certificate.ca);
    first.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const [session] = (await once(first, "session")) as [Buffer];
    first.destroy();
    using second = await secureSocket(listener.port, certificate.ca, { session });
    expect(second.isSessionReused()).toBe(true);
  });
});

describe("without TLS", () => {
  it("an HTTP/1.1 request is told to come with it, whatever it carries", async () => {
    await using listener = await aListener();
    const response = await fetch(`http://127.0.0.1:${listener.port}/`, {
      method: "POST",
      body: "x".repeat(100_000),
    });
    expect([response.status, response.headers.get("upgrade")]).toEqual([426, "TLS/1.2, HTTP/1.1"]);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ status: 426, detail: expect.stringContaining("TLS only") });
  });

  it("an HTTP/2 client gets a GOAWAY that says why", async () => {
    await using listener = await aListener();
    const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
    session.on("error", () => {});
    const [code, lastStream, detail] = (await once(session, "goaway")) as [number, number, Buffer];
    expect([code, lastStream]).toEqual([constants.NGHTTP2_INADEQUATE_SECURITY, 0]);
    expect(detail.toString()).toContain("TLS only");
    session.destroy();
  });

  it("this machine may come where that is allowed", async () => {
    await using listener = await aListener({ plaintext: "loopback" });
    const response = await fetch(`http://127.0.0.1:${listener.port}/`);
    expect(await response.json()).toEqual({ httpVersion: "1.1", peer: "127.0.0.1" });
  });
});

describe("a client that takes its time", () => {
  it("is cut off before the handshake, in the middle of it, and behind it", async () => {
    await using listener = await aListener({ firstBytesMs: 300 });
    for (const begin of ["", "\x16", "\x16\x03\x01\x02\x00\x01"]) {
      const socket = connectTcp(listener.port, "127.0.0.1");
      socket.resume().write(begin, "latin1");
      await once(socket, "close");
    }
    for (const protocol of ["h2", "http/1.1"]) {
      const socket = await secureSocket(listener.port, certificate.ca, { ALPNProtocols: [protocol] });
      expect(socket.alpnProtocol).toBe(protocol);
      socket.on("error", () => {}).resume();
      await once(socket, "close");
    }
    expect(listener.connections()).toBe(0);
  });

  it("is the one that goes when too many handshakes are unfinished, and honest ones are served", async () => {
    await using listener = await aListener();
    const begin = () => {
      const socket = connectTcp(listener.port, "127.0.0.1");
      socket.on("error", () => {}).write("\x16", "latin1");
      return socket;
    };
    const oldest = begin();
    const closed = once(oldest.resume(), "close");
    const others = Array.from({ length: limits.tls.handshakesMax }, begin);
    await closed;
    using socket = await secureSocket(listener.port, certificate.ca);
    expect(socket.authorized).toBe(true);
    for (const other of others) other.destroy();
  });

  it("and one that sends garbage for a handshake is closed", async () => {
    await using listener = await aListener();
    const socket = connectTcp(listener.port, "127.0.0.1");
    socket.resume().write(Buffer.concat([Buffer.from("\x16\x03\x01\x00\x20", "latin1"), Buffer.alloc(32, 7)]));
    await once(socket, "close");
    expect(await serialOf(listener.port)).not.toBe("");
  });
});

describe("a server with a certificate", () => {
  let tls: Awaited<ReturnType<typeof aTlsServer>>;
  beforeAll(async () => {
    tls = await aTlsServer();
    await tls.call("POST", "/v1/caches", { name: "c" });
  });
  afterAll(() => tls[Symbol.asyncDispose]());

  it.each(["v1", "v2"])(
    "needs nothing but a key of kind %s in the Node SDK, and nothing but a token that it made",
    async (kind) => {
      const key = (await tls.call("POST", "/v1/keys", { superUser: true })) as { apiKey: string; apiKeyV2: string };
      const env =
        kind === "v1"
          ? { MOMENTO_API_KEY: key.apiKey }
          : { MOMENTO_API_KEY: key.apiKeyV2, MOMENTO_ENDPOINT: tls.endpoint };
      const [names, client] = ["momento-names-child.ts", "momento-tls-child.ts"].map(
        (script) => new URL(`../support/${script}`, import.meta.url).pathname,
      );
      const { code, stdout, stderr } = await runNode(["--import", names as string, client as string], {
        ...env,
        NODE_EXTRA_CA_CERTS: tls.certificate.caFile,
        GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: undefined, // where it is set, gRPC trusts that file alone
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      // The SDK prints a line of its own first.
      expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
        created: expect.stringContaining("Already"),
        stored: expect.stringContaining("Success"),
        texts: [":from owner", "guest:from guest"],
        endpoint: tls.endpoint,
      });
    },
  );

  const session = (options: SecureClientSessionOptions = {}) => {
    const opened = connectHttp2(`https://127.0.0.1:${tls.port}`, { ca: tls.ca, servername: host, ...options });
    opened.on("error", () => {});
    return Object.assign(opened, { [Symbol.dispose]: () => opened.destroy() });
  };
  const key = () => tls.server.devKey ?? "";
  const events = (topic: string) => ({
    ":path": `/v1/topics/c/${topic}`,
    accept: "text/event-stream",
    authorization: `Bearer ${key()}`,
  });
  const follow = (client: ReturnType<typeof session>, topic: string) => {
    const stream = client.request(events(topic)).setEncoding("utf8");
    let text = "";
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
    return { stream, has: async (part: string) => void (await expect.poll(() => text).toContain(part)) };
  };

  it("keeps its streams when the certificate is replaced, and shows the new one to new connections", async () => {
    using client = session();
    const call = subscribeByHand(client, "c", "renewed", { headers: { authorization: key() } });
    const stream = follow(client, "renewed");
    await call.until(() => call.messages.length > 0);
    await stream.has("retry: 1000");
    const before = await serialOf(tls.port, tls.ca);
    const { expiresAtMs } = await makeDevTls({
      endpoint: host,
      out: dirname(tls.certificate.caFile),
      names: [],
      nowMs: Date.now(),
    });
    await expect.poll(() => serialOf(tls.port, tls.ca)).not.toBe(before);
    await tls.call("POST", "/v1/topics/c/renewed", { text: "still here" });
    await call.until(() => call.items().length === 1);
    await stream.has("still here");
    const metrics = await curl(tls.certificate.caFile, tls.port, [`https://${host}/metrics`]);
    expect(metrics).toContain(`\ntodoku_tls_certificate_expires_seconds ${expiresAtMs / 1000}\n`);
  });

  it("lets all streams of a connection together, of whatever protocol, hold no more than one bound", async () => {
    const opened: ServerHttp2Stream[] = [];
    const note = (message: unknown) => void opened.push((message as { stream: ServerHttp2Stream }).stream);
    subscribe("http2.server.stream.created", note);
    using client = session({ settings: { initialWindowSize: 65_535 } });
    const web = {
      ":method": "POST",
      ":path": "/cache_client.pubsub.Pubsub/Subscribe",
      "content-type": "application/grpc-web",
      authorization: key(),
    };
    const streams = Array.from({ length: 120 }, (_, i) => client.request(i % 2 === 0 ? events("full") : web));
    const received = streams.map((stream, i) => {
      if (i % 2 === 0) stream.end();
      else stream.end(frame(Buffer.from("\n\x01c\x12\x04full")));
      return { bytes: 0 };
    });
    await Promise.all(streams.map((stream) => once(stream, "readable")));
    const count = 40;
    for (let i = 0; i < count; i++) await tls.call("POST", "/v1/topics/c/full", { text: "x".repeat(65_000) });
    const waiting = () => opened.reduce((sum, stream) => sum + stream.writableLength, 0);
    // An item is written to all before they stop; 256 KiB each would be 31 MB.
    expect(waiting()).toBeLessThan(limits.http2.sessionSendBufferBytes + streams.length * 66_000);
    expect(waiting()).toBeGreaterThan(limits.http2.sessionSendBufferBytes / 2);
    for (const [i, stream] of streams.entries()) {
      const got = received[i] as { bytes: number };
      stream.on("data", (chunk: Buffer) => {
        got.bytes += chunk.length;
      });
    }
    await expect
      .poll(() => Math.min(...received.map(({ bytes }) => bytes)), { timeout: 20_000 })
      .toBeGreaterThan(count * 65_000);
    unsubscribe("http2.server.stream.created", note);
  });
});

it("todoku tls dev makes what todoku dev needs, and the other commands find it over https", async () => {
  await using directory = await aDirectory();
  const out = join(directory.path, "tls");
  const made = await runCli(["tls", "dev", "--out", out, "--json"]);
  expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
  const { caFile, certFile, keyFile } = JSON.parse(made.stdout) as Record<"caFile" | "certFile" | "keyFile", string>;
  const tls = ["--tls-cert", certFile, "--tls-key", keyFile, "--public-endpoint", "localhost:8443"];
  const server = await startDevProcess(["--port", "0", "--data-dir", directory.path, ...tls]);
  try {
    expect(server.output().stdout).toContain("https://localhost:8443");
    const args = ["cache", "create", "c", "--url", `https://localhost:${server.port}`];
    const env = { TODOKU_API_KEY: undefined, TODOKU_URL: undefined };
    expect(await runCli(args, { ...env, NODE_EXTRA_CA_CERTS: caFile })).toMatchObject({ code: 0, stderr: "" });
    expect((await runCli(args, { ...env, NODE_EXTRA_CA_CERTS: undefined })).code).toBe(1);
  } finally {
    expect(await server.end("SIGTERM")).toEqual({ code: 0, signal: null });
  }
});
