// Environments from outside: what is done in one is not seen in another, and one that is destroyed leaves nothing, whoever is at work in it.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { CacheGet, CacheListFetch, CacheSet, MomentoErrorCode, TopicPublish } from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowsOf } from "../support/database-rows.ts";
import { keyCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";
import { follow } from "../support/sse.ts";

let server: Awaited<ReturnType<typeof aServer>>;
beforeAll(async () => {
  server = await aServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** Paths that were called with a method that changes something, as `POST /v1/caches`. */
const called = new Set<string>();

/** Calls as the bearer of `apiKey`, or as the operator of dev mode. */
async function send(method: string, path: string, body?: unknown, apiKey?: string): Promise<Response> {
  const json = body === undefined ? {} : { "content-type": "application/json" };
  const bearer = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  if (method !== "GET") called.add(`${method} ${path}`);
  return fetch(server.url + path, {
    ...{ method, headers: { ...json, ...bearer } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** The JSON of an answer that must be a good one. */
async function call(method: string, path: string, body?: unknown, apiKey?: string) {
  const response = await send(method, path, body, apiKey);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

async function anEnvironment(name: string): Promise<string> {
  return (await call("POST", "/v1/environments", { name })).key.apiKey;
}

/** The HTTP status of what the SDK's errors mean here. */
function statusOf(answer: CacheSet.Response): number {
  const code = answer instanceof CacheSet.Error ? answer.errorCode() : undefined;
  if (code === MomentoErrorCode.AUTHENTICATION_ERROR) return 401;
  return code === MomentoErrorCode.CACHE_NOT_FOUND_ERROR ? 404 : 500;
}

const grants = [{ resource: "topic", role: "publish-subscribe", cache: { all: true }, topic: { all: true } }];

describe("what is done in one environment", () => {
  const webhook = { topic: "webhook", url: "http://127.0.0.1:9" };

  /** A cache with an item, a message and webhooks that nobody listens to, a queue with a message, a secret. */
  async function furnish(apiKey: string): Promise<void> {
    for (const name of ["c", "scratch"]) await call("POST", "/v1/caches", { name }, apiKey);
    for (const name of ["q", "dead", "scratch"]) await call("POST", "/v1/queues", { name }, apiKey);
    await call("POST", "/v1/topics/c/t", { text: "first" }, apiKey);
    await call("POST", "/v1/queues/q/send", { body: "first" }, apiKey);
    await call("POST", "/v1/secrets/s", { value: "first" }, apiKey);
    for (const name of ["w", "scratch"]) await call("PUT", `/v1/webhooks/c/${name}`, webhook, apiKey);
    using clients = momentoClients(keyCredential(apiKey, server.port));
    await clients.cache.set("c", "k", "first");
  }

  /** All that can be seen of an environment. */
  async function view(apiKey: string) {
    const paths = ["caches", "queues", "queues/q", "queues/dead", "topics/c/t/items", "keys", "revocations"];
    const seen: unknown[] = [];
    const webhooks = ["webhooks", "webhooks/c/w/secret", "webhooks/c/w/dead-letters"];
    for (const path of [...paths, ...webhooks, "signing-keys", "secrets", "secrets/s", "handlers", "environment"]) {
      seen.push(path, await call("GET", `/v1/${path}`, undefined, apiKey));
    }
    seen.push(await call("POST", "/v1/queues/q/peek", {}, apiKey));
    using clients = momentoClients(keyCredential(apiKey, server.port));
    const item = await clients.cache.get("c", "k");
    seen.push(item instanceof CacheGet.Hit ? item.valueString() : item.toString());
    return seen;
  }

  /** Every change that the JSON API and the Node SDK know, under the names that the other environment uses too. */
  async function doEverything(apiKey: string): Promise<void> {
    const post = (path: string, body?: unknown) => call("POST", path, body, apiKey);
    await post("/v1/caches/c/flush");
    await post("/v1/topics/c/t", { text: "second", messageId: "m" });
    await call("PUT", "/v1/webhooks/c/w", { ...webhook, topic: "another" }, apiKey);
    for (const verb of ["rotate", "pause", "resume", "test"]) await post(`/v1/webhooks/c/w/${verb}`, {});
    await post("/v1/webhooks/c/w/dead-letters/replay", {});
    await call("DELETE", "/v1/webhooks/c/w/dead-letters", undefined, apiKey);
    await call("DELETE", "/v1/webhooks/c/scratch", undefined, apiKey);
    await call("DELETE", "/v1/caches/scratch", undefined, apiKey);
    await call(
      "PATCH",
      "/v1/queues/q",
      { deadLetter: { queue: "dead", maxReceives: 1 }, retentionSeconds: 60 },
      apiKey,
    );
    await post("/v1/queues/q/send", { body: "second", messageId: "m" });
    const { messages } = await post("/v1/queues/q/receive", { maxMessages: 2 });
    const [one, two] = messages.map(({ receiptHandle }: { receiptHandle: string }) => receiptHandle);
    await post("/v1/queues/q/visibility", { receiptHandle: one, visibilitySeconds: 0 });
    await post("/v1/queues/q/delete", { receiptHandle: two });
    await post("/v1/queues/q/peek", {});
    await post("/v1/queues/dead/redrive", { maxMessages: 5 });
    await post("/v1/queues/q/purge");
    await post("/v1/notifications", { data: "everybody" });
    await runHandler(apiKey);
    await post("/v1/connections/kick", { everyone: true });
    await call("DELETE", "/v1/connections/none", undefined, apiKey).catch(() => {}); // there is none
    await call("DELETE", "/v1/queues/scratch", undefined, apiKey);
    const made = await post("/v1/keys", { superUser: true, validForSeconds: 600 });
    await call("PATCH", `/v1/keys/${made.keyId}`, { expiresInSeconds: 60 }, apiKey);
    await post("/v1/tokens", { grants, validForSeconds: 60, tokenId: "alice" });
    await post("/v1/tokens/inspect", { credential: made.apiKey });
    await post("/v1/tickets", { method: "GET", path: "/v1/topics/c/t" });
    await post("/v1/revocations", { tokenId: "alice" });
    await post("/v1/signing-keys", { overlapSeconds: 60 });
    await post("/v1/secrets/s", { value: "second", shared: true });
    await post("/v1/secrets/rotated", { value: made.apiKey });
    await post("/v1/keys/rotate", { secret: "rotated", overlapSeconds: 0 });
    await call("DELETE", "/v1/secrets/rotated", undefined, apiKey);
    await call("DELETE", `/v1/keys/${made.keyId}`, undefined, apiKey);
    using clients = momentoClients(keyCredential(apiKey, server.port));
    await clients.cache.createCache("sdk");
    await clients.cache.set("c", "k", "second");
    await clients.cache.delete("c", "k");
    await clients.cache.flushCache("c");
    expect(await clients.cache.listFetch("c", "l")).not.toBeInstanceOf(CacheListFetch.Hit);
    expect(await clients.topics.publish("c", "t", "third")).toBeInstanceOf(TopicPublish.Success);
    await clients.cache.deleteCache("sdk");
    await post("/v1/revocations", { issuedBeforeMs: Date.now() });
  }

  /** A handler that asks for its work, is invoked twice, answers, fails, logs, and is gone. */
  async function runHandler(apiKey: string): Promise<void> {
    const post = (path: string, body?: unknown) => call("POST", path, body, apiKey);
    const { id } = await post("/v1/handler-attachments", { name: "h" });
    const attachment = `/v1/handler-attachments/${id}`;
    for (const [end, payload] of [
      ["response", '"done"'],
      ["error", '{"errorMessage":"no"}'],
    ]) {
      const invoked = post("/v1/handlers/h/invocations", { some: "event" });
      const invocation = await call("GET", `${attachment}/next`, undefined, apiKey);
      await post(`${attachment}/invocations/${invocation.id}/${end}`, { payload });
      await invoked;
    }
    await post(`${attachment}/logs`, { lines: [] });
    await call("DELETE", attachment, undefined, apiKey);
  }

  it.each([
    ["FEAT-X", "FEAT-x"],
    ["FEAT-x", "FEAT-X"],
  ])("%s is neither seen nor heard in %s", async (acting, watching) => {
    const [own, other] = [await anEnvironment(acting), await anEnvironment(watching)];
    await furnish(own);
    await furnish(other);
    const token = (await call("POST", "/v1/tokens", { grants, validForSeconds: 60, tokenId: "alice" }, other)).token;
    const stream = await follow(`${server.url}/v1/topics/c/t`, { authorization: `Bearer ${token}` });
    using clients = momentoClients(keyCredential(other, server.port));
    const received = await subscribe(clients.topics, "c", "t");
    const before = await view(other);
    called.clear();
    await doEverything(own);
    expect(await view(other)).toEqual(before);
    await call("POST", "/v1/topics/c/t", { text: "mine" }, token);
    expect(await stream.nextData()).toMatchObject({ text: "mine", sequenceNumber: 2 });
    expect((await received.waitFor(1)).map((item) => item.valueString())).toEqual(["mine"]);
    expect(received.discontinuities).toEqual([]);
    received.subscription.unsubscribe();
    stream.close();
    for (const name of [acting, watching]) await call("DELETE", `/v1/environments/${name}`);
  });

  it("was tried with every call of the JSON API that changes something", async () => {
    const { paths } = await call("GET", "/v1/openapi.json");
    const described = Object.entries<Record<string, unknown>>(paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter((method) => method !== "get" && !path.startsWith("/v1/environments"))
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    const furnished = ["POST /v1/caches", "POST /v1/queues"];
    const missing = described.filter((operation) => {
      const pattern = new RegExp(`^${operation.replaceAll(/\{\w+\}/g, "[^/]+")}$`);
      return !furnished.includes(operation) && ![...called].some((one) => pattern.test(one));
    });
    expect(missing).toEqual([]);
  });
});

describe("an environment that is destroyed", () => {
  /** Calls that go on for as long as the environment is there, and once more. */
  class Workers {
    readonly #ended: Promise<void>[] = [];
    readonly #counts: number[] = [];
    #isOver = false;
    #wake = () => {};

    /** What `one` answers is good, says that something is not there (any more) or is there already, or refuses the key: no call may crash. */
    add(one: (n: number) => Promise<Response>): void {
      const worker = this.#counts.push(0) - 1;
      const work = async () => {
        for (let n = 0; ; n++) {
          const isLast = this.#isOver;
          const response = await one(n);
          expect([200, 201, 204, 401, 404, 409, 503], await response.text()).toContain(response.status);
          if (isLast) return expect(response.status).toBe(401);
          this.#counts[worker] = n + 1;
          this.#wake();
        }
      };
      this.#ended.push(work());
    }

    /** Resolves when each has made so many calls. */
    async underWay(calls: number): Promise<void> {
      const isUnderWay = () => Math.min(...this.#counts) >= calls;
      const isEnough = new Promise<void>((resolve) => {
        this.#wake = () => isUnderWay() && resolve();
        this.#wake();
      });
      await Promise.race([isEnough, Promise.all(this.#ended)]); // one that fails has the say
    }

    async end(): Promise<void> {
      this.#isOver = true;
      await Promise.all(this.#ended);
    }
  }

  it("leaves no row in any table, while publishers, senders, makers of caches, keys and tokens are at work in it", async () => {
    await call("POST", "/v1/caches", { name: "stays" });
    await call("POST", "/v1/topics/stays/t", { text: "x" });
    await call("POST", "/v1/tokens", { grants, validForSeconds: 60 });
    const before = rowsOf(server.dataDir);
    expect(before.length).toBeGreaterThan(3);
    for (let round = 0; round < 3; round++) {
      const apiKey = await anEnvironment("LOAD");
      const post = (path: string, body: unknown) => send("POST", path, body, apiKey);
      const put = (path: string, body: unknown) => send("PUT", path, body, apiKey);
      for (const durability of ["disk", "memory"]) await post("/v1/caches", { name: durability, durability });
      await post("/v1/queues", { name: "q" });
      using clients = momentoClients(keyCredential(apiKey, server.port));
      await clients.cache.set("disk", "k", "v");
      const workers = new Workers();
      workers.add(async (n) => {
        const answer = await clients.cache.set("disk", `k ${n}`, "v");
        return new Response(null, { status: answer instanceof CacheSet.Success ? 200 : statusOf(answer) });
      });
      workers.add((n) => post(`/v1/topics/disk/t-${n % 9}`, { text: `message ${n}`, messageId: `m ${n}` }));
      workers.add((n) => post(`/v1/topics/memory/t-${n % 9}`, { text: `message ${n}`, messageId: `m ${n}` }));
      workers.add((n) => post("/v1/queues/q/send", { body: `message ${n}`, messageId: `m ${n}` }));
      workers.add(() => post("/v1/queues/q/receive", {}));
      workers.add((n) => post("/v1/caches", { name: `cache ${n}` }));
      workers.add((n) => post("/v1/queues", { name: `queue-${n}` }));
      workers.add((n) => post("/v1/keys", { superUser: true, description: `key ${n}` }));
      workers.add(() => post("/v1/tokens", { grants, validForSeconds: 60 }));
      workers.add(() => post("/v1/signing-keys", { overlapSeconds: 0 }));
      workers.add((n) =>
        put(`/v1/webhooks/disk/webhook-${n % 50}`, { topic: `t-${n % 9}`, url: "http://127.0.0.1:9" }),
      );
      workers.add((n) => post(`/v1/secrets/secret-${n % 500}`, { value: "v" }));
      workers.add((n) => post("/v1/revocations", { tokenId: `token ${n}` }));
      workers.add(() => post("/v1/caches/disk/flush", undefined));
      await workers.underWay(10);
      expect((await send("DELETE", "/v1/environments/LOAD")).status).toBe(204);
      await workers.end();
      expect(rowsOf(server.dataDir)).toEqual(before);
    }
  });

  it("is cheap: many of them, made, used and destroyed, leave no row, no metric and no larger file", async () => {
    const once = async (n: number) => {
      const name = `cycle-${n % 7}`;
      const apiKey = await anEnvironment(name);
      await call("POST", "/v1/caches", { name: "c" }, apiKey);
      await call("POST", "/v1/topics/c/t", { text: "x".repeat(10_000) }, apiKey);
      await call("POST", "/v1/queues", { name: "q" }, apiKey);
      await call("POST", "/v1/queues/q/send", { body: "x".repeat(10_000) }, apiKey);
      await call("DELETE", `/v1/environments/${name}`);
    };
    const pages = async () => (await stat(join(server.dataDir, "todoku.db"))).size;
    for (let n = 0; n < 10; n++) await once(n);
    const [rows, bytes] = [rowsOf(server.dataDir), await pages()];
    for (let n = 0; n < 40; n++) await once(n);
    expect(rowsOf(server.dataDir)).toEqual(rows);
    expect((await pages()) - bytes).toBeLessThan(1024 * 1024);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).not.toContain("cycle-");
  });
});

describe("/metrics", () => {
  it("names environments to operators alone; others see the sums", async () => {
    await using keyed = await aServer({ devKey: true });
    const ask = async (path: string, apiKey?: string, body?: unknown) => {
      const headers = {
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        "content-type": "application/json",
      };
      return fetch(
        keyed.url + path,
        body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) },
      );
    };
    const keys: string[] = [];
    for (const name of ["SECRET-1", "SECRET-2"]) {
      const { key } = await (await ask("/v1/environments", keyed.devKey, { name })).json();
      keys.push(key.apiKey);
      await ask("/v1/caches", key.apiKey, { name: "c" });
      expect((await ask("/v1/topics/c/t", key.apiKey, { text: "x" })).status).toBe(200);
    }
    const linesOf = async (apiKey?: string) => {
      const text = await (await ask("/metrics", apiKey)).text();
      return [...text.matchAll(/^todoku_topic_items_published_total.*$/gm)].map(([line]) => line);
    };
    expect(await linesOf()).toEqual(["todoku_topic_items_published_total 2"]);
    expect(await linesOf(keys[0])).toEqual(["todoku_topic_items_published_total 2"]);
    const name = "todoku_topic_items_published_total";
    expect(await linesOf(keyed.devKey)).toEqual([
      ...[`${name}{environment="SECRET-1"} 1`, `${name}{environment="SECRET-2"} 1`],
    ]);
    expect((await ask("/metrics", "nonsense")).status).toBe(401);
    // Prometheus takes a counter that falls for a restart.
    const headers = { authorization: `Bearer ${keyed.devKey}` };
    await fetch(`${keyed.url}/v1/environments/SECRET-1`, { method: "DELETE", headers });
    expect(await linesOf(keyed.devKey)).toEqual([`${name}{environment="SECRET-2"} 1`, `${name}{environment=""} 1`]);
    expect(await linesOf()).toEqual(["todoku_topic_items_published_total 2"]);
    expect(await (await ask("/metrics")).text()).not.toContain("SECRET-");
  });
});
