import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import type { Log } from "../../lib/log.ts";
import { silentLog } from "../../lib/log.ts";

const value = 'sk_live_"51H8abc"\nü';
const logged: unknown[] = [];
const keep = (...args: unknown[]) => void logged.push(args);
const log = Object.assign(Object.create(silentLog), { error: keep, warn: keep, info: keep, debug: keep }) as Log;

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ log });
});
// To open a door for each test takes longer than most of them.
afterEach(async () => {
  const [, { secrets }] = (await call("GET", "/v1/secrets")) as [number, { secrets: { name: string }[] }];
  for (const { name } of secrets) {
    expect((await call("DELETE", `/v1/secrets/${encodeURIComponent(name)}`))[0]).toBe(204);
  }
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  expect(JSON.stringify(logged)).not.toContain("51H8abc");
});

async function send(method: string, path: string, body?: unknown, apiKey?: string): Promise<Response> {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  if (body === undefined) return fetch(door.url + path, { method, headers });
  headers["content-type"] = "application/json";
  return fetch(door.url + path, { method, headers, body: JSON.stringify(body) });
}

async function call(method: string, path: string, body?: unknown, apiKey?: string): Promise<[number, unknown]> {
  const response = await send(method, path, body, apiKey);
  const text = await response.text();
  return [response.status, text === "" ? undefined : JSON.parse(text)];
}

describe("secrets", () => {
  it("are put, read, listed without their values, and deleted", async () => {
    expect(await call("POST", "/v1/secrets/stripe", { value })).toEqual([
      201,
      { name: "stripe", version: 1, shared: false },
    ]);
    const second = await call("POST", "/v1/secrets/stripe", { value: "two", shared: true });
    expect(second).toEqual([201, { name: "stripe", version: 2, shared: true }]);
    const createdAtMs = expect.any(Number);
    const found = { name: "stripe", environment: "dev", createdAtMs, shared: true };
    expect(await call("GET", "/v1/secrets/stripe")).toEqual([200, { ...found, version: 2, value: "two" }]);
    expect(await call("GET", "/v1/secrets/stripe?version=1")).toEqual([200, { ...found, version: 1, value }]);
    const versions = [1, 2].map((version) => ({ version, createdAtMs }));
    const listed = { secrets: [{ name: "stripe", shared: true, currentVersion: 2, versions }] };
    expect(await call("GET", "/v1/secrets")).toEqual([200, listed]);
    expect(await call("DELETE", "/v1/secrets/stripe")).toEqual([204, undefined]);
    expect((await call("GET", "/v1/secrets/stripe"))[0]).toBe(404);
    expect(await call("GET", "/v1/secrets")).toEqual([200, { secrets: [] }]);
  });

  it("may have any name that is percent-encoded in the address", async () => {
    for (const name of ["prod/db password", "%2e", "schlüssel?version=9#x", "a/../b"]) {
      const path = `/v1/secrets/${encodeURIComponent(name)}`;
      expect(await call("POST", path, { value: name })).toEqual([201, expect.objectContaining({ name })]);
      expect(await call("GET", path)).toEqual([200, expect.objectContaining({ name, value: name })]);
    }
  });

  it("are kept by no cache", async () => {
    await send("POST", "/v1/secrets/s", { value });
    for (const path of ["/v1/secrets", "/v1/secrets/s"]) {
      expect((await send("GET", path)).headers.get("cache-control")).toBe("no-store");
    }
  });

  it("of an environment are read from another one that may, if they are shared", async () => {
    await door.environments.create(door.principal, "FEAT-X", { secretsFrom: ["dev"] });
    const { secret } = await door.keys.create(door.principal, { isSuperUser: true, grants: [] }, "FEAT-X");
    await send("POST", "/v1/secrets/shared", { value, shared: true });
    await send("POST", "/v1/secrets/private", { value });
    const read = await call("GET", "/v1/secrets/shared", undefined, secret);
    expect(read).toEqual([200, expect.objectContaining({ environment: "dev", value })]);
    expect((await call("GET", "/v1/secrets/private", undefined, secret))[0]).toBe(404);
    expect((await call("DELETE", "/v1/secrets/shared", undefined, secret))[0]).toBe(404);
    await send("POST", "/v1/secrets/shared", { value: "own" }, secret);
    expect(await call("GET", "/v1/secrets/shared")).toEqual([200, expect.objectContaining({ value })]);
  });

  it("are read with a grant of a key, and by no token and no key without one", async () => {
    await send("POST", "/v1/secrets/app/db".replace("/db", "%2Fdb"), { value });
    const grants = [{ resource: "secret", role: "read", secret: { prefix: "app/" } }] as const;
    const { secret } = await door.keys.create(door.principal, { isSuperUser: false, grants });
    expect((await call("GET", "/v1/secrets/app%2Fdb", undefined, secret))[0]).toBe(200);
    expect((await call("GET", "/v1/secrets/other", undefined, secret))[0]).toBe(403);
    expect((await call("POST", "/v1/secrets/app%2Fdb", { value }, secret))[0]).toBe(403);
    expect((await call("GET", "/v1/secrets/app%2Fdb", undefined, await door.token()))[0]).toBe(403);
  });

  it.each([
    [{}, "value"],
    [{ value: "" }, "the secret has 0 bytes"],
    [{ value: "x".repeat(65_537) }, "the secret has 65537 bytes"],
    [{ value, isShared: true }, "isShared"],
    [{ value: { secret: "51H8abc" } }, '"value"'],
  ])("are not put of %.40j, and the refusal does not repeat the value", async (body, detail) => {
    const [status, problem] = await call("POST", "/v1/secrets/s", body);
    expect([status, problem]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(detail) })]);
    expect(JSON.stringify(problem)).not.toContain("51H8abc");
  });

  it.each(["0", "-1", "1.5", "x", "NaN"])("have no version %j", async (version) => {
    await send("POST", "/v1/secrets/s", { value });
    expect((await call("GET", `/v1/secrets/s?version=${version}`))[0]).toBe(400);
  });
});

