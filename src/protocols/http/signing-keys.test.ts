import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

const nowMs = Date.UTC(2026, 10, 22);
let door: TestDoor;
beforeEach(async () => {
  door = await anHttpDoor({ wallMs: nowMs });
});
afterEach(() => door[Symbol.asyncDispose]());

async function rotate(body: unknown, credential?: string) {
  const response = await fetch(`${door.url}/v1/signing-keys`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(credential ? { authorization: `Bearer ${credential}` } : {}) },
    body: JSON.stringify(body),
  });
  return [response.status, await response.json()] as [number, Record<string, unknown>];
}

async function list() {
  const response = await fetch(`${door.url}/v1/signing-keys`);
  return ((await response.json()) as { signingKeys: Record<string, unknown>[] }).signingKeys;
}

async function publish(token: string): Promise<number> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  return (await fetch(`${door.url}/v1/topics/c/t`, { method: "POST", headers, body: '{"text":"a"}' })).status;
}

describe("signing keys", () => {
  it("are replaced, and older tokens are good for the overlap, then refused", async () => {
    const validForMs = 3_600_000;
    const [old, unused] = [await door.token({ validForMs }), await door.token({ validForMs })];
    const [status, made] = await rotate({ overlapSeconds: 60 });
    expect([status, made]).toEqual([
      201,
      { kid: expect.any(String), createdAtMs: nowMs, retiresAtMs: null, isCurrent: true },
    ]);
    expect(await list()).toEqual([
      { kid: expect.any(String), createdAtMs: nowMs, retiresAtMs: nowMs + 60_000, isCurrent: false },
      made,
    ]);
    const young = await door.token({ validForMs });
    expect([await publish(old), await publish(young)]).toEqual([200, 200]);
    door.advance(61_000);
    // One that is remembered as verified is judged anew when the server's upkeep, which runs each second, removes the key.
    expect([await publish(unused), await publish(young)]).toEqual([401, 200]);
    expect(await list()).toEqual([made]);
  });

  it("retire at once with an overlap of 0, and after 25 hours by default", async () => {
    const token = await door.token();
    await rotate({});
    expect((await list())[0]).toMatchObject({ retiresAtMs: nowMs + 25 * 3_600_000 });
    expect(await publish(token)).toBe(200);
    await rotate({ overlapSeconds: 0 });
    expect(await publish(token)).toBe(401);
    expect(await list()).toHaveLength(1);
  });

  it("are for super users, and never shown themselves", async () => {
    const token = await door.token();
    expect((await rotate({}, token))[0]).toBe(403);
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${door.url}/v1/signing-keys`, { headers })).status).toBe(403);
    for (const key of await list()) {
      expect(Object.keys(key).toSorted()).toEqual(["createdAtMs", "isCurrent", "kid", "retiresAtMs"]);
    }
  });

  it.each([[{ overlapSeconds: -1 }], [{ overlapSeconds: 2_592_001 }], [{ overlap: 1 }], [{ overlapSeconds: "1h" }]])(
    "are not replaced with %j",
    async (body) => {
      expect((await rotate(body))[0]).toBe(400);
    },
  );
});
