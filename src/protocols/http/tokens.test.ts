import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allTopics, anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { unwrapCredential, wrapCredential } from "../../domain/auth/credential.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

const valid = { grants: allTopics, tokenId: "alice", validForSeconds: 60 };

async function issue(body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${door.url}/v1/tokens`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return [response.status, await response.json()] as [
    number,
    {
      token: string;
      jti: string;
      detail: string;
      expiresAtMs: number;
    },
  ];
}

describe("tokens", () => {
  it("are issued, and let their bearer do what their grants say, bare or wrapped in Momento's v1 form", async () => {
    const [status, { token, jti, expiresAtMs }] = await issue(valid);
    expect([status, expiresAtMs > Date.now() - 1000]).toEqual([201, true]);
    expect(jti).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    for (const credential of [token, wrapCredential("localhost:8080", token)]) {
      const headers = { "content-type": "application/json", authorization: `Bearer ${credential}` };
      const published = await fetch(`${door.url}/v1/topics/c/t`, { method: "POST", headers, body: '{"text":"a"}' });
      expect(published.status).toBe(200);
      expect((await fetch(`${door.url}/v1/caches`, { headers })).status).toBe(403);
    }
  });

  it("are not issued by a token", async () => {
    const [, { token }] = await issue(valid);
    const [status, problem] = await issue(valid, { authorization: `Bearer ${token}` });
    expect([status, problem]).toEqual([403, expect.objectContaining({ code: "permission_denied" })]);
  });

  it.each([
    [{ ...valid, grants: [] }, "permissions must not be empty"],
    [{ ...valid, validForSeconds: 0 }, "token lifetime 0 ms"],
    [{ ...valid, validForSeconds: 90_001 }, "token lifetime"],
    [{ ...valid, tokenId: "x".repeat(65) }, "tokenId has 65 characters"],
    [{ ...valid, userId: "x".repeat(129) }, "userId has 129 characters"],
    [{ grants: allTopics }, '"validForSeconds": '],
    [{ ...valid, grants: [{ ...allTopics[0], role: "admin" }] }, '"grants.0.role": '],
    [{ ...valid, grants: [{ ...allTopics[0], topic: { all: false } }] }, '"grants.0.topic'],
    [
      { ...valid, grants: [{ ...allTopics[0], resource: "webhook" }] },
      '"grants.0.resource": must be "topic", "cache", "queue", "route" or',
    ],
    [{ ...valid, grants: [{ resource: "token", role: "issue", grants: allTopics }] }, '"grants.0.resource": must be'],
    [{ ...valid, grants: [{ resource: "queue", role: "purge", queue: { all: true } }] }, '"grants.0.role": '],
  ])("refuses %j with 400 and names what is wrong", async (body, detail) => {
    const [status, problem] = await issue(body);
    expect([status, problem]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(detail) })]);
  });
});

describe("POST /v1/tokens/inspect", () => {
  async function inspect(credential: string) {
    const response = await fetch(`${door.url}/v1/tokens/inspect`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ credential }),
    });
    return [response.status, await response.json()] as [number, Record<string, unknown>];
  }
  const post = async (path: string, body: unknown) =>
    (
      await fetch(door.url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      })
    ).json() as Promise<Record<string, string>>;

  it("says what a token is, bare or wrapped", async () => {
    const [, { token, jti, expiresAtMs }] = await issue({ ...valid, userId: "u-1" });
    for (const credential of [token, wrapCredential("localhost:8080", token)]) {
      expect(await inspect(credential)).toEqual([
        200,
        {
          ...{ kind: "token", status: "valid", environment: "dev", tokenId: "alice", userId: "u-1", jti },
          ...{ issuedAtMs: expect.any(Number), expiresAtMs, superUser: false, operator: false, grants: allTopics },
        },
      ]);
    }
  });

  it("says what an API key is, in each of its forms, until it is deleted", async () => {
    const { keyId, apiKey = "", apiKeyV2 = "" } = await post("/v1/keys", { superUser: true, validForSeconds: 3600 });
    for (const credential of [apiKey, apiKeyV2, unwrapCredential(apiKey)]) {
      expect(await inspect(credential)).toEqual([
        200,
        {
          ...{ kind: "key", status: "valid", environment: "dev", keyId, tokenId: "", superUser: true, operator: false },
          ...{ issuedAtMs: expect.any(Number), expiresAtMs: expect.any(Number), grants: [] },
        },
      ]);
    }
  });

  it("says of a token that was revoked, or whose time is over, that it is", async () => {
    const [, { token, jti }] = await issue(valid);
    await post("/v1/revocations", { token: jti });
    expect(await inspect(token)).toEqual([200, expect.objectContaining({ status: "revoked" })]);
    const [, other] = await issue(valid);
    door.advance(61_000);
    expect(await inspect(other.token)).toEqual([200, expect.objectContaining({ status: "expired" })]);
  });

  it("refuses what was not issued here with 401, and does not repeat it", async () => {
    const [, { token }] = await issue(valid);
    const forged = `${token.slice(0, -6)}AAAAAA`;
    for (const credential of [forged, "nonsense", "x".repeat(20_000)]) {
      const [status, problem] = await inspect(credential);
      expect([status, problem.code]).toEqual([401, "unauthenticated"]);
      expect(JSON.stringify(problem)).not.toContain(credential.slice(0, 20));
    }
  });
});
