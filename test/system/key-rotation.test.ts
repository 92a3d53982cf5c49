// An application whose key is rotated under load: it reads the key from the secret, and reads it again when a call is refused.
import { setTimeout as wait } from "node:timers/promises";
import { expect, it } from "vitest";
import { wrapCredential } from "../../src/domain/auth/credential.ts";
import { JsonApi } from "../support/json-api.ts";
import { keyCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";
import { follow } from "../support/sse.ts";

const publishers = 8;
const overlapSeconds = 2;
const rotateEveryMs = 250;

it("a key that is rotated under load takes effect without a restart, without a failed call, and without a lost message", async () => {
  await using server = await aServer({ devKey: true });
  const call = (method: string, path: string, apiKey: string, body?: unknown) =>
    fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const admin = async (method: string, path: string, body?: unknown) => {
    const response = await call(method, path, server.devKey ?? "", body);
    expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true);
    return response.json();
  };

  await admin("POST", "/v1/caches", { name: "c" });
  const mayRead = { resource: "secret", role: "read", secret: { name: "app-key" } };
  const mayPublish = { resource: "topic", role: "publish", cache: { name: "c" }, topic: { name: "t" } };
  const reader = (await admin("POST", "/v1/keys", { grants: [mayRead] })) as { apiKey: string };
  const first = (await admin("POST", "/v1/keys", { name: "app", grants: [mayPublish] })) as { apiKey: string };
  await admin("POST", "/v1/secrets/app-key", { value: first.apiKey });

  const read = async () => {
    const response = await call("GET", "/v1/secrets/app-key", reader.apiKey);
    return ((await response.json()) as { value: string }).value;
  };
  const counts = { published: 0, failed: 0 };
  async function publisher(): Promise<void> {
    let apiKey = await read();
    for (let refreshed = 0; refreshed < 2; ) {
      const publish = () => call("POST", "/v1/topics/c/t", apiKey, { text: "x" });
      let response = await publish();
      if (response.status === 401) {
        apiKey = await read();
        refreshed++;
        response = await publish();
      }
      if (response.status === 200) counts.published++;
      else counts.failed++;
      await response.body?.cancel();
    }
  }

  const publishing = Promise.all(Array.from({ length: publishers }, publisher));
  let isDone = false;
  void publishing.finally(() => {
    isDone = true;
  });
  let rotations = 0;
  for (; !isDone; rotations++) {
    await admin("POST", "/v1/keys/rotate", { secret: "app-key", overlapSeconds });
    await wait(rotateEveryMs);
  }
  await publishing;

  expect(counts.failed).toBe(0);
  const page = (await admin("GET", "/v1/topics/c/t/items?limit=1")) as { items: { sequenceNumber: number }[] };
  expect(page.items[0]?.sequenceNumber).toBe(1);
  const last = (await admin("POST", "/v1/topics/c/t", { text: "last" })) as { sequenceNumber: number };
  expect(last.sequenceNumber).toBe(counts.published + 1);
  const { keys } = (await admin("GET", "/v1/keys")) as { keys: { name?: string; expiresAtMs: number | null }[] };
  const ofApp = keys.filter(({ name }) => name === "app");
  expect(ofApp).toHaveLength(rotations + 1);
  expect(ofApp.filter(({ expiresAtMs }) => expiresAtMs === null)).toHaveLength(1);
}, 60_000);

