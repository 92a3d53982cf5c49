import { readFile } from "node:fs/promises";
import { createServer as createTlsServer } from "node:https";
import { createServer } from "node:net";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { aTarget, listening } from "../../../test/support/outbound-target.ts";
import { aCertificate } from "../../../test/support/tls.ts";
import { createGuardedClient, type GuardedClientOptions, type GuardedRequest } from "./guarded-client.ts";

/** Permits 127.0.0.1, which stands for the internet; every other address of loopback is a private one. */
function aClient(overrides: Partial<GuardedClientOptions> = {}) {
  const client = createGuardedClient({ allowed: ["127.0.0.1"], permitsLoopback: false, ...overrides });
  onTestFinished(() => client.close());
  const call = (url: string, request: Partial<GuardedRequest> = {}) =>
    client.call({ method: "POST", url, headers: {}, body: "{}", timeoutMs: 5000, answerMaxBytes: 1024, ...request });
  return { ...client, call };
}

/** A name server whose `answers` follow each other; the last one stays. */
function aLookup(...answers: readonly (readonly string[])[]) {
  const asked: string[] = [];
  const lookup: GuardedClientOptions["lookup"] = async (host) => {
    const addresses = answers[Math.min(asked.push(host), answers.length) - 1] ?? [];
    return addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  return { asked, lookup };
}

const target = await aTarget(({ path }, _request, response) => {
  if (path === "/close") response.setHeader("connection", "close");
  if (path === "/moved") response.writeHead(302, { location: `http://127.0.0.1:${elsewhere.port}/` });
  if (path === "/long") return void response.end("x".repeat(5000));
  if (path === "/head") return void response.writeHead(200, { "x-large": "x".repeat(20_000) }).end();
  if (path === "/zip") return void response.setHeader("content-encoding", "gzip").end(gzipSync("x".repeat(1000)));
  if (path === "/many")
    return void response.writeHead(503, { "Retry-After": "7", "Set-Cookie": ["a=1", "b=2"] }).end("later");
  if (path === "/never") return;
  if (path === "/early") response.writeEarlyHints({ link: "</a>; rel=preload" });
  response.end("ok");
});
const elsewhere = await aTarget();
const inNames = (path = "") => `http://receiver.test:${target.port}/${path}`;
afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await elsewhere[Symbol.asyncDispose]();
});

