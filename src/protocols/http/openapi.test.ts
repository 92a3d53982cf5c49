import { readFile } from "node:fs/promises";
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { aConnection } from "../../../test/support/connections.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { buildOpenApi, type OpenApiDocument } from "./openapi.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

let door: TestDoor;
let document: OpenApiDocument;
beforeAll(async () => {
  door = await anHttpDoor();
  await door.queues.create(door.principal, "q");
  document = (await (await fetch(`${door.url}/v1/openapi.json`)).json()) as OpenApiDocument;
});
afterAll(() => door[Symbol.asyncDispose]());

/** What a request of one operation needs; its method and path stand in the document. */
interface Example {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const topic = { cache: "c", topic: "t" };
const webhook = { cache: "c", webhook: "w" };
const grants = [{ resource: "topic", role: "subscribe", cache: { all: true }, topic: { prefix: "t" } }];

let lastHandler = 0;
/** A new handler, whose runtime is this test. */
async function attached(call: Call): Promise<{ readonly id: string; readonly name: string }> {
  const response = await call("attachHandler", { body: { name: `h${++lastHandler}` } });
  return (await response.json()) as { id: string; name: string };
}
/** One that is called, and has not been asked for its work. */
async function invoked(call: Call) {
  const { id, name } = await attached(call);
  void call("invokeHandler", { path: { handler: name }, body: 1 }).then((response) => response.body?.cancel());
  return { attachment: id };
}
/** One that has. */
async function taken(call: Call) {
  const { attachment } = await invoked(call);
  const next = await call("nextInvocation", { path: { attachment } });
  return { attachment, invocation: ((await next.json()) as { id: string }).id };
}

/** One request for each operation, by its id. They run in the order of the document, each by itself. */
const examples: Record<string, (call: Call) => Example | Promise<Example>> = {
  getOwnEnvironment: () => ({}),
  listEnvironments: () => ({}),
  createEnvironment: () => ({ body: { name: "FEAT-1", from: "dev", secretsFrom: ["dev"], settings: { rates: {} } } }),
  updateEnvironment: () => ({ path: { environment: "FEAT-1" }, body: { settings: { cacheDurability: "memory" } } }),
  createKeyOfEnvironment: () => ({ path: { environment: "FEAT-1" }, body: { superUser: true, validForSeconds: 600 } }),
  destroyEnvironment: async (call) => {
    await call("createEnvironment", { body: { name: "short-lived" } });
    return { path: { environment: "short-lived" } };
  },
  listCaches: () => ({}),
  createCache: () => ({ body: { name: "new", durability: "memory" } }),
  deleteCache: async (call) => {
    await call("createCache", { body: { name: "short-lived" } });
    return { path: { cache: "short-lived" } };
  },
  flushCache: () => ({ path: { cache: "c" } }),
  publish: () => ({ path: topic, body: { text: "a", attributes: { kind: { type: "String", value: "x" } } } }),
  followTopic: () => ({ path: topic, query: "?after=0-0", headers: { accept: "text/event-stream" } }),
  listItems: () => ({ path: topic, query: "?limit=1" }),
  listQueues: () => ({}),
  createQueue: () => ({ body: { name: "new", deadLetter: undefined } }),
  getQueue: () => ({ path: { queue: "q" } }),
  updateQueue: () => ({ path: { queue: "q" }, body: { visibilitySeconds: 1.5, deadLetter: null } }),
  deleteQueue: () => ({ path: { queue: "new" } }),
  purgeQueue: () => ({ path: { queue: "q" } }),
  redriveQueue: () => ({ path: { queue: "q" }, body: { maxMessages: 5 } }),
  sendMessages: () => ({ path: { queue: "q" }, body: { messages: [{ body: "a" }, { body: "" }] } }),
  receiveMessages: () => ({ path: { queue: "q" }, body: {} }),
  deleteMessages: async (call) => ({ path: { queue: "q" }, body: { receiptHandle: await aReceipt(call) } }),
  changeVisibility: async (call) => {
    const change = { receiptHandle: await aReceipt(call), visibilitySeconds: 0 };
    return { path: { queue: "q" }, body: { changes: [change] } };
  },
  peekMessages: () => ({ path: { queue: "q" }, body: {} }),
  listWebhooks: () => ({ query: "?cache=c" }),
  putWebhook: () => ({ path: webhook, body: { topic: "t", url: "http://127.0.0.1:9/hook", ordered: false } }),
  getWebhook: () => ({ path: webhook }),
  deleteWebhook: async (call) => {
    const path = { ...webhook, webhook: "short-lived" };
    await call("putWebhook", { path, body: { topic: "t", url: "http://127.0.0.1:9/hook" } });
    return { path };
  },
  readWebhookSecret: () => ({ path: webhook }),
  rotateWebhookSecret: () => ({ path: webhook, body: { overlapSeconds: 0.5 } }),
  pauseWebhook: () => ({ path: webhook }),
  resumeWebhook: () => ({ path: webhook }),
  testWebhook: () => ({ path: webhook }),
  listDeliveries: () => ({ path: webhook, query: "?limit=1&before=9" }),
  listFailures: () => ({ path: webhook, query: "?limit=1000" }),
  listDeadLetters: () => ({ path: webhook, query: "?limit=1&after=0" }),
  dropDeadLetters: () => ({ path: webhook }),
  replayDeadLetters: () => ({ path: webhook, body: {} }),
  listHandlers: () => ({}),
  readHandler: async (call) => ({ path: { handler: (await attached(call)).name } }),
  invokeHandler: async (call) => {
    const { id, name } = await attached(call);
    const path = { attachment: id };
    const answer = call("nextInvocation", { path }).then(async (next) => {
      const { id: invocation } = (await next.json()) as { id: string };
      await call("respondToInvocation", { path: { ...path, invocation }, body: { payload: "{}" } });
    });
    answer.catch(() => undefined);
    return { path: { handler: name }, body: { a: [1] } };
  },
  readHandlerLogs: () => ({ path: { handler: "h1" }, query: "?limit=5" }),
  attachHandler: () => ({
    body: { name: "new", sources: [{ queue: "q" }, { topic: "messages", filter: { kind: ["a"] } }], env: { A: "b" } },
  }),
  detachHandler: async (call) => ({ path: { attachment: (await attached(call)).id } }),
  nextInvocation: async (call) => ({ path: { attachment: (await invoked(call)).attachment } }),
  respondToInvocation: async (call) => ({ path: await taken(call), body: { payload: "1" } }),
  failInvocation: async (call) => ({ path: await taken(call), body: { payload: "{}", isHandled: false } }),
  addHandlerLogs: async (call) => ({
    path: { attachment: (await attached(call)).id },
    body: { lines: [{ atMs: 1, stream: "stdout", text: "a" }] },
  }),
  notify: () => ({ body: { users: ["alice"], exclude_users: null, data: { text: "hello" }, id: "n-1" } }),
  listUsers: () => ({ query: "?connected=true&limit=1000" }),
  getPresence: () => ({ path: { user: "alice" } }),
  listConnectionsOfUser: () => ({ path: { user: "alice" } }),
  listConnections: () => ({ query: "?limit=1" }),
  kickConnections: () => ({ body: { userId: "alice", reconnect: false, reason: "abuse" } }),
  deleteConnection: () => ({ path: { connection: aConnection(door.connections, "alice").connection.id } }),
  createKey: () => ({ body: { description: "of a test", grants } }),
  listKeys: () => ({}),
  deleteKey: async (call) => {
    const { keyId } = (await (await call("createKey", { body: { superUser: true } })).json()) as { keyId: string };
    return { path: { keyId } };
  },
  updateKey: async (call) => {
    const { keyId } = (await (await call("createKey", { body: { superUser: true } })).json()) as { keyId: string };
    return { path: { keyId }, body: { expiresInSeconds: 60 } };
  },
  issueToken: () => ({ body: { grants, tokenId: "alice", validForSeconds: 60 } }),
  inspectCredential: async (call) => {
    const { apiKey } = (await (await call("createKey", { body: { grants } })).json()) as { apiKey: string };
    return { body: { credential: apiKey } };
  },
  listRevocations: () => ({}),
  revoke: () => ({ body: { tokenId: "alice" } }),
  listSigningKeys: () => ({}),
  rotateSigningKey: () => ({ body: { overlapSeconds: 60 } }),
  listSecrets: () => ({}),
  putSecret: () => ({ path: { secret: "s" }, body: { value: "a", shared: true } }),
  readSecret: async (call) => {
    await call("putSecret", { path: { secret: "s" }, body: { value: "a" } });
    return { path: { secret: "s" }, query: "?version=1" };
  },
  deleteSecret: async (call) => {
    await call("putSecret", { path: { secret: "short-lived" }, body: { value: "a" } });
    return { path: { secret: "short-lived" } };
  },
  rotateKey: async (call) => {
    const { apiKey } = (await (await call("createKey", { body: { grants } })).json()) as { apiKey: string };
    await call("putSecret", { path: { secret: "app-key" }, body: { value: apiKey } });
    return { body: { secret: "app-key", overlapSeconds: 60 } };
  },
  issueTicket: () => ({ body: { method: "GET", path: "/v1/topics/c/t" } }),
  frontPage: () => ({}),
  isLive: () => ({}),
  isReady: () => ({}),
  metrics: () => ({}),
  openApi: () => ({}),
};

async function aReceipt(call: Call): Promise<string> {
  await call("sendMessages", { path: { queue: "q" }, body: { body: "b" } });
  const answer = await call("receiveMessages", { path: { queue: "q" }, body: {} });
  return ((await answer.json()) as { messages: [{ receiptHandle: string }] }).messages[0].receiptHandle;
}

type Call = (id: string, example: Example) => Promise<Response>;

const call: Call = async (id, { path = {}, query = "", headers = {}, body }) => {
  const { method, template } = operations().get(id) as { method: string; template: string };
  const address = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path[name] ?? ""));
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const type: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  return fetch(door.url + address + query, {
    ...{ method: method.toUpperCase(), ...sent, headers: { ...type, ...headers } },
  });
};