it("keys and signing keys that are rotated under every kind of load cost no call, no message, and no stream of a token", async () => {
  await using server = await aServer({ devKey: true });
  const { port, url } = server;
  const admin = new JsonApi(port, server.devKey);
  await admin.post("/v1/caches", { name: "c" });
  await admin.post("/v1/queues", { name: "q" });
  const onTopics = { resource: "topic", role: "publish-subscribe", cache: { name: "c" }, topic: { name: "t" } };
  const grants = [
    onTopics,
    { resource: "cache", role: "read-write", cache: { name: "c" }, key: { all: true } },
    { resource: "queue", role: "send-receive", queue: { name: "q" } },
    { resource: "token", role: "issue", grants: [onTopics] },
  ];
  const mayRead = { resource: "secret", role: "read", secret: { name: "app-key" } };
  const reader = new JsonApi(port, (await admin.post("/v1/keys", { grants: [mayRead] })).apiKey);
  await admin.post("/v1/secrets/app-key", { value: (await admin.post("/v1/keys", { grants })).apiKey });
  const read = async (): Promise<string> => (await reader.get("/v1/secrets/app-key")).value;

  const failed: string[] = [];
  let refreshed = 0;
  /** A part of the application: it reads the key again when a call is refused, and tries once more. */
  async function aPart() {
    let api = new JsonApi(port, await read());
    return async (method: string, path: string, body?: unknown) => {
      let response = await api.send(method, path, body);
      if (response.status === 401) {
        refreshed++;
        api = new JsonApi(port, await read());
        response = await api.send(method, path, body);
      }
      const text = await response.text();
      if (!response.ok) failed.push(`${method} ${path}: ${response.status} ${text}`);
      return text === "" ? undefined : JSON.parse(text);
    };
  }
  type Part = Awaited<ReturnType<typeof aPart>>;
  const tokenRequest = { grants: [onTopics], validForSeconds: 600 };
  const first = await aPart();
  const { token: held } = await first("POST", "/v1/tokens", tokenRequest);
  using clients = momentoClients(keyCredential(wrapCredential(server.endpoint, held), port));
  const heard = await subscribe(clients.topics, "c", "t");
  const stream = await follow(`${url}/v1/topics/c/t`, { authorization: `Bearer ${held}` });

  const streamed: string[] = [];
  let comebacks = 0;
  /** Follows with the key itself, and comes back behind its last item with the new one. */
  async function followByKey(): Promise<void> {
    for (let after = "0-0"; streamed.at(-1) !== "the end"; comebacks++) {
      const headers = { authorization: `Bearer ${await read()}`, "last-event-id": after };
      const own = await follow(`${url}/v1/topics/c/t`, headers);
      if (own.response.status !== 200) failed.push(`a stream is answered with ${own.response.status}`);
      for (let block = await own.next(); block && streamed.at(-1) !== "the end"; block = await own.next()) {
        if (block.event === "discontinuity") failed.push("a stream has a gap");
        if (block.event === undefined && block.data !== undefined) streamed.push(JSON.parse(block.data).text);
        after = block.id ?? after;
        if (streamed.at(-1) === "the end") own.close();
        if (streamed.at(-1) === "the end") break;
      }
    }
  }

  const [published, sent, worked, items] = [
    [] as string[],
    [] as string[],
    new Set<string>(),
    new Map<string, string>(),
  ];
  let isOver = false;
  const loop = async (turn: (part: Part, n: number) => Promise<unknown>) => {
    const part = await aPart();
    for (let n = 0; !isOver; n++) await turn(part, n);
  };
  const publish = async (part: Part, text: string) => {
    await part("POST", "/v1/topics/c/t", { text });
    published.push(text);
  };
  const following = followByKey();
  const load = [
    loop((part, n) => publish(part, `key ${n}`)),
    loop((_, n) => publish((method, path, body) => new JsonApi(port, held).call(method, path, body), `held ${n}`)),
    loop(async (part, n) => {
      const { token } = await part("POST", "/v1/tokens", tokenRequest);
      await publish((method, path, body) => new JsonApi(port, token).call(method, path, body), `token ${n}`);
    }),
    loop(async (part, n) => {
      await part("POST", "/v1/queues/q/send", { body: `m ${n}` });
      sent.push(`m ${n}`);
    }),
    loop((part) => work(part, worked)),
    loop(async (part, n) => {
      await part("PUT", `/cache/c?key=${n % 20}&ttl_seconds=600`, `v ${n}`);
      items.set(String(n % 20), `v ${n}`);
    }),
  ];
  for (let rotations = 0; rotations < 8; rotations++) {
    await wait(rotateEveryMs);
    await admin.post("/v1/keys/rotate", { secret: "app-key", overlapSeconds: 1 });
    await admin.post("/v1/signing-keys", { overlapSeconds: 600 });
  }
  while (refreshed < load.length) await wait(10);
  isOver = true;
  await Promise.all(load);
  while ((await work(first, worked)) > 0);
  await publish(first, "the end");
  await following;

  expect(failed).toEqual([]);
  expect(comebacks).toBeGreaterThan(1);
  const inOrder = (await heard.waitFor(published.length)).map((item) => item.valueString());
  expect(inOrder.toSorted()).toEqual(published.toSorted());
  expect([heard.errors, heard.discontinuities]).toEqual([[], []]);
  const byToken: string[] = [];
  while (byToken.at(-1) !== "the end") byToken.push((await stream.nextData<{ text: string }>()).text);
  expect({ byToken, streamed }).toEqual({ byToken: inOrder, streamed: inOrder });
  expect(sent.filter((body) => !worked.has(body))).toEqual([]);
  for (const [key, value] of items) {
    const response = await new JsonApi(port, await read()).send("GET", `/cache/c?key=${key}`);
    expect(await response.text()).toBe(value);
  }
  heard.subscription.unsubscribe();
  stream.close();
}, 60_000);

/** Receives, and deletes what came. Resolves with how many messages that were. */
async function work(
  part: (
    method: string,
    path: string,
    body: unknown,
  ) => Promise<{ messages: { body: string; receiptHandle: string }[] }>,
  worked: Set<string>,
): Promise<number> {
  const { messages } = await part("POST", "/v1/queues/q/receive", { maxMessages: 10 });
  for (const { body } of messages) worked.add(body);
  const receiptHandles = messages.map(({ receiptHandle }) => receiptHandle);
  if (receiptHandles.length > 0) await part("POST", "/v1/queues/q/delete", { receiptHandles });
  return messages.length;
}
