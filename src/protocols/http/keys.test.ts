import { once } from "node:events";
import { request } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { allTopics, anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { follow } from "../../../test/support/sse.ts";
import { unwrapCredential } from "../../domain/auth/credential.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ wallMs: Date.UTC(2026, 10, 22) });
});
// To open a door for each test takes longer than most of them.
afterEach(async () => {
  const { keys } = (await (await call("GET", "/v1/keys")).json()) as { keys: CreatedKey[] };
  for (const { keyId } of keys) expect((await call("DELETE", `/v1/keys/${keyId}`)).status).toBe(204);
});
afterAll(() => door[Symbol.asyncDispose]());

interface CreatedKey {
  readonly keyId: string;
  readonly apiKey: string;
  readonly apiKeyV2: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly detail: string;
  readonly secretAccessKey?: string;
}

async function call(method: string, path: string, options: { body?: unknown; apiKey?: string } = {}) {
  const headers: Record<string, string> = options.apiKey ? { authorization: `Bearer ${options.apiKey}` } : {};
  const json = { headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(options.body) };
  return fetch(door.url + path, { method, headers, ...(options.body === undefined ? {} : json) });
}

async function create(body: unknown, apiKey?: string): Promise<[number, CreatedKey]> {
  const response = await call("POST", "/v1/keys", { body, ...(apiKey ? { apiKey } : {}) });
  return [response.status, (await response.json()) as CreatedKey];
}

