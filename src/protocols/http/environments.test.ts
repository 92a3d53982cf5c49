import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownOf } from "../../../test/support/built-ins.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

/** Status and JSON. Without `apiKey` it is the operator of dev mode, whose environment is `dev`. */
async function call(method: string, path: string, body?: unknown, apiKey?: string) {
  const response = await fetch(door.url + path, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: response.status === 204 ? undefined : await response.json() };
}

describe("/v1/environments", () => {
  it("makes an environment with a key of its own, which acts in it and nowhere else", async () => {
    const { status, json } = await call("POST", "/v1/environments", { name: "FEAT-ABP-1734" });
    const { key, ...environment } = json;
    expect([status, environment]).toEqual([
      201,
      { name: "FEAT-ABP-1734", createdAtMs: expect.any(Number), secretsFrom: [], settings: {}, state: "live" },
    ]);
    expect(key).toMatchObject({ keyId: expect.stringMatching(/^FEAT-ABP-1734-/), superUser: true, operator: false });
    expect((await call("GET", "/v1/environment", undefined, key.apiKey)).json).toEqual({
      ...{ name: "FEAT-ABP-1734", settings: {} },
    });
    expect((await call("GET", "/v1/environment")).json).toEqual({ name: "dev", settings: {} });
    expect(ownOf((await call("GET", "/v1/caches", undefined, key.apiKey)).json.caches)).toEqual([]);
    expect((await call("GET", "/v1/environments", undefined, key.apiKey)).status).toBe(403);
    expect((await call("POST", "/v1/environments", { name: "X" }, key.apiKey)).status).toBe(403);
    expect((await call("DELETE", "/v1/environments/FEAT-ABP-1734", undefined, key.apiKey)).status).toBe(403);
    expect((await call("POST", "/v1/environments/dev/keys", { superUser: true }, key.apiKey)).status).toBe(403);
    expect((await call("POST", "/v1/environments", { name: "FEAT-ABP-1734" })).json.code).toBe("already_exists");
    const { environments } = (await call("GET", "/v1/environments")).json;
    expect(environments.map(({ name }: { name: string }) => name)).toEqual(["FEAT-ABP-1734", "dev"]);
  });

  it("destroys it: its key is refused from then on, also when the name is used again", async () => {
    const { key } = (await call("POST", "/v1/environments", { name: "short" })).json;
    await call("POST", "/v1/caches", { name: "mine" }, key.apiKey);
    expect((await call("DELETE", "/v1/environments/short")).status).toBe(204);
    expect((await call("GET", "/v1/caches", undefined, key.apiKey)).status).toBe(401);
    expect((await call("DELETE", "/v1/environments/short")).json.code).toBe("not_found");
    const again = (await call("POST", "/v1/environments", { name: "short" })).json;
    expect((await call("GET", "/v1/caches", undefined, key.apiKey)).status).toBe(401);
    expect(ownOf((await call("GET", "/v1/caches", undefined, again.key.apiKey)).json.caches)).toEqual([]);
    expect((await call("DELETE", "/v1/environments/dev")).json).toMatchObject({ code: "failed_precondition" });
  });

  it("ends the open streams and the tokens of an environment that is destroyed", async () => {
    const { key } = (await call("POST", "/v1/environments", { name: "streams" })).json;
    await call("POST", "/v1/caches", { name: "c" }, key.apiKey);
    const grants = [{ resource: "topic", role: "publish-subscribe", cache: { all: true }, topic: { all: true } }];
    const { token } = (await call("POST", "/v1/tokens", { grants, validForSeconds: 60 }, key.apiKey)).json;
    const stream = await fetch(`${door.url}/v1/topics/c/t`, {
      headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" },
    });
    expect(stream.status).toBe(200);
    await call("DELETE", "/v1/environments/streams");
    const text = await stream.text(); // it comes to its end
    expect(text).toContain("event: error");
    expect(text).toContain('"code":"unauthenticated"');
    await call("POST", "/v1/environments", { name: "streams" });
    expect((await call("POST", "/v1/topics/c/t", { text: "x" }, token)).status).toBe(401);
  });

  it("copies from another, and its settings hold for what is published and created in it", async () => {
    await call("POST", "/v1/queues", { name: "jobs" });
    const settings = { messageMaxBytes: 3, cacheDurability: "memory" };
    const { json } = await call("POST", "/v1/environments", { name: "copy", from: "dev", settings });
    const { apiKey } = json.key;
    expect(json).toMatchObject({ copiedFrom: "dev", settings });
    expect(ownOf((await call("GET", "/v1/queues", undefined, apiKey)).json.queues)).toMatchObject([{ name: "jobs" }]);
    expect(ownOf((await call("GET", "/v1/caches", undefined, apiKey)).json.caches)).toMatchObject([{ name: "c" }]);
    expect((await call("POST", "/v1/topics/c/t", { text: "abc" }, apiKey)).status).toBe(200);
    expect((await call("POST", "/v1/topics/c/t", { text: "abcd" }, apiKey)).status).toBe(413);
    expect((await call("POST", "/v1/topics/c/t", { text: "abcd" })).status).toBe(200);
    expect((await call("POST", "/v1/caches", { name: "n" }, apiKey)).json).toMatchObject({ durability: "memory" });
    const changed = await call("PATCH", "/v1/environments/copy", { settings: { messageMaxBytes: 1_048_576 } });
    expect(changed.json.settings).toEqual({ messageMaxBytes: 1_048_576, cacheDurability: "memory" });
    const large = { text: "\u0001".repeat(1_048_576) }; // six bytes each in JSON
    expect((await call("POST", "/v1/topics/c/t", large, apiKey)).status).toBe(200);
    expect((await call("POST", "/v1/topics/c/t", large)).status).toBe(413);
    const reset = await call("PATCH", "/v1/environments/copy", { settings: { messageMaxBytes: null } });
    expect(reset.json.settings).toEqual({ cacheDurability: "memory" });
  });

  it("lets an operator make keys of any environment that is there", async () => {
    await call("POST", "/v1/environments", { name: "keys" });
    const made = await call("POST", "/v1/environments/keys/keys", { superUser: true, validForSeconds: 600 });
    expect(made.status).toBe(201);
    expect((await call("GET", "/v1/environment", undefined, made.json.apiKey)).json.name).toBe("keys");
    expect((await call("POST", "/v1/environments/nothing/keys", { superUser: true })).json.code).toBe("not_found");
  });

  it.each([
    ["POST", "/v1/environments", { name: "a_b" }, 'environment name \\"a_b\\" must be of the characters'],
    ["POST", "/v1/environments", { name: "n", colour: 1 }, "colour"],
    ["POST", "/v1/environments", { name: "n", settings: { messageMaxBytes: 0 } }, "settings.messageMaxBytes"],
    ["POST", "/v1/environments", { name: "n", secretsFrom: ["nothing"] }, "secretsFrom"],
    ["PATCH", "/v1/environments/dev", { settings: { cacheDurability: "tape" } }, "settings.cacheDurability"],
  ])("answers 400 to %s %s %j", async (method, path, body, text) => {
    const { status, json } = await call(method, path, body);
    expect([status, JSON.stringify(json)]).toEqual([400, expect.stringContaining(text)]);
  });
});
