// What is revoked is refused and its open streams end within a second: on a running server, after a restart, and after a kill -9
// in the moment after the answer.
import { CacheGet, MomentoErrorCode } from "@gomomento/sdk";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { wrapCredential } from "../../src/domain/auth/credential.ts";
import { keyCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";
import { follow } from "../support/sse.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: DevProcess;
let url: string;

async function start(): Promise<void> {
  server = await startDevProcess(["--port", "0", "--data-dir", directory.path, "--log-level", "warn"]);
  url = `http://127.0.0.1:${server.port}`;
}

beforeEach(async () => {
  directory = await aDirectory();
  await start();
  await post("/v1/caches", { name: "c" });
});
afterEach(async () => {
  await server.end("SIGTERM");
  await directory[Symbol.asyncDispose]();
});

async function post(path: string, body: unknown): Promise<Record<string, string>> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url + path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

/** A token that may do all that the tests do. */
async function issue(fields: { tokenId: string; userId?: string }): Promise<string> {
  const grants = [
    { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { all: true } },
    { resource: "cache", role: "read", cache: { name: "c" }, key: { all: true } },
  ];
  const { token = "" } = await post("/v1/tokens", { grants, validForSeconds: 3600, ...fields });
  return token;
}

const clientsOf = (token: string) =>
  momentoClients(keyCredential(wrapCredential(`127.0.0.1:${server.port}`, token), server.port));

/** A subscription of the Node SDK and an event stream, both with the token. */
async function openStreams(token: string) {
  const clients = clientsOf(token);
  const received = await subscribe(clients.topics, "c", "t");
  const events = await follow(`${url}/v1/topics/c/t`, { authorization: `Bearer ${token}` });
  return {
    isOpen: () => received.errors.length === 0,
    /** Milliseconds until both have ended with `unauthenticated`. */
    async ended(): Promise<number> {
      const startMs = performance.now();
      expect(await events.nextData()).toMatchObject({ code: "unauthenticated" });
      expect(await events.next()).toBeUndefined();
      await expect.poll(() => received.errors[0]?.errorCode(), { interval: 5, timeout: 10_000 }).toBe(refused);
      return performance.now() - startMs;
    },
    [Symbol.dispose]() {
      received.subscription.unsubscribe();
      events.close();
      clients[Symbol.dispose]();
    },
  };
}

const refused = MomentoErrorCode.AUTHENTICATION_ERROR;

async function read(token: string): Promise<MomentoErrorCode | "read"> {
  using clients = clientsOf(token);
  const answer = await clients.cache.get("c", "k");
  return answer instanceof CacheGet.Error ? answer.errorCode() : "read";
}

describe("revoking a token id", () => {
  it("ends the SDK's subscriptions and the event streams of its tokens within a second, and no others", async () => {
    const [alice, bob] = [await issue({ tokenId: "alice" }), await issue({ tokenId: "bob" })];
    using hers = await openStreams(alice);
    using his = await openStreams(bob);
    await post("/v1/revocations", { tokenId: "alice" });
    expect(await hers.ended()).toBeLessThan(1000);
    expect([await read(alice), await read(bob), his.isOpen()]).toEqual([refused, "read", true]);
    expect(await read(await issue({ tokenId: "alice" }))).toBe("read");
  });

  it("does the same after a restart, to tokens of before it", async () => {
    const [alice, bob] = [await issue({ tokenId: "alice" }), await issue({ tokenId: "bob" })];
    await post("/v1/revocations", { tokenId: "bob" });
    expect(await server.end("SIGTERM")).toMatchObject({ code: 0 });
    await start();
    expect([await read(alice), await read(bob)]).toEqual(["read", refused]);
    using hers = await openStreams(alice);
    await post("/v1/revocations", { tokenId: "alice" });
    expect(await hers.ended()).toBeLessThan(1000);
    expect(await read(alice)).toBe(refused);
  });
});

it("is not undone by a kill -9 right after the answer, whatever was revoked", async () => {
  const tokens = {
    byTokenId: await issue({ tokenId: "alice" }),
    byUser: await issue({ tokenId: "", userId: "u-1" }),
    byItself: await issue({ tokenId: "carol" }),
    other: await issue({ tokenId: "bob", userId: "u-2" }),
  };
  const { keyId = "", apiKey = "" } = await post("/v1/keys", { superUser: true });
  await post("/v1/revocations", { keyId });
  await post("/v1/revocations", { userId: "u-1" });
  await post("/v1/revocations", { token: tokens.byItself });
  await post("/v1/revocations", { tokenId: "alice" });
  expect(await server.end("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
  await start();
  expect(await Promise.all(Object.values(tokens).map(read))).toEqual([refused, refused, refused, "read"]);
  const headers = { authorization: `Bearer ${apiKey}` };
  expect((await fetch(`${url}/v1/caches`, { headers })).status).toBe(401);
});