describe("POST /v1/keys/rotate", () => {
  it("puts a new key into the secret, which a loader finds there when the old one is refused", async () => {
    const [, created] = await call("POST", "/v1/keys", { superUser: true });
    const { keyId, apiKey } = created as { keyId: string; apiKey: string };
    await send("POST", "/v1/secrets/app-key", { value: apiKey });
    const [status, rotated] = await call("POST", "/v1/keys/rotate", { secret: "app-key", overlapSeconds: 10 }, apiKey);
    expect([status, rotated]).toEqual([
      200,
      {
        keyId: expect.stringMatching(/^dev-/),
        secretVersion: 2,
        oldKeyId: keyId,
        oldExpiresAtMs: expect.any(Number),
      },
    ]);
    const [, read] = await call("GET", "/v1/secrets/app-key", undefined, apiKey);
    door.advance(11_000);
    expect((await call("GET", "/v1/secrets/app-key", undefined, apiKey))[0]).toBe(401);
    const { value: newKey } = read as { value: string };
    expect((await call("GET", "/v1/secrets/app-key", undefined, newKey))[0]).toBe(200);
  });

  it.each([
    [{ secret: "nothing", overlapSeconds: 0 }, 404, "does not exist"],
    [{ secret: "text", overlapSeconds: 0 }, 409, "holds no API key"],
    [{ secret: "text", overlapSeconds: 604_801 }, 400, "must be >= 0 and <= 604800000"],
    [{ secret: "text" }, 400, "overlapSeconds"],
    [{ secret: "text", overlapSeconds: "10m" }, 400, "overlapSeconds"],
  ])("answers %j with %d", async (body, status, detail) => {
    await send("POST", "/v1/secrets/text", { value });
    const problem = expect.objectContaining({ detail: expect.stringContaining(detail) });
    expect(await call("POST", "/v1/keys/rotate", body)).toEqual([status, problem]);
  });
});
