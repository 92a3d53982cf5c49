import { request } from "node:http";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { follow } from "../../../test/support/sse.ts";
import { limits } from "../../domain/limits.ts";

let door: TestDoor;
const lines: string[] = [];
beforeAll(async () => {
  const log = pino({ level: "debug" }, { write: (line: string) => lines.push(line) });
  door = await anHttpDoor({ log });
});
afterAll(() => door[Symbol.asyncDispose]());

const path = "/v1/topics/c/t";
const json = { "content-type": "application/json" };

interface Issued {
  readonly ticket: string;
  readonly expiresAtMs: number;
  readonly detail: string;
}

async function post(body: unknown, headers: Record<string, string> = {}): Promise<[number, Issued]> {
  const sent = { method: "POST", headers: { ...json, ...headers }, body: JSON.stringify(body) };
  const response = await fetch(`${door.url}/v1/tickets`, sent);
  return [response.status, (await response.json()) as Issued];
}

async function issue(target = path, headers: Record<string, string> = {}): Promise<string> {
  return (await post({ method: "GET", path: target }, headers))[1].ticket;
}

/** Status and code of a GET. */
async function get(target: string, headers: Record<string, string> = {}): Promise<unknown[]> {
  const response = await fetch(door.url + target, { headers });
  const { code, detail } = (await response.json()) as Record<string, string>;
  return code === undefined ? [response.status] : [response.status, code, detail];
}

const refused = (why: string) => [
  401,
  "unauthenticated",
  expect.stringContaining(`this ticket is not accepted: ${why}`),
];

describe("a ticket", () => {
  it("stands for the header of whoever made it, once, whatever else the query says", async () => {
    const authorization = `Bearer ${await door.token()}`;
    const ticket = await issue(`${path}/items`, { authorization });
    expect(await get(`${path}/items?limit=1&ticket=${ticket}`)).toEqual([200]);
    expect(await get(`${path}/items?limit=1&ticket=${ticket}`)).toEqual(refused("it is unknown, has been used"));
  });

  it("opens a stream with the rights of the token that it was made with", async () => {
    const grants = [{ resource: "topic", role: "subscribe", cache: { all: true }, topic: { name: "t" } }] as const;
    const authorization = `Bearer ${await door.token({ grants })}`;
    const stream = await follow(`${door.url}${path}?ticket=${await issue(path, { authorization })}`);
    expect(stream.response.status).toBe(200);
    stream.close();
    const other = await issue("/v1/topics/c/other", { authorization });
    const headers = { accept: "text/event-stream" };
    expect(await get(`/v1/topics/c/other?ticket=${other}`, headers)).toEqual([
      403,
      "permission_denied",
      expect.any(String),
    ]);
  });

  it("opens a stream that ends when that token expires", async () => {
    const authorization = `Bearer ${await door.token({ validForMs: 5000 })}`;
    const stream = await follow(`${door.url}${path}?ticket=${await issue(path, { authorization })}`);
    door.advance(7000);
    expect(await stream.nextData()).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(await stream.next()).toBeUndefined();
  });

  it("is refused when its time is over, at another path, and as HEAD", async () => {
    const late = await issue(`${path}/items`);
    door.advance(limits.ticketMs);
    expect(await get(`${path}/items?ticket=${late}`)).toEqual(refused("it is unknown, has been used, or has expired"));
    const other = await issue(path);
    expect(await get(`${path}/items?ticket=${other}`)).toEqual(refused("it was made for another method or path"));
    const head = await issue(`${path}/items`);
    const response = await fetch(`${door.url}${path}/items?ticket=${head}`, { method: "HEAD" });
    expect(response.status).toBe(401);
  });

  it("cannot be used where something would change", async () => {
    const before = door.caches.list(door.principal).length;
    const sent = { method: "POST", headers: json, body: '{"name": "by-ticket"}' };
    const response = await fetch(`${door.url}/v1/caches?ticket=${await issue("/v1/caches")}`, sent);
    expect([response.status, door.caches.list(door.principal).length]).toEqual([401, before]);
    const again = await fetch(`${door.url}/v1/tickets?ticket=${await issue("/v1/tickets")}`, sent);
    expect(again.status).toBe(401);
  });

  it.each(["", "x", "%00", "x".repeat(10_000)])(
    "is not %j: never the empty credential, never repeated",
    async (text) => {
      const response = await fetch(`${door.url}/v1/caches?ticket=${text}`);
      const answer = await response.text();
      expect([response.status, answer.includes(`ticket=`), answer.includes("xxx")]).toEqual([401, false, false]);
    },
  );

  it("is an error beside a header or another ticket", async () => {
    const ticket = await issue("/v1/caches");
    const both = [400, "invalid_argument", expect.stringContaining("one credential")];
    expect(await get(`/v1/caches?ticket=${ticket}`, { authorization: `Bearer ${await door.token()}` })).toEqual(both);
    expect(await get(`/v1/caches?ticket=${ticket}&ticket=${ticket}`)).toEqual(both);
    expect(await get(`/v1/caches?ticket=${ticket}`)).toEqual([200]);
  });

  it("does not carry the empty credential of dev mode to where that is not accepted", async () => {
    expect((await post({ method: "GET", path }, { origin: "https://evil.example" }))[0]).toBe(401);
    const ticket = await issue("/v1/caches");
    const status = await new Promise((resolve) => {
      // fetch sets Host by itself.
      const { hostname, port } = new URL(door.url);
      const sent = { hostname, port, path: `/v1/caches?ticket=${ticket}`, headers: { host: "rebound.example" } };
      request(sent, (response) => resolve(response.resume().statusCode)).end();
    });
    expect(status).toBe(401);
    const own = await issue("/v1/caches");
    expect((await get(`/v1/caches?ticket=${own}`, { origin: "https://evil.example" }))[0]).toBe(401);
    const authorization = `Bearer ${await door.token()}`;
    const tokens = await issue(`${path}/items`, { authorization });
    expect(await get(`${path}/items?ticket=${tokens}`, { origin: "https://app.example" })).toEqual([200]);
  });

  it.each([
    [{ method: "POST", path }, '"method": '],
    [{ path }, '"method": '],
    [{ method: "GET" }, '"path": '],
    [{ method: "GET", path: "/metrics" }, '"path": must begin with /v1/'],
    [{ method: "GET", path: `${path}?after=1-1` }, '"path": must begin with /v1/ and have no query'],
    [{ method: "GET", path, uses: 2 }, '"uses"'],
  ])("is not made of %j", async (body, detail) => {
    const [status, problem] = await post(body);
    expect([status, problem.detail]).toEqual([400, expect.stringContaining(detail)]);
  });

  it("never reaches the log, not even when the call fails inside", async () => {
    const history = door.topics.history;
    door.topics.history = () => {
      throw new TypeError("it broke");
    };
    const ticket = await issue(`${path}/items`);
    const [status] = await get(`${path}/items?limit=1&ticket=${ticket}&after=1-1`);
    door.topics.history = history;
    expect(status).toBe(500);
    expect(lines.join("")).toContain(`"url":"${path}/items?limit=1&ticket=REDACTED&after=1-1"`);
    expect(lines.join("")).toContain("it broke");
    expect(lines.join("")).not.toContain(ticket);
  });
});
