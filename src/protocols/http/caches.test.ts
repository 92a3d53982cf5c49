import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

async function call(method: string, path: string, body?: unknown): Promise<[number, unknown]> {
  const sent =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const response = await fetch(`${door.url}/v1/caches${path}`, { method, ...sent });
  const text = await response.text();
  return [response.status, text === "" ? undefined : JSON.parse(text)];
}

describe("caches", () => {
  it("have the reserved one, which is published to like any other and cannot be deleted", async () => {
    expect(await call("DELETE", "/events")).toEqual([
      409,
      expect.objectContaining({ code: "failed_precondition", detail: expect.stringContaining("built in") }),
    ]);
    const headers = { "content-type": "application/json" };
    const publish = { method: "POST", headers, body: JSON.stringify({ text: "x" }) };
    expect((await fetch(`${door.url}/v1/topics/events/messages`, publish)).status).toBe(200);
    expect(await call("POST", "/events/flush")).toEqual([204, undefined]);
  });

  it("are created, listed by name, flushed and deleted", async () => {
    const created = { name: "b", durability: "disk", createdAtMs: expect.any(Number) };
    expect(await call("POST", "", { name: "b" })).toEqual([201, created]);
    expect(await call("POST", "", { name: "a", durability: "memory" })).toEqual([
      201,
      { ...created, name: "a", durability: "memory" },
    ]);
    const [status, list] = await call("GET", "");
    expect([status, (list as { caches: { name: string }[] }).caches.map((cache) => cache.name)]).toEqual([
      200,
      ["a", "b", "c", "events"],
    ]);
    expect(await call("POST", "/b/flush")).toEqual([204, undefined]);
    expect(await call("DELETE", "/b")).toEqual([204, undefined]);
    expect((await call("DELETE", "/b"))[0]).toBe(404);
    expect((await call("POST", "/b/flush"))[0]).toBe(404);
  });

  it.each([
    [{ name: "c" }, 409, "already_exists"],
    [{ name: "" }, 400, "invalid_argument"],
    [{ name: "x", durability: "tape" }, 400, "invalid_argument"],
    [{}, 400, "invalid_argument"],
    [{ name: "x".repeat(20_000) }, 413, "limit_exceeded"],
  ])("refuses %j", async (body, status, code) => {
    expect(await call("POST", "", body)).toEqual([status, expect.objectContaining({ code, status })]);
  });

  it("refuses to flush by a form", async () => {
    const response = await fetch(`${door.url}/v1/caches/c/flush`, {
      method: "POST",
      body: new URLSearchParams({ a: "b" }),
    });
    expect(response.status).toBe(415);
  });

  it("shows a token only the caches it may touch", async () => {
    const token = await door.token({
      grants: [{ resource: "cache", role: "read", cache: { name: "c" }, key: { all: true } }],
    });
    const headers = { authorization: `Bearer ${token}` };
    await call("POST", "", { name: "hidden" });
    const list = await (await fetch(`${door.url}/v1/caches`, { headers })).json();
    expect(list).toEqual({ caches: [expect.objectContaining({ name: "c" })] });
    expect((await fetch(`${door.url}/v1/caches/c`, { method: "DELETE", headers })).status).toBe(403);
  });
});