describe("a call", () => {
  it("brings what was sent, and gives what was answered", async () => {
    const client = aClient();
    const headers = { "content-type": "application/json", "x-mark": "1" };
    const answer = await client.call(`${target.url}many?a=1`, { headers, body: new TextEncoder().encode('{"ä":1}') });
    expect(answer).toMatchObject({ kind: "answer", status: 200, isPublic: false, latencyMs: expect.any(Number) });
    expect(target.received.at(-1)).toMatchObject({ path: "/many?a=1", headers });
    expect(target.received.at(-1)?.body.toString()).toBe('{"ä":1}');
    const refused = await client.call(`${target.url}many`, { method: "GET", body: "" });
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "7", "set-cookie": "a=1, b=2" } });
    expect("body" in refused && Buffer.from(refused.body).toString()).toBe("later");
    expect(await client.call(`${target.url}early`)).toMatchObject({ status: 200, body: Buffer.from("ok") });
  });

  it("uses a connection again, without asking for the name again", async () => {
    const { asked, lookup } = aLookup(["127.0.0.1"]);
    const client = aClient({ lookup });
    const before = target.counts.connections;
    for (let i = 0; i < 5; i++) expect(await client.call(inNames())).toMatchObject({ status: 200 });
    expect([asked, target.counts.connections - before]).toEqual([["receiver.test"], 1]);
  });

  it("opens no more connections to one origin than it may, and all calls come through", async () => {
    const client = aClient({ connectionsPerOrigin: 3 });
    const before = target.counts.connections;
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.call(target.url)));
    expect(answers.map((answer) => answer.kind)).toEqual(answers.map(() => "answer"));
    expect(target.counts.connections - before).toBe(3);
  });

  it("does not follow a redirect: the 3xx is the answer, and nobody goes where it leads", async () => {
    expect(await aClient().call(`${target.url}moved`)).toMatchObject({ kind: "answer", status: 302 });
    expect(elsewhere.counts.connections).toBe(0);
  });

  it("reads so much of an answer and ends the connection, so that a body without end is none", async () => {
    const client = aClient();
    expect(await client.call(`${target.url}long`)).toMatchObject({ status: 200, body: Buffer.from("x".repeat(1024)) });
    const exact = await client.call(`${target.url}long`, { answerMaxBytes: 5000 });
    expect("body" in exact && exact.body.length).toBe(5000);
    await using endless = await listening(
      createServer((socket) => {
        const more = () => {
          while (socket.writable && socket.write("y".repeat(1000)));
        };
        socket.once("data", () => socket.on("drain", more).write("HTTP/1.1 200 OK\r\n\r\n", more));
      }),
    );
    expect(await client.call(endless.url)).toMatchObject({ kind: "answer", body: Buffer.from("y".repeat(1024)) });
    await expect.poll(() => endless.sockets.size).toBe(0);
  });

  it("gives compressed bytes as they are: nothing small becomes large", async () => {
    const answer = await aClient().call(`${target.url}zip`);
    expect("body" in answer && answer.body).toEqual(gzipSync("x".repeat(1000)));
  });

  it("ends in time, whether nothing is answered, or a byte now and then", async () => {
    const client = aClient();
    await using trickle = await listening(
      createServer((socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        const timer = setInterval(() => socket.write("x"), 20);
        socket.once("close", () => clearInterval(timer));
      }),
    );
    const late = { kind: "timeout", error: expect.stringContaining("150 ms"), latencyMs: expect.any(Number) };
    const results = await Promise.all([
      client.call(`${target.url}never`, { timeoutMs: 150 }),
      client.call(trickle.url, { timeoutMs: 150 }),
      aClient({ lookup: () => new Promise(() => undefined) }).call(inNames(), { timeoutMs: 150 }),
    ]);
    expect(results).toEqual([late, late, late]);
    for (const { latencyMs } of results) expect(latencyMs).toBeGreaterThanOrEqual(149);
    await expect.poll(() => trickle.sockets.size).toBe(0);
  });

  it("that waits for a connection ends in time too, and takes none from those behind it", async () => {
    const client = aClient({ connectionsPerOrigin: 1 });
    const before = target.counts.connections;
    const first = client.call(`${target.url}never`, { timeoutMs: 300 });
    const second = client.call(`${target.url}never`, { timeoutMs: 50 });
    const third = client.call(target.url);
    expect([(await second).kind, (await first).kind, (await third).kind]).toEqual(["timeout", "timeout", "answer"]);
    expect(target.counts.connections - before).toBe(2);
  });

  it("is not made twice when its connection breaks: whoever asked for it decides", async () => {
    let requests = 0;
    await using fickle = await listening(
      createServer((socket) => {
        socket.on("data", () => {
          requests += 1;
          if (requests === 1) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
          else socket.destroy();
        });
      }),
    );
    const client = aClient();
    expect(await client.call(fickle.url)).toMatchObject({ kind: "answer" });
    expect(await client.call(fickle.url)).toMatchObject({ kind: "network" });
    expect([requests, fickle.counts.connections]).toEqual([2, 1]);
  });

  it("that fails says why, and names no address that a name led to, nor the query", async () => {
    const closed = await aTarget();
    await closed[Symbol.asyncDispose]();
    await using garbage = await listening(createServer((socket) => void socket.end("SSH-2.0-OpenSSH\r\n")));
    const client = aClient({ lookup: aLookup(["127.0.0.1"]).lookup });
    const at = (port: number) => `http://receiver.test:${port}/?token=hush`;
    const unknown = aClient({
      lookup: () => Promise.reject(Object.assign(new Error("hush"), { code: "ENOTFOUND" })),
    });
    const errors = [
      [await client.call(at(closed.port)), "the connection was refused"],
      [await client.call(at(garbage.port)), "the answer is not HTTP/1.1"],
      [await client.call(`http://receiver.test:${target.port}/head`), "the head of the answer is too large"],
      [await unknown.call(at(target.port)), "the name of the host was not found"],
      [
        await client.call(target.url, { headers: { "x-mark": "a\r\nb: c" } }),
        "the connection failed: UND_ERR_INVALID_ARG",
      ],
    ] as const;
    for (const [result, error] of errors)
      expect(result).toEqual({ kind: "network", error, latencyMs: expect.any(Number) });
  });

  it("wants a certificate that somebody vouches for", async () => {
    await using certificate = await aCertificate();
    const [cert, key] = await Promise.all([readFile(certificate.certFile), readFile(certificate.keyFile)]);
    await using secure = await listening(
      createTlsServer({ cert, key }, (_request, response) => void response.end("ok")),
    );
    const call = (host: string) =>
      aClient({ lookup: aLookup(["127.0.0.1"]).lookup }).call(`https://${host}:${secure.port}/`);
    expect(await call("momento.test")).toMatchObject({ kind: "network", error: expect.stringMatching(/: [A-Z_]+$/) });
    const known = getCACertificates();
    onTestFinished(() => setDefaultCACertificates(known));
    setDefaultCACertificates([certificate.ca]);
    expect(await call("momento.test")).toMatchObject({ kind: "answer", status: 200 });
    const error = "the connection failed: ERR_TLS_CERT_ALTNAME_INVALID";
    expect(await call("receiver.test")).toMatchObject({ kind: "network", error });
  });

  it("fails at once when the client is destroyed, whatever it waits for", async () => {
    const asked = Promise.withResolvers<void>();
    await using silent = await aTarget(() => asked.resolve());
    const client = aClient({ connectionsPerOrigin: 1 });
    const url = `http://127.0.0.1:${silent.port}/`;
    // The second waits for the connection of the first.
    const calls = [client.call(url, { timeoutMs: 60_000 }), client.call(url, { timeoutMs: 60_000 })];
    await asked.promise;
    await client.destroy();
    expect((await Promise.all(calls)).map(({ kind }) => kind)).toEqual(["network", "network"]);
    expect(await client.call(url)).toMatchObject({ error: "the server is stopping" });
  });

  it("comes to its end while the client is closed; the next one is refused", async () => {
    const client = aClient();
    const underWay = client.call(`${target.url}never`, { timeoutMs: 100 });
    const closed = client.close();
    const error = "the server is stopping";
    expect(await client.call(target.url)).toEqual({ kind: "network", error, latencyMs: 0 });
    await closed;
    expect(await underWay).toMatchObject({ kind: "timeout" });
  });
});

