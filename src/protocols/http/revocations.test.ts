import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allTopics, anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { follow } from "../../../test/support/sse.ts";
import { unwrapCredential, wrapCredential } from "../../domain/auth/credential.ts";

const nowMs = Date.UTC(2026, 10, 22);
let door: TestDoor;
beforeEach(async () => {
  door = await anHttpDoor({ wallMs: nowMs });
});
afterEach(() => door[Symbol.asyncDispose]());

async function call(method: string, path: string, body?: unknown, credential?: string) {
  const headers: Record<string, string> = credential ? { authorization: `Bearer ${credential}` } : {};
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(door.url + path, {
    ...{ method, headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return [response.status, await response.json()] as [number, Record<string, string> & { version: number }];
}

async function issue(fields: { tokenId?: string; userId?: string } = {}, credential?: string) {
  const [, { token = "", jti = "" }] = await call(
    "POST",
    "/v1/tokens",
    { grants: allTopics, validForSeconds: 3600, ...fields },
    credential,
  );
  return { token, jti };
}

const revoke = (body: unknown, credential?: string) => call("POST", "/v1/revocations", body, credential);
const publish = async (credential: string) => (await call("POST", "/v1/topics/c/t", { text: "a" }, credential))[0];

describe("POST /v1/revocations", () => {
  it("ends one token, by its own id, and no other", async () => {
    const [one, other] = [await issue(), await issue()];
    expect(await publish(one.token)).toBe(200);
    expect(await revoke({ token: one.jti })).toEqual([201, { version: expect.any(Number) }]);
    expect([await publish(one.token), await publish(other.token)]).toEqual([401, 200]);
  });

  it("takes the whole token in place of its id, bare or wrapped", async () => {
    const [one, other] = [await issue(), await issue()];
    expect((await revoke({ token: one.token }))[0]).toBe(201);
    expect((await revoke({ token: wrapCredential("localhost:8080", other.token) }))[0]).toBe(201);
    expect([await publish(one.token), await publish(other.token)]).toEqual([401, 401]);
    const [, { revocations }] = await call("GET", "/v1/revocations");
    expect(JSON.stringify(revocations)).not.toContain(one.token);
  });

  it("takes a token whose time is over, and one that was revoked already", async () => {
    const { token } = await issue();
    expect((await revoke({ token }))[0]).toBe(201);
    expect((await revoke({ token }))[0]).toBe(201);
    const late = await issue();
    door.advance(3_601_000);
    expect((await revoke({ token: late.token }))[0]).toBe(201);
  });

  it.each([
    ["tokenId", { tokenId: "alice" }],
    ["userId", { userId: "alice" }],
  ])("ends all tokens with one %s that were issued so far, not those issued later", async (_, fields) => {
    const before = await issue(fields);
    const other = await issue({ tokenId: "bob", userId: "bob" });
    expect((await revoke(fields))[0]).toBe(201);
    const after = await issue(fields);
    expect([await publish(before.token), await publish(other.token), await publish(after.token)]).toEqual([
      401, 200, 200,
    ]);
  });

  it("ends a key with the tokens that it issued", async () => {
    const grants = [...allTopics, { resource: "token", role: "issue", grants: allTopics }];
    const [, { keyId, apiKey = "" }] = await call("POST", "/v1/keys", { grants });
    const { token } = await issue({}, apiKey);
    expect([await publish(apiKey), await publish(token)]).toEqual([200, 200]);
    expect((await revoke({ keyId }))[0]).toBe(201);
    expect([await publish(apiKey), await publish(token)]).toEqual([401, 401]);
    expect(await call("GET", "/v1/keys")).toEqual([200, { keys: [] }]);
  });

  it("ends what was issued before a time; with `keys` API keys too, but not the one that asks", async () => {
    const [, { keyId: own, apiKey: ownKey = "" }] = await call("POST", "/v1/keys", { superUser: true });
    const [, { apiKey = "" }] = await call("POST", "/v1/keys", { grants: allTopics });
    const { token } = await issue();
    door.advance(10_000);
    const later = await issue();
    expect((await revoke({ issuedBeforeMs: nowMs + 5000 }, ownKey))[0]).toBe(201);
    expect([await publish(token), await publish(later.token), await publish(apiKey)]).toEqual([401, 200, 200]);
    expect((await revoke({ issuedBeforeMs: nowMs + 5000, keys: true }, ownKey))[0]).toBe(201);
    expect([await publish(later.token), await publish(apiKey), await publish(ownKey)]).toEqual([200, 401, 200]);
    expect(await call("GET", "/v1/keys", undefined, ownKey)).toEqual([
      200,
      { keys: [expect.objectContaining({ keyId: own })] },
    ]);
  });

  it("ends open event streams with the reason", async () => {
    const { token, jti } = await issue();
    const stream = await follow(`${door.url}/v1/topics/c/t`, { authorization: `Bearer ${token}` });
    await revoke({ token: jti });
    expect(await stream.nextData()).toMatchObject({ code: "unauthenticated" });
    expect(await stream.next()).toBeUndefined();
  });

  it("is for super users", async () => {
    const { token, jti } = await issue();
    expect((await revoke({ token: jti }, token))[0]).toBe(403);
    expect((await call("GET", "/v1/revocations", undefined, token))[0]).toBe(403);
    expect(await publish(token)).toBe(200);
  });

  it.each([
    [{}, "is missing"],
    [{ token: "nonsense" }, '"token": this is neither the id of a token nor a token that was issued here'],
    [{ token: "" }, '"token": this is neither'],
    [{ tokenId: "" }, "token"],
    [{ userId: "" }, "user"],
    [{ keyId: "tdk_dev-0123456789abcdef_AAAA" }, "this is no id of an API key"],
    [{ tokenId: "a", userId: "b" }, "nrecognized key"],
    [{ issuedBeforeMs: "now" }, '"issuedBeforeMs": '],
  ])("refuses %j", async (body, detail) => {
    const [status, problem] = await revoke(body);
    expect([status, problem]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(detail) })]);
    expect(problem.detail).not.toContain("tdk_");
  });

  it("refuses credentials in the wrong place without repeating them", async () => {
    const { token } = await issue();
    const [, { apiKey = "" }] = await call("POST", "/v1/keys", { superUser: true });
    const secret = unwrapCredential(apiKey);
    const forged = `${token.slice(0, -4)}AAAA`;
    for (const body of [
      { token: secret },
      { token: forged },
      { tokenId: token },
      { userId: token },
      { keyId: secret },
    ]) {
      const [status, problem] = await revoke(body);
      expect(status).toBe(400);
      for (const credential of [token, forged, secret]) expect(problem.detail).not.toContain(credential.slice(-20));
    }
  });
});

describe("GET /v1/revocations", () => {
  it("lists what was revoked, in order, until no token that it names can be alive", async () => {
    const { jti } = await issue();
    const [, { keyId }] = await call("POST", "/v1/keys", { superUser: true });
    for (const body of [{ token: jti }, { tokenId: "a" }, { userId: "b" }, { keyId }, { issuedBeforeMs: nowMs }]) {
      await revoke(body);
    }
    const [status, answer] = await call("GET", "/v1/revocations");
    const times = { version: expect.any(Number), atMs: nowMs, expiresAtMs: nowMs + 30 * 3_600_000 };
    expect([status, answer]).toEqual([
      200,
      {
        revocations: [
          { jti, ...times },
          { tokenId: "a", ...times },
          { userId: "b", ...times },
          { keyId, ...times },
          { issuedBeforeMs: nowMs, ...times },
        ],
      },
    ]);
  });
});
