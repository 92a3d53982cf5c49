// What GET /token gives out, tried by the unmodified SDK in the hands of a thief.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { MomentoErrorCode, TopicClient, TopicConfigurations } from "@gomomento/sdk";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { keyCredential, momentoClients, subscribe } from "../../../test/support/momento-node.ts";
import { startDevProcess } from "../../../test/support/process.ts";
import { aDirectory } from "../../../test/support/server.ts";
import { errorCode } from "../shared/momento.ts";
import { names } from "../shared/names.ts";
import { Secrets } from "../shared/secrets.ts";
import { keyFileIn } from "../shared/settings.ts";
import { anyAnswer } from "../shared/todoku.ts";
import { type Application, anApplication, aTodoku } from "../testing/application.ts";
import { silentLog } from "../testing/log.ts";

// A set-up starts a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let app: Application;
beforeAll(async () => {
  app = await anApplication();
});
afterAll(() => app[Symbol.asyncDispose]());

interface TokenAnswer {
  readonly endpoint: string;
  readonly token: string;
  readonly cacheName: string;
  readonly topic: string;
  readonly expiresAt: string;
  readonly expiresAtMs: number;
}
const getToken = async (sub: string, query = "") =>
  (await (await app.call(sub, "GET", `/token${query}`)).json()) as TokenAnswer;

it("gives half an hour for the caller's own topic, whatever the caller asks for", async () => {
  const nowMs = Date.now();
  const answer = await getToken("alice", "?topic=bob&sub=bob&cacheName=other");
  expect(answer).toEqual({
    ...{ endpoint: app.todoku.url, cacheName: app.todoku.names.cache, topic: "alice" },
    ...{ token: expect.any(String), expiresAt: new Date(answer.expiresAtMs).toISOString() },
    expiresAtMs: expect.any(Number),
  });
  expect(answer.expiresAtMs - nowMs).toBeGreaterThan(29 * 60_000);
  expect(answer.expiresAtMs - nowMs).toBeLessThanOrEqual(30 * 60_000 + 1000);
});

it("lets a stolen token listen to its user's topic and do nothing else", async () => {
  const { token, cacheName } = await getToken("alice");
  using thief = momentoClients(keyCredential(token, app.todoku.port));
  const received = await subscribe(thief.topics, cacheName, "alice");
  await app.todoku.admin.call("POST", `/v1/topics/${cacheName}/alice`, { text: "hello" }, anyAnswer);
  expect((await received.waitFor(1))[0]?.valueString()).toBe("hello");
  received.subscription.unsubscribe();

  const refusals = [
    await thief.topics.subscribe(cacheName, "bob", { onItem() {} }),
    await thief.topics.subscribe("other", "alice", { onItem() {} }),
    await thief.topics.publish(cacheName, "alice", "forged"),
    await thief.topics.publish(cacheName, "bob", "forged"),
    await thief.cache.get(cacheName, "k"),
    await thief.cache.set(cacheName, "k", "v"),
    await thief.cache.listCaches(),
  ];
  for (const refusal of refusals) expect(errorCode(refusal), String(refusal)).toBe(MomentoErrorCode.PERMISSION_ERROR);
  const send = await fetch(`${app.todoku.url}/v1/queues/${app.todoku.names.taskQueue}/send`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ body: "x" }),
  });
  expect(send.status).toBe(403);
});

it("gives a token for a user whose id is longer than a token id may be", async () => {
  const sub = `auth0|${"x".repeat(200)}`;
  const { token, topic, cacheName } = await getToken(sub);
  expect(topic).toBe(sub);
  const topics = new TopicClient({
    configuration: TopicConfigurations.Default.latest(),
    credentialProvider: keyCredential(token, app.todoku.port),
  });
  const received = await subscribe(topics, cacheName, sub);
  received.subscription.unsubscribe();
});

