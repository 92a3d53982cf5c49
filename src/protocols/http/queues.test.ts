import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
// To open a door for each test takes longer than most of them.
afterEach(async () => {
  const names = (await call("GET", "")).json.queues.map(({ name }: { name: string }) => name);
  for (const name of names) await call("PATCH", `/${name}`, { deadLetter: null });
  for (const name of names) expect((await call("DELETE", `/${name}`)).status).toBe(204);
});
afterAll(() => door[Symbol.asyncDispose]());

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(`${door.url}/v1/queues${path}`, { method, ...sent, headers: { ...type, ...headers } });
  const text = await response.text();
  return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
}

describe("/v1/queues", () => {
  it("creates, shows, lists, changes and deletes queues, in seconds down to a millisecond", async () => {
    const defaults = {
      visibilitySeconds: 30,
      delaySeconds: 0,
      retentionSeconds: 345_600,
      waitSeconds: 0,
      messageMaxBytes: 262_144,
      createdAtMs: expect.any(Number),
      modifiedAtMs: expect.any(Number),
    };
    expect(await call("POST", "", { name: "dead" })).toEqual({ status: 201, json: { name: "dead", ...defaults } });
    const settings = {
      visibilitySeconds: 1.001,
      delaySeconds: 0.029,
      retentionSeconds: 60,
      waitSeconds: 0.5,
      messageMaxBytes: 1024,
      deadLetter: { queue: "dead", maxReceives: 3 },
      deadLetterSources: [],
      tags: { team: "a", stage: "b" },
    };
    const created = await call("POST", "", { name: "orders", ...settings });
    expect(created).toEqual({ status: 201, json: { name: "orders", ...defaults, ...settings } });
    expect((await call("GET", "")).json).toEqual({ queues: [{ name: "dead", ...defaults }, created.json] });
    expect(await call("GET", "/orders")).toEqual({
      status: 200,
      json: { ...created.json, messages: { ready: 0, delayed: 0, inFlight: 0 }, bytes: 0 },
    });
    const { deadLetter: _, deadLetterSources: __, ...rest } = created.json;
    const nothing = { deadLetter: null, deadLetterSources: null, tags: { stage: null } };
    expect(await call("PATCH", "/orders", { delaySeconds: 2, ...nothing })).toEqual({
      status: 200,
      json: { ...rest, delaySeconds: 2, tags: { team: "a" }, modifiedAtMs: expect.any(Number) },
    });
    expect((await call("DELETE", "/orders")).status).toBe(204);
    expect(await call("GET", "/orders")).toMatchObject({ status: 404, json: { code: "not_found" } });
  });

  it("shows how much lies in a queue, and drops it all", async () => {
    await call("POST", "", { name: "q" });
    await call("POST", "/q/send", { messages: [{ body: "a" }, { body: "b" }, { body: "c", delaySeconds: 5 }] });
    await call("POST", "/q/receive", {});
    expect((await call("GET", "/q")).json).toMatchObject({
      messages: { ready: 1, delayed: 1, inFlight: 1 },
      bytes: expect.any(Number),
      oldestAtMs: expect.any(Number),
    });
    expect((await call("POST", "/q/purge")).status).toBe(204);
    expect((await call("GET", "/q")).json).toMatchObject({ messages: { ready: 0, delayed: 0, inFlight: 0 }, bytes: 0 });
  });

  it("redrives dead letters", async () => {
    await call("POST", "", { name: "dead" });
    await call("POST", "", { name: "q", visibilitySeconds: 1, deadLetter: { queue: "dead", maxReceives: 1 } });
    await call("POST", "/q/send", { body: "a" });
    for (let tries = 0; tries < 2; tries++) {
      await call("POST", "/q/receive", {});
      door.advance(1000);
    }
    const [letter] = (await call("POST", "/dead/peek", {})).json.messages;
    expect(letter.deadLetter).toEqual({ queue: "q", receiveCount: 1, movedAtMs: expect.any(Number) });
    expect(await call("POST", "/dead/redrive", {})).toEqual({ status: 200, json: { moved: 1, remaining: 0 } });
    expect((await call("POST", "/q/receive", {})).json.messages).toMatchObject([{ body: "a", receiveCount: 1 }]);
  });

  it.each([
    ["POST", "", { name: "q" }, 409, 'queue "q" exists already'],
    ["POST", "", { name: "a b" }, 400, 'queue name "a b" must be of the characters'],
    ["POST", "", { name: "r", visibilitySeconds: 43_201 }, 400, '"visibilitySeconds": '],
    ["POST", "", { name: "r", delaySeconds: 0.0005 }, 400, '"delaySeconds": '],
    ["POST", "", { name: "r", fifo: true }, 400, "fifo"],
    ["POST", "", { name: "r", deadLetter: { queue: "none", maxReceives: 1 } }, 400, '"none" does not exist'],
    ["PATCH", "/q", { name: "r" }, 400, "name"],
    ["PATCH", "/none", {}, 404, 'queue "none" does not exist'],
    ["DELETE", "/dead", undefined, 409, 'queue "dead" is the dead-letter queue of "q"'],
    ["POST", "/none/purge", undefined, 404, 'queue "none" does not exist'],
    ["POST", "/dead/redrive", { maxMessages: 10_001 }, 400, '"maxMessages": '],
    ["PUT", "/q", {}, 405, "allowed: GET, HEAD, PATCH, DELETE, OPTIONS"],
  ])("%s %j %j is refused with %i", async (method, path, body, status, detail) => {
    await call("POST", "", { name: "dead" });
    await call("POST", "", { name: "q", deadLetter: { queue: "dead", maxReceives: 1 } });
    expect(await call(method, path, body)).toMatchObject({ status, json: { detail: expect.stringContaining(detail) } });
  });

  it("shows a token what it may see, and keeps the rest for super users", async () => {
    for (const name of ["a", "b"]) await call("POST", "", { name });
    const token = await door.token({ grants: [{ resource: "queue", role: "send", queue: { name: "b" } }] });
    const headers = { authorization: `Bearer ${token}` };
    expect((await call("GET", "", undefined, headers)).json.queues).toMatchObject([{ name: "b" }]);
    expect((await call("GET", "/b", undefined, headers)).status).toBe(200);
    for (const [method, path, body] of [
      ["GET", "/a"],
      ["POST", "", { name: "c" }],
      ["PATCH", "/b", {}],
      ["DELETE", "/b"],
      ["POST", "/b/purge"],
      ["POST", "/b/redrive", {}],
      ["POST", "/b/receive", {}],
      ["POST", "/a/send", { body: "x" }],
    ] as const) {
      expect(await call(method, path, body, headers)).toMatchObject({
        status: 403,
        json: { code: "permission_denied" },
      });
    }
    expect((await call("POST", "/b/send", { body: "x" }, headers)).status).toBe(200);
  });
});
