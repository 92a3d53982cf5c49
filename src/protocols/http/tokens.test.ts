import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allTopics, anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { wrapCredential } from "../../domain/auth/credential.ts";

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
  return [response.status, await response.json()] as [number, { token: string; detail: string; expiresAtMs: number }];
}

describe("tokens", () => {
  it("are issued, and let their bearer do what their grants say, bare or wrapped in Momento's v1 form", async () => {
    const [status, { token, expiresAtMs }] = await issue(valid);
    expect([status, expiresAtMs > Date.now() - 1000]).toEqual([201, true]);
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
    [{ grants: allTopics }, '"validForSeconds": '],
    [{ ...valid, grants: [{ ...allTopics[0], role: "admin" }] }, '"grants.0.role": '],
    [{ ...valid, grants: [{ ...allTopics[0], topic: { all: false } }] }, '"grants.0.topic'],
    [
      { ...valid, grants: [{ ...allTopics[0], resource: "webhook" }] },
      '"grants.0.resource": must be "topic", "cache" or',
    ],
    [{ ...valid, grants: [{ resource: "token", role: "issue", grants: allTopics }] }, '"grants.0.resource": must be'],
    [{ ...valid, grants: [{ resource: "queue", role: "purge", queue: { all: true } }] }, '"grants.0.role": '],
  ])("refuses %j with 400 and names what is wrong", async (body, detail) => {
    const [status, problem] = await issue(body);
    expect([status, problem]).toEqual([400, expect.objectContaining({ detail: expect.stringContaining(detail) })]);
  });
});