it("issues no token and takes no task with the worker's key, nor the other way round", async () => {
  const { url: todokuUrl, stateDir } = app.todoku;
  const key = (name: "api" | "worker") =>
    new Secrets({ todokuUrl, keyFile: keyFileIn(stateDir, name), log: silentLog })
      .text(name === "api" ? names.apiSecret : names.workerSecret)
      .current();
  const call = async (name: "api" | "worker", path: string, body: object) => {
    const headers = { authorization: `Bearer ${await key(name)}`, "content-type": "application/json" };
    return (await fetch(app.todoku.url + path, { method: "POST", headers, body: JSON.stringify(body) })).status;
  };
  const { cache, taskQueue, deadLetterQueue } = app.todoku.names;
  const grant = (role: string, topic: string) => ({
    grants: [{ resource: "topic", role, cache: { name: cache }, topic: { name: topic } }],
    validForSeconds: 60,
  });
  expect(await call("worker", "/v1/tokens", grant("subscribe", "alice"))).toBe(403);
  expect(await call("worker", `/v1/queues/${taskQueue}/send`, { body: "x" })).toBe(403);
  expect(await call("worker", `/v1/queues/${deadLetterQueue}/redrive`, {})).toBe(403);
  expect(await call("api", "/v1/tokens", grant("publish", "alice"))).toBe(403);
  expect(await call("api", `/v1/topics/${cache}/alice`, { text: "forged" })).toBe(403);
  expect(await call("api", `/v1/queues/${taskQueue}/receive`, {})).toBe(403);
  expect(await call("api", "/v1/keys", { superUser: true })).toBe(403);
});

it("gives a token as soon as Todoku is back, however long gRPC would wait before its next try", async () => {
  await using directory = await aDirectory();
  const dataDir = ["--data-dir", directory.path];
  let server = await startDevProcess(["--port", "0", ...dataDir]);
  onTestFinished(async () => void (await server.end("SIGKILL")));
  await using todoku = await aTodoku(`http://127.0.0.1:${server.port}`);
  await using own = await anApplication({ todokuUrl: todoku.url, keyFile: keyFileIn(todoku.stateDir, "api") });
  const get = () => own.call("alice", "GET", "/token");
  expect((await get()).status).toBe(200);
  await server.end("SIGKILL");
  // gRPC waits for 1, 1.6, 2.56 s ... (a fifth more or less): after 3 s it is in the third of them.
  for (const endMs = performance.now() + 3000; performance.now() < endMs; await wait(100)) {
    expect((await get()).status).toBe(503);
  }
  server = await startDevProcess(["--port", String(todoku.port), ...dataDir]);
  const answer = await get();
  expect(answer.status).toBe(200);
  const { token, cacheName, topic, expiresAt, expiresAtMs } = (await answer.json()) as TokenAnswer;
  expect([topic, expiresAt]).toEqual(["alice", new Date(expiresAtMs).toISOString()]);
  using user = momentoClients(keyCredential(token, todoku.port));
  (await subscribe(user.topics, cacheName, "alice")).subscription.unsubscribe();
  expect(errorCode(await user.topics.subscribe(cacheName, "bob", { onItem() {} }))).toBe(
    MomentoErrorCode.PERMISSION_ERROR,
  );
  await server.end("SIGKILL");
});

it("gives a token though the connection to Todoku has died and nobody was told", async () => {
  const lines: Socket[] = [];
  const between = createServer((socket) => {
    const onward = connect(app.todoku.port, "127.0.0.1");
    for (const end of [socket, onward]) end.on("error", () => {});
    socket.pipe(onward).pipe(socket);
    lines.push(socket, onward);
  }).listen(0, "127.0.0.1");
  await once(between, "listening");
  const todokuUrl = `http://127.0.0.1:${(between.address() as AddressInfo).port}`;
  {
    await using own = await anApplication({ todokuUrl, keyFile: keyFileIn(app.todoku.stateDir, "api") });
    expect((await own.call("alice", "GET", "/token")).status).toBe(200);
    for (const line of lines) line.unpipe().pause();
    expect((await own.call("alice", "GET", "/token")).status).toBe(200);
  }
  for (const line of lines) line.destroy();
  between.close();
});