function operations(): Map<string, { method: string; template: string; needsCaller: boolean }> {
  const entries = Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId, security }]) =>
        [operationId, { method, template, needsCaller: security.length > 0 }] as const,
    ),
  );
  return new Map(entries);
}

describe("the OpenAPI document", () => {
  it("is valid OpenAPI 3.1, and each of its references leads somewhere", async () => {
    const validator = new Validator();
    expect(await validator.validate({ ...document })).toEqual({ valid: true });
    expect(validator.version).toBe("3.1");
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [whole, part, name] of references) {
      expect(document.components[part as "schemas"]?.[name as string], whole).toBeDefined();
    }
    expect(JSON.stringify(document)).not.toContain("$defs");
  });

  it("asks for no fraction as a multiple: validators that divide would refuse 0.411 and others that are answered", () => {
    expect(JSON.stringify(document)).not.toContain('"multipleOf":0.');
  });

  it("is the one in docs/reference, but for the version", async () => {
    const file = await readFile(new URL("../../../docs/reference/openapi.json", import.meta.url), "utf8");
    const { info, ...rest } = JSON.parse(file);
    expect({ ...rest, info: { ...info, version: "0.0.0-test" } }).toEqual(document);
  });

  it("describes every operation of the door, which answers as described, well and with an error", async () => {
    expect(Object.keys(examples).toSorted()).toEqual([...operations().keys()].toSorted());
    for (const [id, { needsCaller }] of operations()) {
      const example = (await examples[id]?.(call)) ?? {};
      const answer = await call(id, example);
      await answer.body?.cancel();
      expect(answer.ok, `${id}: ${answer.status}`).toBe(true);
      if (!needsCaller) continue;
      const refused = await call(id, { ...example, headers: { ...example.headers, authorization: "Bearer nonsense" } });
      expect([refused.status, await refused.json()], id).toMatchObject([401, { code: "unauthenticated" }]);
    }
  });

  it("does not take a description that contradicts itself", () => {
    const one = operation({
      ...{ id: "one", tag: "server", summary: "One", answers: {} },
      path: z.object({ name: z.string() }),
      handle: ({ context }) => context.body(null, 204),
    });
    const sends = (id: string, body: z.ZodType) => ({ ...one, id, body });
    const build = (table: Routes) => () => buildOpenApi(table, "0");
    expect(build({ "/a/:name": { GET: one } })).not.toThrow();
    expect(build({ "/a/:other": { GET: one } })).toThrow(
      "one: the path has the parameters [other], described are [name]",
    );
    expect(build({ "/a/:name": { GET: one, POST: one } })).toThrow("two operations have the id one");
    const fields = z.strictObject({ a: z.string().default("") }).meta({ id: "Twice" });
    const others = z.strictObject({ b: z.string() }).meta({ id: "Twice" });
    const answers = { 200: { description: "It", schema: fields } };
    const message = "two schemas have the id Twice, or it is sent in one form and answered in another";
    expect(build({ "/a/:name": { GET: sends("a", fields), POST: sends("b", others) } })).toThrow(message);
    expect(build({ "/a/:name": { POST: { ...sends("a", fields), answers } } })).toThrow(message);
  });
});

describe("the check of the answers", () => {
  it("finds a field, a status and a header that no description names", async () => {
    const other = await anHttpDoor({ metrics: async () => ({ contentType: "text/html", text: "" }) });
    other.caches.list = () => [{ cache: "c", durability: "tape", createdAtMs: 1 } as never];
    await fetch(`${other.url}/v1/caches`);
    await fetch(`${other.url}/metrics`);
    await expect(other[Symbol.asyncDispose]()).rejects.toThrow(
      /caches 200: .*durability.*metrics 200: the media type/s,
    );
  });
});