describe("API keys", () => {
  it("are created, given out once in Momento's v1 form, listed without their secret, and deleted", async () => {
    const [status, created] = await create({ name: "worker", description: "does the work", grants: allTopics });
    const { apiKey, apiKeyV2: _, ...shown } = created;
    expect([status, shown]).toEqual([
      201,
      {
        keyId: expect.stringMatching(/^dev-[0-9a-f]{16}$/),
        name: "worker",
        description: "does the work",
        createdAtMs: expect.any(Number),
        expiresAtMs: null,
        superUser: false,
        operator: false,
        grants: allTopics,
        hasAccessKey: false,
      },
    ]);
    expect(JSON.parse(Buffer.from(apiKey, "base64").toString())).toEqual({
      endpoint: "127.0.0.1:8080",
      api_key: expect.stringMatching(`^tdk_${created.keyId}_`),
    });
    const listed = await call("GET", "/v1/keys");
    expect([listed.status, await listed.json()]).toEqual([200, { keys: [shown] }]);
    expect((await call("DELETE", `/v1/keys/${created.keyId}`)).status).toBe(204);
    expect(await (await call("GET", "/v1/keys")).json()).toEqual({ keys: [] });
    expect((await call("DELETE", `/v1/keys/${created.keyId}`)).status).toBe(404);
  });

  it("have an access key for AWS clients when it is asked for, whose secret is shown this once", async () => {
    const [status, created] = await create({ grants: allTopics, accessKey: true });
    expect([status, created]).toMatchObject([201, { accessKeyId: created.keyId, hasAccessKey: true }]);
    expect(created.secretAccessKey).toMatch(/^[\w-]{43}$/);
    const listed = await (await call("GET", "/v1/keys")).text();
    expect(JSON.parse(listed)).toMatchObject({ keys: [{ keyId: created.keyId, hasAccessKey: true }] });
    expect(listed.includes(created.secretAccessKey ?? "")).toBe(false);
    await call("DELETE", `/v1/keys/${created.keyId}`);
  });

  it("let their bearer do what their grants say and nothing else, wrapped or bare", async () => {
    const [, { apiKey }] = await create({ grants: allTopics });
    for (const credential of [apiKey, unwrapCredential(apiKey)]) {
      const published = await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey: credential });
      expect(published.status).toBe(200);
      expect((await call("GET", "/v1/caches", { apiKey: credential })).status).toBe(403);
      expect((await call("GET", "/v1/keys", { apiKey: credential })).status).toBe(403);
    }
    expect((await create({ superUser: true }, apiKey))[0]).toBe(403);
  });

  it("are given out in Momento's v2 form too, which is the same key", async () => {
    const [, { keyId, apiKey, apiKeyV2 }] = await create({ grants: allTopics });
    const [header, payload, secret] = apiKeyV2.split(".");
    const parse = (part = "") => JSON.parse(Buffer.from(part, "base64url").toString());
    expect([parse(header), parse(payload)]).toEqual([
      { alg: "HS256", typ: "JWT" },
      { t: "g", iss: "todoku", sub: keyId },
    ]);
    expect(unwrapCredential(apiKey)).toBe(`tdk_${keyId}_${secret}`);
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey: apiKeyV2 })).status).toBe(200);
    const altered = [header, Buffer.from('{"t":"g","iss":"todoku","sub":"dev"}').toString("base64url"), secret].join(
      ".",
    );
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey: altered })).status).toBe(401);
  });

  it("end when their time is over, and so do their open streams", async () => {
    const [, { apiKey, createdAtMs, expiresAtMs }] = await create({ grants: allTopics, validForSeconds: 60 });
    expect(expiresAtMs).toBe(createdAtMs + 60_000);
    const stream = await follow(`${door.url}/v1/topics/c/t`, { authorization: `Bearer ${apiKey}` });
    door.advance(62_000);
    expect(await stream.nextData()).toMatchObject({ code: "unauthenticated" });
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey })).status).toBe(401);
  });

  it("may be told to end earlier, but not later", async () => {
    const [, { keyId, apiKey, createdAtMs }] = await create({ grants: allTopics, validForSeconds: 60 });
    const expire = (expiresInSeconds: unknown) => call("PATCH", `/v1/keys/${keyId}`, { body: { expiresInSeconds } });
    expect((await expire(120)).status).toBe(400);
    const sooner = await expire(10);
    expect([sooner.status, await sooner.json()]).toEqual([
      200,
      expect.objectContaining({ keyId, expiresAtMs: createdAtMs + 10_000 }),
    ]);
    door.advance(12_000);
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey })).status).toBe(401);
    expect((await expire(-1)).status).toBe(400);
    expect((await call("PATCH", "/v1/keys/dev-0123456789abcdef", { body: { expiresInSeconds: 1 } })).status).toBe(404);
  });

  it("have a name that no other key of the environment has", async () => {
    expect((await create({ name: "worker", superUser: true }))[0]).toBe(201);
    expect((await create({ name: "worker", superUser: true }))[0]).toBe(409);
  });

  it("of an operator are made by operators only", async () => {
    const [status, operator] = await create({ operator: true });
    expect([status, operator]).toEqual([201, expect.objectContaining({ operator: true, superUser: true, grants: [] })]);
    expect((await create({ operator: true }, operator.apiKey))[0]).toBe(201);
    const [, { apiKey }] = await create({ superUser: true });
    expect((await create({ operator: true }, apiKey))[0]).toBe(403);
  });

  it("that are deleted take the tokens that they issued with them", async () => {
    const [, { keyId, apiKey }] = await create({ grants: [{ resource: "token", role: "issue", grants: allTopics }] });
    const issued = await call("POST", "/v1/tokens", { body: { grants: allTopics, validForSeconds: 60 }, apiKey });
    const { token } = (await issued.json()) as { token: string };
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey: token })).status).toBe(200);
    await call("DELETE", `/v1/keys/${keyId}`);
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey: token })).status).toBe(401);
  });

  it("of a super user may do everything", async () => {
    const [, { apiKey }] = await create({ superUser: true });
    expect((await create({ superUser: true }, apiKey))[0]).toBe(201);
    expect((await call("GET", "/v1/caches", { apiKey })).status).toBe(200);
  });

  it("that are deleted are refused at once, and their open event streams end with the reason", async () => {
    const [, { keyId, apiKey }] = await create({ grants: allTopics });
    const stream = await follow(`${door.url}/v1/topics/c/t`, { authorization: `Bearer ${apiKey}` });
    await call("DELETE", `/v1/keys/${keyId}`);
    expect(await stream.nextData()).toMatchObject({ code: "unauthenticated", detail: "this API key was deleted" });
    expect(await stream.next()).toBeUndefined();
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey })).status).toBe(401);
  });

  it("that are deleted while a body is on its way do nothing with it any more", async () => {
    const [, { keyId, apiKey }] = await create({ superUser: true });
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const slow = request(`${door.url}/v1/keys`, { method: "POST", headers });
    const answered = once(slow, "response");
    slow.write('{"superUser": ');
    await once(door.server, "request");
    await call("DELETE", `/v1/keys/${keyId}`);
    slow.end("true}");
    const [answer] = await answered;
    expect([answer.resume().statusCode, await (await call("GET", "/v1/keys")).json()]).toEqual([401, { keys: [] }]);
  });

  it("may issue the tokens that they cover", async () => {
    const [, { apiKey }] = await create({ grants: [{ resource: "token", role: "issue", grants: allTopics }] });
    const issue = (role: string, topic: object) => {
      const grants = [{ resource: "topic", role, cache: { name: "c" }, topic }];
      return call("POST", "/v1/tokens", { body: { grants, validForSeconds: 60 }, apiKey });
    };
    expect((await issue("subscribe", { prefix: "user:1" })).status).toBe(201);
    const grants = [{ resource: "queue", role: "receive", queue: { name: "orders" } }];
    const refused = await call("POST", "/v1/tokens", { body: { grants, validForSeconds: 60 }, apiKey });
    expect([refused.status, await refused.json()]).toEqual([
      403,
      expect.objectContaining({ detail: expect.stringContaining(JSON.stringify(grants[0])) }),
    ]);
    expect((await call("POST", "/v1/topics/c/t", { body: { text: "a" }, apiKey })).status).toBe(403);
  });

  it.each([
    [{}, "permissions must not be empty"],
    [{ superUser: false }, '"superUser": '],
    [{ superUser: true, grants: allTopics }, "a super user needs no permissions"],
    [{ superUser: true, description: "x".repeat(257) }, "description has 257 characters"],
    [{ superUser: true, expiresAtMs: 1 }, "expiresAtMs"],
    [{ superUser: true, validForSeconds: 0.5 }, "API key lifetime 500 ms must be >= 1000"],
    [{ operator: true, grants: allTopics }, "a super user needs no permissions"],
    [{ superUser: true, name: "" }, "API key"],
    [
      { grants: [{ resource: "planet" }] },
      '"grants.0.resource": must be "topic", "cache", "queue", "route", "presence", "secret", "webhook",',
    ],
    [
      { grants: [{ resource: "token", role: "issue", grants: [{ resource: "token", role: "issue", grants: [] }] }] },
      '"grants.0.grants.0.resource": must be "topic", "cache", "queue", "route" or "presence"',
    ],
  ])("are not created of %j", async (body, detail) => {
    const [status, problem] = await create(body);
    expect([status, problem]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(detail) })]);
  });

  it("are not repeated in an error when one is given in place of its id", async () => {
    const [, { apiKey }] = await create({ superUser: true });
    const refused = await call("DELETE", `/v1/keys/${encodeURIComponent(unwrapCredential(apiKey))}`);
    expect([refused.status, await refused.text()]).toEqual([400, expect.not.stringContaining("tdk_")]);
  });
});
