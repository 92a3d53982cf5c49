// The API as a page sees it: a real Todoku behind it, a real issuer beside it.
import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { type Application, anApplication, pageOrigin } from "../testing/application.ts";
import { aLog } from "../testing/log.ts";

// A set-up starts a process.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let app: Application;
const { log, lines } = aLog();

beforeAll(async () => {
  app = await anApplication({ taskRate: { burst: 20, perMinute: 60 } }, log);
  const page = join(app.todoku.stateDir, "page");
  await mkdir(join(page, "assets"), { recursive: true });
  await writeFile(join(page, "index.html"), "<!doctype html><title>page</title>");
  await writeFile(join(page, "assets/index-1a2b.js"), "export {};");
  await writeFile(join(page, "favicon.svg"), "<svg/>");
});
afterAll(() => app[Symbol.asyncDispose]());

const bodySchema = z.object({ messages: z.array(z.object({ messageId: z.string(), body: z.string() })) });
/** What lies in the task queue, by task id. */
async function queued(): Promise<Map<string, unknown>> {
  const path = `/v1/queues/${app.todoku.names.taskQueue}/peek`;
  const { messages } = await app.todoku.admin.call("POST", path, { maxMessages: 100 }, bodySchema);
  return new Map(messages.map(({ messageId, body }) => [messageId, JSON.parse(body)]));
}
const taskIdOf = async (response: Response) => ((await response.json()) as { taskId: string }).taskId;

describe("POST /task", () => {
  it("answers 202 with the task's id once the task is in the queue", async () => {
    const beforeMs = Date.now();
    const response = await app.call("ann", "POST", "/task", { data: "paint the fence" });
    expect(response.status).toBe(202);
    const answer = (await response.json()) as { taskId: string };
    expect(answer).toEqual({ taskId: expect.stringMatching(/^[\w-]{36}$/), status: "queued" });
    expect(response.headers.get("location")).toBe(`/tasks/${answer.taskId}`);
    const task = (await queued()).get(answer.taskId) as { queuedAtMs: number };
    expect(task).toEqual({
      ...{ userId: "ann", taskId: answer.taskId, data: "paint the fence" },
      queuedAtMs: expect.any(Number),
    });
    expect(task.queuedAtMs).toBeGreaterThanOrEqual(beforeMs);
  });

  it("takes the same Idempotency-Key of the same user once", async () => {
    const post = (sub: string, key: string) =>
      app.call(sub, "POST", "/task", { data: "once" }, { "idempotency-key": key });
    const before = (await queued()).size;
    const ids = await Promise.all([post("eve", "k1"), post("eve", "k1"), post("eve", "k2"), post("fay", "k1")]);
    const [first, again, otherKey, otherUser] = await Promise.all(ids.map(taskIdOf));
    expect(again).toBe(first);
    expect(new Set([first, otherKey, otherUser]).size).toBe(3);
    expect((await queued()).size - before).toBe(3);
  });

  it.each<[number, string, Record<string, string>, string]>([
    [400, "{", {}, "not valid JSON"],
    [400, "", {}, "not valid JSON"],
    [400, "null", {}, "The body"],
    [400, "[]", {}, "The body"],
    [400, "{}", {}, '"data"'],
    [400, '{"data":7}', {}, '"data"'],
    [400, '{"data":""}', {}, '"data"'],
    [400, JSON.stringify({ data: "x".repeat(1001) }), {}, '"data"'],
    [400, '{"data":"\\ud800"}', {}, "well-formed"],
    [400, '{"data":"x","userId":"somebody-else"}', {}, "userId"],
    [400, '{"data":"x"}', { "idempotency-key": "" }, "Idempotency-Key"],
    [400, '{"data":"x"}', { "idempotency-key": "k".repeat(101) }, "Idempotency-Key"],
    [413, JSON.stringify({ data: "x".repeat(20_000) }), {}, "16384 bytes"],
    [415, '{"data":"x"}', { "content-type": "text/plain" }, "application/json"],
  ])("answers %i to the body %.40s %j", async (status, body, headers, words) => {
    const authorization = `Bearer ${await app.issuer.token("nonsense")}`;
    const response = await fetch(`${app.url}/task`, {
      ...{ method: "POST", body },
      headers: { authorization, "content-type": "application/json", ...headers },
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ message: expect.stringContaining(words) });
  });

  it("takes a thousand characters of any script", async () => {
    const data = "届".repeat(1000);
    const response = await app.call("kana", "POST", "/task", { data });
    expect(response.status).toBe(202);
    expect((await queued()).get(await taskIdOf(response))).toMatchObject({ data });
  });

  it("ends a body without a length at its bound", async () => {
    const headers = { authorization: `Bearer ${await app.issuer.token("eve")}`, "content-type": "application/json" };
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const call = request(`${app.url}/task`, { method: "POST", headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      call.on("error", reject);
      for (let i = 0; i < 20; i++) call.write("x".repeat(1000));
      call.end();
    });
    expect(status).toBe(413);
  });

  it("says when a user asks too often, and lets others in", async () => {
    const answers = [];
    for (let i = 0; i < 25; i++) answers.push(await app.call("hasty", "POST", "/task", { data: "now" }));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(answers.slice(0, 20).map(({ status }) => status)).toEqual(Array(20).fill(202));
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    expect((await app.call("patient", "POST", "/task", { data: "now" })).status).toBe(202);
  });
});