describe("a target that is neither public nor permitted", () => {
  it.each([
    ...["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1."],
    ...[
      "[::1]",
      "[::ffff:127.0.0.1]",
      "[::ffff:7f00:1]",
      "[0:0:0:0:0:ffff:7f00:0001]",
      "[64:ff9b::127.0.0.1]",
      "[2002:7f00:1::]",
    ],
    ...["localhost", "LOCALHOST", "localhost.", "a.localhost", "0.0.0.0", "0", "[::]", "１２７.0.0.1"],
  ])("is not connected to, written as %s", async (host) => {
    const client = aClient({ allowed: [], lookup: aLookup(["8.8.8.8"]).lookup });
    const before = target.counts.connections;
    const url = `http://${host}:${target.port}/`;
    expect(await client.call(url)).toMatchObject({ kind: "blocked", error: expect.stringContaining("not permitted") });
    expect(client.refusal(url)).toContain("not permitted");
    expect(target.counts.connections).toBe(before);
  });

  it.each([
    [["10.0.0.1"]],
    [["127.0.0.1", "10.0.0.1"]],
    [["127.0.0.1", "::1"]],
    [["127.0.0.1", "::ffff:169.254.169.254"]],
    [["64:ff9b::a9fe:a9fe", "127.0.0.1"]],
    [["fe80::1%1"]],
  ])("is not connected to when a name leads to %j, of which one is enough", async (addresses) => {
    const client = aClient({ lookup: aLookup(addresses).lookup });
    const before = target.counts.connections;
    const result = await client.call(inNames());
    const error = "receiver.test leads to an address that is not public, and not permitted";
    expect(result).toEqual({ kind: "blocked", error, latencyMs: expect.any(Number) });
    expect(client.refusal(inNames())).toBeUndefined();
    expect(target.counts.connections).toBe(before);
  });

  it("is refused as soon as DNS changes its answer, and what was checked is what is connected to", async () => {
    const { asked, lookup } = aLookup(["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2"]);
    const client = aClient({ lookup });
    await using inner = await listening(createServer(), "127.0.0.2");
    const url = inNames("close");
    // One question for each connection: a second one would have been answered with the other address.
    expect(await client.call(url)).toMatchObject({ kind: "answer" });
    expect(await client.call(url)).toMatchObject({ kind: "blocked" });
    expect(await client.call(url)).toMatchObject({ kind: "answer" });
    expect(await client.call(`http://receiver.test:${inner.port}/`)).toMatchObject({ kind: "blocked" });
    expect([asked.length, inner.counts.connections]).toEqual([4, 0]);
  });

  it("may be one that the operator permits by its name, and nobody else's", async () => {
    const { lookup } = aLookup(["127.0.0.1"]);
    const client = aClient({ allowed: ["receiver.test"], lookup });
    expect(await client.call(inNames())).toMatchObject({ kind: "answer", isPublic: false });
    expect(await client.call(`http://other.test:${target.port}/`)).toMatchObject({ kind: "blocked" });
    expect(await client.call(`http://RECEIVER.test.:${target.port}/`)).toMatchObject({ kind: "answer" });
  });

  it("may be this machine where that is permitted, without asking for its name", async () => {
    const { asked, lookup } = aLookup(["10.0.0.1"]);
    const client = aClient({ allowed: [], permitsLoopback: true, lookup });
    for (const host of ["localhost", "a.localhost", "127.0.0.1", "[::ffff:127.0.0.1]"])
      expect(await client.call(`http://${host}:${target.port}/`), host).toMatchObject({ kind: "answer" });
    expect(await client.call(inNames())).toMatchObject({ kind: "blocked" });
    expect(asked).toEqual(["receiver.test"]);
  });

  it("is one from the moment on that the operator says so, on connections that are open too", async () => {
    const client = aClient({ lookup: aLookup(["127.0.0.1"]).lookup });
    const answers = async () => [(await client.call(inNames())).kind, (await client.call(target.url)).kind];
    expect(await answers()).toEqual(["answer", "answer"]);
    client.permit([]);
    expect(await answers()).toEqual(["blocked", "blocked"]);
    expect(client.refusal(target.url)).toContain("not permitted");
    client.permit(["127.0.0.0/8"]);
    expect(await answers()).toEqual(["answer", "answer"]);
  });

  it("is not connected to either by a call that waited for a connection while the operator changed that", async () => {
    const client = aClient({ connectionsPerOrigin: 1 });
    const first = client.call(`${target.url}never`, { timeoutMs: 100 });
    const second = client.call(target.url);
    client.permit([]);
    expect([(await first).kind, (await second).kind]).toEqual(["timeout", "blocked"]);
  });

  it.each([
    ["ftp://1.1.1.1/", "scheme"],
    ["file:///etc/passwd", "scheme"],
    ["http://user:hush@1.1.1.1/", "user name"],
    ["http://user@1.1.1.1/", "user name"],
    ["http://1.1.1.1:0/", "port"],
    ["http://1.1.1.1/#part", "fragment"],
    ["/only/a/path", "no URL"],
    ["http://", "no URL"],
    ["http://1.1.1.1:99999/", "no URL"],
    ["http://1.2.3.4.5/", "no URL"],
  ])("may be no proper one: %s", async (url, word) => {
    const client = aClient();
    expect(client.refusal(url)).toContain(word);
    const result = await client.call(url);
    expect(result).toMatchObject({ kind: "blocked", error: expect.stringContaining(word), latencyMs: 0 });
    expect(JSON.stringify(result)).not.toContain("hush");
  });
});
