import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { aConnection, type TestConnection } from "../../../test/support/connections.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import type { Grant } from "../../domain/auth/grants.ts";
import { openPrincipal } from "../../domain/auth/open-access.ts";

let door: TestDoor;
const open: TestConnection[] = [];
beforeAll(async () => {
  door = await anHttpDoor();
});
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
afterAll(() => door[Symbol.asyncDispose]());

function connect(userId: string | undefined, changes: Parameters<typeof aConnection>[2] = {}): TestConnection {
  const one = aConnection(door.connections, userId, changes);
  open.push(one);
  return one;
}

async function call(method: string, path: string, body?: unknown, apiKey?: string) {
  const headers: Record<string, string> = apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` };
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(door.url + path, { method, headers, ...json });
  return { status: response.status, body: response.status === 204 ? undefined : await response.json() };
}

async function aKey(...grants: Grant[]): Promise<string> {
  return (await call("POST", "/v1/keys", { grants })).body.apiKey;
}

describe("POST /v1/notifications", () => {
  it("hands the frame to each connection of the users before it answers, and says whom it reached", async () => {
    const [phone, laptop, bob] = ["alice", "alice", "bob"].map((user) => connect(user));
    const body = { users: ["alice", "nobody", "alice"], data: { a: 1 }, id: "n-1" };
    const answer = await call("POST", "/v1/notifications", body);
    expect([phone, laptop, bob].map((one) => one?.frames)).toEqual([
      ['{"id":"n-1","a":1}'],
      ['{"id":"n-1","a":1}'],
      [],
    ]);
    const numbers = { connections: 2, undelivered: 0, held: 0, offlineUsers: 1 };
    expect(answer).toEqual({ status: 200, body: { ...numbers, id: "n-1" } });
    const stored = await door.queueMessages.peek(openPrincipal, "offline", 0, 10);
    expect(stored.map((message) => message.body)).toEqual(['{"user_id":"nobody","data":{"a":1},"id":"n-1"}']);
  });

  it("counts those who do not read, and those who were here a moment ago", async () => {
    connect("carol").takes = false;
    connect("dave").close();
    const { body } = await call("POST", "/v1/notifications", { users: ["carol", "dave"], data: 1 });
    expect(body).toEqual({ connections: 0, undelivered: 1, held: 1, offlineUsers: 0 });
  });

  it("reaches everybody but the excluded when it names nobody", async () => {
    const [erin, frank, stranger] = ["erin", "frank", undefined].map((user) => connect(user));
    await call("POST", "/v1/notifications", { users: null, exclude_users: ["erin"], data: "all" });
    expect([erin, frank, stranger].map((one) => one?.frames)).toEqual([[], ['"all"'], []]);
  });

  it.each([
    [{ users: ["a"] }, 400, '"data"'],
    [{ users: "a", data: 1 }, 400, '"users"'],
    [{ users: [7], data: 1 }, 400, '"users.0"'],
    [{ user: ["a"], data: 1 }, 400, "user"],
    [{ data: "a", id: "n-1" }, 400, "id needs data that is an object"],
    [{ data: "a".repeat(131_071) }, 413, "data has 131073 bytes as a frame; must be <= 131072"],
  ])("is refused when it is not as it must be: %#", async (body, status, detail) => {
    const answer = await call("POST", "/v1/notifications", body);
    expect(answer).toMatchObject({ status, body: { detail: expect.stringContaining(detail) } });
  });

  it("needs the right to send notifications", async () => {
    const [sender, other] = [
      await aKey({ resource: "notification", role: "send" }),
      await aKey({ resource: "connection", role: "read-write", user: { all: true } }),
    ];
    expect((await call("POST", "/v1/notifications", { data: 1 }, sender)).status).toBe(200);
    expect((await call("POST", "/v1/notifications", { data: 1 }, other)).status).toBe(403);
  });
});

describe("users", () => {
  it("are listed in pages, first come first", async () => {
    for (const user of ["u-1", "u-2", "u-2", "u-3"]) connect(user);
    const key = await aKey({ resource: "connection", role: "read", user: { prefix: "u-" } });
    const first = await call("GET", "/v1/users?connected=true&limit=2", undefined, key);
    expect(first.body).toEqual({
      users: [
        { userId: "u-1", connections: 1, onlineSinceMs: expect.any(Number) },
        { userId: "u-2", connections: 2, onlineSinceMs: expect.any(Number) },
      ],
      cursor: expect.any(String),
    });
    const next = await call("GET", `/v1/users?connected=true&limit=2&cursor=${first.body.cursor}`, undefined, key);
    expect(next.body).toEqual({ users: [{ userId: "u-3", connections: 1, onlineSinceMs: expect.any(Number) }] });
  });

  it.each([
    "",
    "?connected=false",
    "?connected=true&limit=0",
    "?connected=true&limit=1001",
    "?connected=true&cursor=x",
  ])("are not listed for /v1/users%s", async (query) => {
    expect(await call("GET", `/v1/users${query}`)).toMatchObject({ status: 400, body: { code: "invalid_argument" } });
  });

  it("have a presence, be they known or not", async () => {
    connect("grace");
    await door.presence.runOnce(Date.now());
    const known = await call("GET", "/v1/users/grace");
    expect(known.body).toEqual({
      userId: "grace",
      status: "ONLINE",
      seq: expect.any(Number),
      atMs: expect.any(Number),
    });
    expect(known.body.seq).toBeGreaterThan(0);
    const unknown = await call("GET", "/v1/users/never%20seen");
    expect(unknown.body).toEqual({ userId: "never seen", status: "OFFLINE", seq: 0 });
  });

  it("are seen by those who may watch their presence or see their connections, and by nobody else", async () => {
    const watcher = await aKey({ resource: "presence", role: "watch", user: { name: "grace" } });
    const reader = await aKey({ resource: "connection", role: "read", user: { name: "grace" } });
    for (const key of [watcher, reader]) {
      expect((await call("GET", "/v1/users/grace", undefined, key)).status).toBe(200);
      expect((await call("GET", "/v1/users/heidi", undefined, key)).status).toBe(403);
    }
    expect((await call("GET", "/v1/users/grace/connections", undefined, reader)).status).toBe(200);
    expect((await call("GET", "/v1/users/grace/connections", undefined, watcher)).status).toBe(403);
  });
});

describe("connections", () => {
  it("are listed, of one user and of all", async () => {
    const one = connect("ivan", { path: "/push", userAgent: "agent/1" });
    connect("judy");
    const { body } = await call("GET", "/v1/users/ivan/connections");
    expect(body.connections).toEqual([
      {
        ...{
          connectionId: one.connection.id,
          userId: "ivan",
          path: "/push",
          address: "127.0.0.1",
          userAgent: "agent/1",
        },
        ...{ connectedAtMs: expect.any(Number), lastActiveAtMs: expect.any(Number) },
      },
    ]);
    const all = await call("GET", "/v1/connections?limit=1");
    expect([all.body.connections.length, all.body.cursor]).toEqual([1, expect.any(String)]);
  });

  it("are ended by user, token id and connection, with the advice that was asked for", async () => {
    const [kim, byToken, byId] = [connect("kim"), connect("leo", { tokenId: "t-1" }), connect("leo")];
    const kick = (body: object) => call("POST", "/v1/connections/kick", body);
    expect((await kick({ userId: "kim", reconnect: false, reason: "abuse" })).body).toEqual({ kicked: 1 });
    expect((await kick({ tokenId: "t-1", afterMs: 5000 })).body).toEqual({ kicked: 1 });
    expect((await kick({ connectionId: byId.connection.id })).body).toEqual({ kicked: 1 });
    expect([kim, byToken, byId].map(({ ended }) => ended)).toEqual([
      { reason: "abuse", reconnect: false },
      { reason: "kicked", reconnect: true, afterMs: 5000 },
      { reason: "kicked", reconnect: true },
    ]);
    expect((await kick({ userId: "nobody" })).body).toEqual({ kicked: 0 });
  });

  it("are all ended at once, and one by its address", async () => {
    const both = [connect("mia"), connect(undefined)];
    expect((await call("POST", "/v1/connections/kick", { everyone: true })).body).toEqual({ kicked: 2 });
    expect(both.map(({ ended }) => ended?.reconnect)).toEqual([true, true]);
    const one = connect("mia");
    expect((await call("DELETE", `/v1/connections/${encodeURIComponent(one.connection.id)}`)).status).toBe(204);
    expect(one.ended).toEqual({ reason: "kicked", reconnect: true });
    expect(await call("DELETE", "/v1/connections/unknown%3D")).toMatchObject({ status: 404 });
  });

  it.each([
    {},
    { userId: "a", tokenId: "t" },
    { everyone: false },
    { userId: "a", afterMs: -1 },
    { userId: "a", reason: "" },
  ])("are not ended by %j", async (body) => {
    expect(await call("POST", "/v1/connections/kick", body)).toMatchObject({ status: 400 });
  });

  it("are ended by those alone who may", async () => {
    const [reader, ofOne] = [
      await aKey({ resource: "connection", role: "read", user: { all: true } }),
      await aKey({ resource: "connection", role: "read-write", user: { name: "nina" } }),
    ];
    const nina = connect("nina");
    const kick = async (body: object, key: string) => (await call("POST", "/v1/connections/kick", body, key)).status;
    expect(await kick({ userId: "nina" }, reader)).toBe(403);
    expect(await kick({ everyone: true }, ofOne)).toBe(403);
    expect(await kick({ userId: "oscar" }, ofOne)).toBe(403);
    expect(nina.ended).toBeUndefined();
    expect(await kick({ userId: "nina" }, ofOne)).toBe(200);
    expect(nina.ended).toBeDefined();
  });
});