describe("CORS", () => {
  const corsOf = ({ headers }: Response) => ({
    origin: headers.get("access-control-allow-origin"),
    vary: headers.get("vary"),
  });
  const known = { origin: pageOrigin, vary: "Origin" };

  it.each<[number, string, string, unknown, Record<string, string>]>([
    [200, "GET", "/token", undefined, {}],
    [202, "POST", "/task", { data: "x" }, {}],
    [400, "POST", "/task", {}, {}],
    [401, "POST", "/task", { data: "x" }, { authorization: "" }],
    [401, "GET", "/token", undefined, { authorization: "Bearer x.y.z" }],
    [404, "GET", "/nothing.txt", undefined, {}],
    [405, "DELETE", "/task", undefined, {}],
    [405, "POST", "/token", {}, {}],
    [405, "POST", "/nothing", {}, {}],
    [413, "POST", "/task", { data: "x".repeat(20_000) }, {}],
    [415, "POST", "/task", { data: "x" }, { "content-type": "text/plain" }],
  ])("is on a %i of %s %s", async (status, method, path, body, headers) => {
    const response = await app.call("cora", method, path, body, { origin: pageOrigin, ...headers });
    expect(response.status).toBe(status);
    expect(corsOf(response)).toEqual(known);
    expect(response.headers.get("x-request-id")).toMatch(/^[\w-]{36}$/);
    if (status === 401) expect(response.headers.get("www-authenticate")).toMatch(/^Bearer/);
    if (status === 405) expect(response.headers.get("allow")).toMatch(/OPTIONS$/);
  });

  it("is on a 429, a 503 and a 500", async () => {
    await using busy = await anApplication({ taskRate: { burst: 1, perMinute: 1 }, pageDirectory: "\0" });
    const call = (method: string, path: string, body?: unknown) =>
      busy.call("cora", method, path, body, { origin: pageOrigin });
    expect((await call("POST", "/task", { data: "x" })).status).toBe(202);
    const answers = [await call("POST", "/task", { data: "x" }), await call("GET", "/")];
    busy.issuer.isBroken = true;
    await using unlucky = await anApplication({ issuer: busy.issuer.url });
    answers.push(await unlucky.call("cora", "GET", "/token", undefined, { origin: pageOrigin }));
    expect(answers.map(({ status }) => status)).toEqual([429, 500, 503]);
    for (const answer of answers) expect(corsOf(answer)).toEqual(known);
  });

  it("lets no other origin read", async () => {
    const response = await app.call("cora", "GET", "/token", undefined, { origin: "https://evil.example.com" });
    expect(corsOf(response)).toEqual({ origin: null, vary: "Origin" });
  });

  it.each([
    ["/task", "POST, OPTIONS"],
    ["/token", "GET, HEAD, OPTIONS"],
  ])("answers the preflight of %s", async (path, methods) => {
    const preflight = (origin: string) =>
      fetch(app.url + path, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    const { status, headers } = await preflight(pageOrigin);
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe(pageOrigin);
    expect(headers.get("access-control-allow-methods")).toBe(methods);
    expect(headers.get("access-control-allow-headers")).toBe("authorization, content-type, idempotency-key");
    const other = await preflight("https://evil.example.com");
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([204, null]);
  });
});

describe("the page", () => {
  it("is served with what it may talk to, and never from a cache", async () => {
    for (const path of ["/", "/index.html", "/tasks/7", "/?code=secret-code"]) {
      const response = await fetch(app.url + path);
      expect(await response.text()).toContain("<title>page</title>");
      expect(response.headers.get("content-type")).toMatch(/^text\/html/);
      expect(response.headers.get("cache-control")).toBe("no-store");
      const policy = response.headers.get("content-security-policy");
      expect(policy).toContain(`connect-src 'self' ${app.todoku.url} ${app.issuer.url} https://tokens.example.com;`);
    }
  });

  it("keeps its hashed files for ever", async () => {
    const script = await fetch(`${app.url}/assets/index-1a2b.js`);
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(script.headers.get("cache-control")).toContain("immutable");
    expect((await fetch(`${app.url}/favicon.svg`)).headers.get("cache-control")).toBe("no-cache");
    expect((await fetch(`${app.url}/assets/index-old.js`)).status).toBe(404);
  });

  it.each([
    "/../api.key",
    "/%2e%2e/api.key",
    "/..%2fapi.key",
    "/%252e%252e/api.key",
    "/assets/../../api.key",
    "/%00",
    "/%",
  ])("serves nothing outside of itself: %s", async (path) => {
    const answer = await new Promise<string>((resolve, reject) => {
      request(app.url, { path }, (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve(`${response.statusCode} ${text}`));
      })
        .on("error", reject)
        .end();
    });
    expect(answer).toMatch(/^404 \{"message"/);
  });

  it("is told where to sign in", async () => {
    const response = await fetch(`${app.url}/config.json`);
    expect(await response.json()).toEqual({ issuer: app.issuer.url, clientId: "task-notifications", apiUrl: "" });
  });
});

it("logs neither tokens nor texts nor queries", async () => {
  await app.call("quiet", "POST", "/task", { data: "a very secret plan" });
  await app.call("quiet", "GET", "/token?secret-query");
  await fetch(`${app.url}/?code=secret-code`);
  const text = lines.join("");
  expect(text).toContain('"path":"/task"');
  for (const secret of ["very secret", "secret-query", "secret-code", "eyJ"]) expect(text).not.toContain(secret);
});
