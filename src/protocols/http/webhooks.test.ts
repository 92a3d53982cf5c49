import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

type Answer = readonly [status: number, body: unknown];

async function call(method: string, path: string, body?: unknown, credential?: string): Promise<Answer> {
  const headers: Record<string, string> = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${door.url}/v1/webhooks${path}`, { method, headers, ...sent });
  const text = await response.text();
  return [response.status, text === "" ? undefined : JSON.parse(text)];
}

const url = "http://127.0.0.1:9/hook?key=1";
const request = { topic: "t", url };
const secretPattern = /^whsec_[A-Za-z0-9+/]{43}=$/;
const problem = (code: string, detail: string) => expect.objectContaining({ code, detail });

describe("webhooks", () => {
  it("are made, changed, read, listed and deleted", async () => {
    const webhook = { cache: "c", name: "w", topic: "t", url, ordered: true, createdAtMs: expect.any(Number) };
    const made = await call("PUT", "/c/w", request);
    expect(made).toEqual([201, { webhook, secret: expect.stringMatching(secretPattern) }]);
    const { secret } = made[1] as { secret: string };
    expect(await call("PUT", "/c/w", { ...request, ordered: false })).toEqual([
      200,
      { webhook: { ...webhook, ordered: false }, secret },
    ]);
    expect(await call("PUT", "/c/w", request)).toEqual([200, { webhook: { ...webhook, ordered: false }, secret }]);
    const counters = { delivered: 0, failures: 0, dead: 0, replayed: 0, dropped: 0, missed: 0 };
    expect(await call("GET", "/c/w")).toEqual([
      200,
      {
        ...{ ...webhook, ordered: false, circuit: "closed", counters },
        cursor: expect.stringMatching(/^\d+-0$/),
        deadLetters: { count: 0, bytes: 0, replaying: 0 },
      },
    ]);
    const listed = [200, { webhooks: [{ ...webhook, ordered: false }] }];
    expect(await call("GET", "")).toEqual(listed);
    expect(await call("GET", "?cache=c")).toEqual(listed);
    expect(await call("DELETE", "/c/w")).toEqual([204, undefined]);
    expect(await call("GET", "")).toEqual([200, { webhooks: [] }]);
  });

  it("may have any name that is percent-encoded in the address", async () => {
    for (const name of ["a/b c", "%2e", "schlüssel?x=1#y"]) {
      const path = `/c/${encodeURIComponent(name)}`;
      expect((await call("PUT", path, request))[0]).toBe(201);
      expect(await call("GET", path)).toEqual([200, expect.objectContaining({ name })]);
      expect((await call("DELETE", path))[0]).toBe(204);
    }
  });

  it("show their secret to the calls that are for it, and to no other", async () => {
    const [, { secret }] = (await call("PUT", "/c/hush", request)) as [number, { secret: string }];
    expect(await call("GET", "/c/hush/secret")).toEqual([200, { secret }]);
    const rotated = await call("POST", "/c/hush/rotate", { overlapSeconds: 60 });
    expect(rotated).toEqual([200, { secret: expect.stringMatching(secretPattern) }]);
    const next = (rotated[1] as { secret: string }).secret;
    expect(next).not.toBe(secret);
    expect(await call("GET", "/c/hush/secret")).toEqual([200, { secret: next }]);
    const others = await Promise.all(
      ["", "?cache=c", "/c/hush", "/c/hush/deliveries", "/c/hush/failures", "/c/hush/dead-letters"].map((path) =>
        call("GET", path),
      ),
    );
    expect(others.map(([status]) => status)).toEqual(others.map(() => 200));
    expect(JSON.stringify([...others, await call("POST", "/c/hush/pause")])).not.toMatch(/whsec/);
    await call("DELETE", "/c/hush");
  });

  it("are paused and resumed", async () => {
    await call("PUT", "/c/w", request);
    const paused = { reason: "asked", atMs: expect.any(Number) };
    expect(await call("POST", "/c/w/pause")).toEqual([200, expect.objectContaining({ name: "w", paused })]);
    expect(await call("GET", "/c/w")).toEqual([200, expect.objectContaining({ paused })]);
    expect(await call("POST", "/c/w/resume")).toEqual([200, expect.not.objectContaining({ paused })]);
    await call("DELETE", "/c/w");
  });

  it("that are not there are a 404 that names them, for every call but PUT", async () => {
    for (const [method, path, body] of [
      ["GET", ""],
      ["DELETE", ""],
      ["GET", "/secret"],
      ["POST", "/rotate", {}],
      ["POST", "/pause"],
      ["POST", "/resume"],
      ["POST", "/test"],
      ["GET", "/deliveries"],
      ["GET", "/failures"],
      ["GET", "/dead-letters"],
      ["DELETE", "/dead-letters"],
      ["POST", "/dead-letters/replay", {}],
    ] as const) {
      const [status, answer] = await call(method, `/c/nowhere${path}`, body);
      expect([status, answer], `${method} ${path}`).toEqual([
        404,
        problem("not_found", 'webhook "nowhere" of cache "c" does not exist'),
      ]);
    }
  });

  it("of a cache that is not there are a 404 that names the cache", async () => {
    for (const answer of [await call("PUT", "/nowhere/w", request), await call("GET", "?cache=nowhere")]) {
      expect(answer).toEqual([404, problem("not_found", 'cache "nowhere" does not exist')]);
    }
  });

  it("are refused with a field that is wrong, missing or unknown", async () => {
    for (const [body, detail] of [
      [{ url }, /^"topic": /],
      [{ topic: "t" }, /^"url": /],
      [{ ...request, ordered: "yes" }, /^"ordered": /],
      [{ ...request, secret: "whsec_mine" }, /secret/],
      [{ topic: "t", url: "ftp://receiver.example/" }, /http/],
      [{ topic: "t", url: "http://user:pass@receiver.example/" }, /user/],
      [{ topic: "", url }, /topic name/],
    ] as const) {
      expect(await call("PUT", "/c/w", body)).toEqual([
        400,
        problem("invalid_argument", expect.stringMatching(detail) as unknown as string),
      ]);
    }
    expect((await call("POST", "/c/w/rotate", { overlapSeconds: 604_801 }))[0]).toBe(400);
    expect((await call("POST", "/c/w/rotate", { overlapSeconds: -1 }))[0]).toBe(400);
  });

  it("are refused to a token, and to a key without the grant", async () => {
    await call("PUT", "/c/w", request);
    const token = await door.token();
    for (const [method, path, body] of [
      ["PUT", "/c/w", request],
      ["GET", ""],
      ["GET", "/c/w"],
      ["GET", "/c/w/secret"],
      ["GET", "/c/w/failures"],
      ["POST", "/c/w/test"],
      ["DELETE", "/c/w"],
    ] as const) {
      const answer = await call(method, path, body, token);
      expect(answer, `${method} ${path}`).toEqual([
        403,
        problem("permission_denied", expect.stringContaining("webhook")),
      ]);
    }
    await call("DELETE", "/c/w");
  });
});
