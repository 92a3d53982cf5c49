import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { limits } from "../../domain/limits.ts";

let door: TestDoor;
const attached: string[] = [];
beforeAll(async () => {
  door = await anHttpDoor({ wallMs: Date.UTC(2026, 0, 2) });
});
// To open a door for each test takes longer than most of them.
afterEach(async () => {
  for (const id of attached.splice(0)) await call("DELETE", `/v1/handler-attachments/${id}`);
});
afterAll(() => door[Symbol.asyncDispose]());

async function call(method: string, path: string, body?: unknown, apiKey?: string, signal?: AbortSignal) {
  const response = await fetch(door.url + path, {
    method,
    headers: {
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  const text = await response.text();
  return [response.status, text === "" ? undefined : JSON.parse(text)];
}
async function attach(body: object = {}): Promise<{ id: string; credentials: Record<string, string> }> {
  const [status, made] = await call("POST", "/v1/handler-attachments", { name: "h", ...body });
  expect(status).toBe(201);
  attached.push(made.id);
  return made;
}
const pathOf = (id: string, rest: string) => `/v1/handler-attachments/${encodeURIComponent(id)}/${rest}`;
const invoke = (event: unknown, apiKey?: string) => call("POST", "/v1/handlers/h/invocations", event, apiKey);
async function aKey(grants: readonly unknown[]): Promise<string> {
  const [, { apiKey }] = await call("POST", "/v1/keys", { grants });
  return apiKey;
}

describe("an attached handler", () => {
  it("is asked by HTTP and answers by HTTP, and is called with any JSON", async () => {
    const { id } = await attach();
    const invoked = invoke({ a: ["grüße"] });
    const [status, invocation] = await call("GET", pathOf(id, "next"));
    expect([status, invocation]).toEqual([
      200,
      {
        ...{ id: expect.stringMatching(/^[\da-f-]{36}$/), event: '{"a":["grüße"]}', timeoutMs: 30_000 },
        ...{ deadlineMs: Date.UTC(2026, 0, 2) + 30_000, functionArn: expect.stringMatching(/:function:h$/) },
      },
    ]);
    const response = pathOf(id, `invocations/${invocation.id}/response`);
    expect(await call("POST", response, { payload: "no json" })).toMatchObject([400, { code: "invalid_argument" }]);
    expect(await call("POST", response, { payload: '{"b":2}' })).toEqual([204, undefined]);
    expect(await invoked).toEqual([200, { outcome: "success", payload: { b: 2 } }]);
    expect(await call("POST", response, { payload: "1" })).toMatchObject([404, { code: "not_found" }]);
  });

  it("fails by HTTP: with the error that it gave, or with one that happened to it", async () => {
    const { id } = await attach();
    const payload = '{"errorMessage":"m","errorType":"T"}';
    for (const isHandled of [undefined, false]) {
      const invoked = invoke(null);
      const [, invocation] = await call("GET", pathOf(id, "next"));
      await call("POST", pathOf(id, `invocations/${invocation.id}/error`), { payload, isHandled });
      const expected = { outcome: "error", payload: JSON.parse(payload), isHandled: isHandled ?? true };
      expect(await invoked).toEqual([200, expected]);
    }
    expect((await call("GET", "/v1/handlers/h"))[1]).toMatchObject({
      counts: { succeeded: 0, failed: 2, timedOut: 0 },
    });
  });

  it("gives an invocation whose answer was lost to the next call", async () => {
    const { id } = await attach();
    const leaving = new AbortController();
    const asked = call("GET", pathOf(id, "next"), undefined, undefined, leaving.signal);
    leaving.abort();
    await expect(asked).rejects.toThrow();
    const invoked = invoke(1);
    const [, invocation] = await call("GET", pathOf(id, "next"));
    await call("POST", pathOf(id, `invocations/${invocation.id}/response`), { payload: "2" });
    expect(await invoked).toMatchObject([200, { payload: 2 }]);
  });

  it("is asked in vain for a while, and is gone when it is not asked any more", async () => {
    const { id } = await attach();
    const asked = call("GET", pathOf(id, "next"));
    const reached = invoke(1);
    const [, first] = await asked;
    await call("POST", pathOf(id, `invocations/${first.id}/response`), { payload: "1" });
    await reached;
    const waiting = call("GET", pathOf(id, "next"));
    const poll = setInterval(() => door.advance(limits.handler.pollMs / 4), 20);
    expect(await waiting).toEqual([204, undefined]);
    clearInterval(poll);
    door.advance(limits.handler.silenceMs + 1000);
    await expect.poll(() => call("GET", "/v1/handlers")).toEqual([200, { handlers: [] }]);
    expect(await call("GET", pathOf(id, "next"))).toMatchObject([404, { code: "not_found" }]);
  });

  it("is shown as it was described, has exactly its grants, and its key ends with it", async () => {
    await call("POST", "/v1/queues", { name: "q" });
    const sources = [
      { queue: "q", batchSize: 5, windowSeconds: 0.5 },
      { topic: "messages", filter: { kind: ["a"] } },
    ];
    const grants = [{ Effect: "Allow", Action: "sqs:SendMessage", Resource: "arn:aws:sqs:eu-west-1:1:q" }];
    const { id, credentials } = await attach({
      ...{ sources, grants, timeoutSeconds: 2.5, concurrency: 3, functionUrl: "jwt", env: { A: "b" } },
    });
    expect(await call("GET", "/v1/handlers")).toEqual([
      200,
      {
        handlers: [
          {
            ...{ name: "h", state: "ready", run: "attached", timeoutSeconds: 2.5, concurrency: 3, functionUrl: "jwt" },
            sources: [sources[0], { cache: "events", ...sources[1], filterScope: "attributes" }],
            ...{ waitsFor: [], running: 0, waiting: 0, counts: { succeeded: 0, failed: 0, timedOut: 0 } },
          },
        ],
      },
    ]);
    const send = () => call("POST", "/v1/queues/q/send", { body: "x" }, credentials.apiKey);
    expect((await send())[0]).toBe(200);
    expect((await call("GET", "/v1/keys", undefined, credentials.apiKey))[0]).toBe(403);
    expect(await call("DELETE", pathOf(id, "").slice(0, -1))).toEqual([204, undefined]);
    expect((await send())[0]).toBe(401);
    expect(await call("GET", "/v1/handlers/h")).toMatchObject([404, { code: "not_found" }]);
  });

  it.each([
    [{ name: "no name" }, /handler name "no name"/],
    [{ sources: [{ queue: "q", topic: "t" }] }, /sources/],
    [{ sources: [{ queue: "q", batchSize: 11 }] }, /sources.0.batchSize/],
    [{ concurrency: 0 }, /concurrency/],
    [{ timeoutSeconds: 901 }, /timeoutSeconds/],
    [{ env: { AWS_ACCESS_KEY_ID: "x" } }, /AWS_ACCESS_KEY_ID/],
    [{ grants: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }] }, /s3:GetObject/],
  ])("is refused by name when it is wrong: %j", async (body, detail) => {
    const answer = await call("POST", "/v1/handler-attachments", { name: "h", ...body });
    expect(answer).toMatchObject([400, { code: "invalid_argument", detail: expect.stringMatching(detail) }]);
  });

  it("is one of its name, and only super users attach one and see what it is given", async () => {
    const { id } = await attach();
    expect(await call("POST", "/v1/handler-attachments", { name: "h" })).toMatchObject([
      409,
      { code: "already_exists" },
    ]);
    const apiKey = await aKey([{ resource: "handler", role: "invoke", handler: { all: true } }]);
    for (const [method, path, body] of [
      ["POST", "/v1/handler-attachments", { name: "other" }],
      ["GET", pathOf(id, "next"), undefined],
      ["POST", pathOf(id, "logs"), { lines: [] }],
      ["POST", pathOf(id, "invocations/x/response"), { payload: "1" }],
      ["POST", pathOf(id, "invocations/x/error"), { payload: "1" }],
      ["DELETE", pathOf(id, "").slice(0, -1), undefined],
    ] as const) {
      expect(await call(method, path, body, apiKey)).toMatchObject([403, { code: "permission_denied" }]);
    }
  });
});

describe("calling and looking", () => {
  it("needs the grant for the handler, and says so before whether there is one", async () => {
    const apiKey = await aKey([{ resource: "handler", role: "invoke", handler: { name: "h" } }]);
    const other = await aKey([{ resource: "handler", role: "invoke", handler: { name: "other" } }]);
    const none = await aKey([{ resource: "queue", role: "send", queue: { name: "q" } }]);
    expect(await invoke(1, apiKey)).toMatchObject([404, { code: "not_found", detail: 'handler "h" does not exist' }]);
    const { id } = await attach();
    const answer = call("GET", pathOf(id, "next")).then(([, { id: invocation }]) =>
      call("POST", pathOf(id, `invocations/${invocation}/response`), { payload: "1" }),
    );
    expect((await invoke(1, apiKey))[0]).toBe(200);
    await answer;
    for (const key of [other, none]) {
      for (const [method, path, body] of [
        ["POST", "/v1/handlers/h/invocations", 1],
        ["GET", "/v1/handlers/h", undefined],
        ["GET", "/v1/handlers/h/logs", undefined],
      ] as const) {
        expect(await call(method, path, body, key)).toMatchObject([403, { code: "permission_denied" }]);
      }
    }
    expect(await call("GET", "/v1/handlers", undefined, other)).toEqual([200, { handlers: [] }]);
    expect((await call("GET", "/v1/handlers", undefined, none))[0]).toBe(403);
  });

  it("refuses an event past the bound", async () => {
    expect((await invoke("x".repeat(limits.handler.eventMaxBytes)))[0]).toBe(413);
  });
});

describe("the log of a handler", () => {
  it("has what its runtime wrote, and is read on from where one was, or waited for", async () => {
    const { id } = await attach();
    const line = (text: string) => ({ atMs: 1, stream: "stdout", invocationId: "i", text });
    const add = (...texts: string[]) => call("POST", pathOf(id, "logs"), { lines: texts.map(line) });
    const logs = "/v1/handlers/h/logs";
    const [, before] = await call("GET", logs);
    expect(await add("a", "\u001b[31mb")).toEqual([204, undefined]);
    const [status, { lines, next }] = await call("GET", `${logs}?after=${before.next}`);
    expect([status, lines]).toEqual([200, [line("a"), line("\u001b[31mb")]]);
    const waiting = call("GET", `${logs}?after=${next}&waitSeconds=20`);
    await add("c");
    expect(await waiting).toMatchObject([200, { lines: [line("c")] }]);
    for (const atMs of [8.64e15 + 1, -1]) {
      const wrong = { ...line("d"), atMs };
      expect((await call("POST", pathOf(id, "logs"), { lines: [wrong] }))[0]).toBe(400);
    }
    expect((await call("GET", `${logs}?after=x`))[0]).toBe(400);
    expect((await call("GET", `${logs}?waitSeconds=21`))[0]).toBe(400);
    expect((await call("GET", `${logs}?limit=1`))[1]).toMatchObject({ lines: [line("c")] });
  });
});
