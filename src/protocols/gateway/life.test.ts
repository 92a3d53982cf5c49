// How connections end, and what they are told before.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SettableMachine } from "../../../test/support/clock.ts";
import { connect, type GatewayClient, refusal, socketUrl } from "../../../test/support/gateway.ts";
import { aServer } from "../../../test/support/server.ts";
import { configSchema } from "../../config/schema.ts";
import { limits } from "../../domain/limits.ts";

const machine = new SettableMachine();
const gateway = { idleSeconds: 600, lifeSeconds: 7200, heartbeatSeconds: 30 };
let server: Awaited<ReturnType<typeof aServer>>;
const at = (path: string) => socketUrl(server, path);

beforeAll(async () => {
  server = await aServer({ gateway }, { machineClocks: machine });
});
afterAll(() => server[Symbol.asyncDispose]());

async function call(method: string, path: string, body?: object, credential?: string) {
  const authorization = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  const response = await fetch(server.url + path, {
    ...{ method, headers: { "content-type": "application/json", ...authorization } },
    ...(body && { body: JSON.stringify(body) }),
  });
  return response.status === 204 ? {} : await response.json();
}

const grants = [{ resource: "route", role: "invoke", route: { all: true } }];
const tokenFor = async (userId: string, validForSeconds = 600): Promise<string> =>
  (await call("POST", "/v1/tokens", { grants, userId, validForSeconds })).token;
const pinged = (client: GatewayClient) => new Promise((resolve) => client.socket.once("ping", resolve));

describe("a connection over which nothing goes", () => {
  it("is closed with 1001 after idleSeconds, though its client answers our pings", async () => {
    const client = await connect(at("/push?user=alice"));
    const ping = pinged(client);
    machine.pass(598_000);
    await ping;
    machine.pass(4000);
    expect(await client.closed).toEqual([1001, "Going away"]);
  });

  it("stays when its client says something, by a ping of its own too", async () => {
    const client = await connect(at("/push?user=alice"));
    for (const say of [() => client.send({ action: "ping" }), () => client.socket.ping()]) {
      const ping = pinged(client);
      machine.pass(598_000);
      await ping;
      const answered = new Promise((resolve) => client.socket.once("pong", resolve));
      say();
      await Promise.race([answered, client.ofType("pong")]);
    }
    machine.pass(4000);
    expect(await client.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    await client.close();
  });

  it("stays when something is sent to it", async () => {
    const client = await connect(at("/push?user=alice"));
    const ping = pinged(client);
    machine.pass(598_000);
    await ping;
    const data = { type: "news" };
    expect(await call("POST", "/v1/notifications", { users: ["alice"], data })).toMatchObject({ connections: 1 });
    await client.ofType("news");
    machine.pass(4000);
    expect(await client.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    await client.close();
  });
});

it("a connection is closed with 1001 after lifeSeconds, whatever goes over it", async () => {
  const client = await connect(at("/push?user=alice"));
  for (let n = 0; n < 15; n++) {
    const ping = pinged(client);
    machine.pass(450_000);
    await ping;
    await client.ask({ action: "ping" });
  }
  machine.pass(451_000);
  expect(await client.closed).toEqual([1001, "Going away"]);
});

it("a client that is gone though nothing said so is cut after two pings without an answer (B12)", async () => {
  const client = await connect(at("/push?user=ghost"), { autoPong: false });
  for (let n = 0; n < limits.gateway.pingsMax; n++) {
    const ping = pinged(client);
    machine.pass(32_000);
    await ping;
  }
  machine.pass(32_000);
  expect((await client.closed)[0]).toBe(1006);
  await expect.poll(async () => (await call("GET", "/v1/users/ghost/connections")).connections).toEqual([]);
});

describe("the end of a credential", () => {
  it("is told a minute before, and closes with 4401 (B10)", async () => {
    const client = await connect(at(`/push?token=${await tokenFor("alice", 300)}`));
    machine.pass(235_000);
    expect(await client.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    machine.pass(6000);
    const warning = await client.ofType("auth.expiring");
    expect(warning).toEqual({ type: "auth.expiring", expiresAtMs: expect.any(Number), inMs: expect.any(Number) });
    expect(warning.inMs).toBeLessThanOrEqual(60_000);
    machine.pass(61_000);
    expect(await client.closed).toEqual([4401, "this token has expired"]);
    expect(client.frames.filter(({ type }) => type === "auth.expiring")).toHaveLength(1);
  });

  it("is told when half of it is over, if that is sooner", async () => {
    const client = await connect(at(`/push?token=${await tokenFor("alice", 40)}`));
    machine.pass(21_000);
    expect((await client.ofType("auth.expiring")).inMs).toBeLessThanOrEqual(20_000);
    machine.pass(21_000);
    expect((await client.closed)[0]).toBe(4401);
  });

  it("by revocation closes at once", async () => {
    const client = await connect(at(`/push?token=${await tokenFor("revoked")}`));
    await call("POST", "/v1/revocations", { userId: "revoked" });
    expect(await client.closed).toEqual([4401, "this token was revoked"]);
  });

  it("by the destruction of its environment closes", async () => {
    const { key } = await call("POST", "/v1/environments", { name: "short" });
    const client = await connect(at(`/push?token=${key.apiKey}`));
    await call("DELETE", "/v1/environments/short");
    expect((await client.closed)[0]).toBe(4401);
  });
});

describe("a kick", () => {
  it("that lets nobody back says so, and closes with 4410", async () => {
    const client = await connect(at("/push?user=kicked"));
    await call("POST", "/v1/connections/kick", { userId: "kicked", reconnect: false, reason: "banned" });
    expect(await client.closed).toEqual([4410, "banned"]);
    expect(client.frames).toEqual([{ type: "disconnect", reason: "banned", reconnect: false }]);
  });

  it("that lets them back says when, and closes with 4503", async () => {
    const client = await connect(at("/push?user=kicked"));
    await call("POST", "/v1/connections/kick", { userId: "kicked", afterMs: 5000, reason: "moved" });
    expect(await client.closed).toEqual([4503, "moved"]);
    expect(client.frames).toEqual([{ type: "disconnect", reason: "moved", reconnect: true, afterMs: 5000 }]);
  });

  it("is told with its own code to a client whose outbox has no room", async () => {
    const settings = (more: object) =>
      configSchema.parse({ dataDir: server.dataDir, gateway: { ...gateway, ...more } });
    await server.reload(settings({ outboxMaxBytes: 32 * 1024 * 1024 }));
    const client = await connect(at("/push?user=full"));
    client.socket.pause();
    const data = { type: "large", text: "x".repeat(120_000) };
    for (let n = 0; n < 150; n++) await call("POST", "/v1/notifications", { users: ["full"], data });
    await server.reload(settings({}));
    await call("POST", "/v1/connections/kick", { userId: "full", reconnect: false, reason: "banned" });
    client.socket.resume();
    expect(await client.closed).toEqual([4410, "banned"]);
  });
});

describe("what a client sends", () => {
  it("may have 131,072 bytes, and not one more: 1009", async () => {
    const client = await connect(at("/push?user=alice"));
    const text = (bytes: number) => `{"action":"ping","x":"${"x".repeat(bytes - 24)}"}`;
    expect(Buffer.byteLength(text(131_072))).toBe(131_072);
    expect(await client.ask(text(131_072))).toMatchObject({ type: "pong" });
    client.send(text(131_073));
    expect((await client.closed)[0]).toBe(1009);
  });

  it("must be text: 1003", async () => {
    const client = await connect(at("/push?user=alice"));
    client.socket.send(Buffer.from('{"action":"ping"}'));
    expect((await client.closed)[0]).toBe(1003);
  });
});

describe("a client that does not read", () => {
  it("is not read either, so that answers to its own frames do not pile up", async () => {
    const client = await connect(at("/push?user=alice"));
    client.socket.pause();
    const count = 50_000;
    for (let n = 0; n < count; n++) client.send('{"action":"ping"}');
    client.socket.resume();
    await client.until(() => (client.frames.length === count ? true : undefined));
    await client.close();
  });

  it("is closed with 4408 when what others send it is more than the outbox holds", async () => {
    const client = await connect(at("/push?user=slow"));
    client.socket.pause();
    const data = { type: "large", text: "x".repeat(120_000) };
    let undelivered = 0;
    for (let n = 0; n < 200 && undelivered === 0; n++) {
      ({ undelivered } = await call("POST", "/v1/notifications", { users: ["slow"], data }));
    }
    expect(undelivered).toBe(1);
    client.socket.resume();
    expect(await client.closed).toEqual([4408, "the client does not read"]);
  });
});

describe("rates that a running server takes", () => {
  const reload = (rates: object) =>
    server.reload(configSchema.parse({ dataDir: server.dataDir, gateway: { ...gateway, rates } }));

  it("refuse the frames of a connection past them, and end it when it goes on", async () => {
    await reload({ connection: { framesPerSecond: 1, burst: 3 } });
    const client = await connect(at("/push?user=alice"));
    for (let n = 0; n < 4; n++) client.send({ action: "ping" });
    const refused = await client.until(() => client.frames.find(({ message }) => message !== undefined));
    expect(client.frames.filter(({ type }) => type === "pong")).toHaveLength(3);
    expect(refused).toEqual({
      message: "Too Many Requests",
      ...{ connectionId: expect.any(String), requestId: expect.any(String) },
      error: { code: "limit_exceeded", message: expect.any(String), retryAfterMs: expect.any(Number) },
    });
    for (let n = 0; n < limits.rates.refusalsMax + 10; n++) client.send({ action: "ping" });
    expect((await client.closed)[0]).toBe(4429);
  });

  it("count all connections of a user, and of an environment", async () => {
    await reload({ user: { framesPerSecond: 1, burst: 2 } });
    const clients = [await connect(at("/push?user=fast")), await connect(at("/push?user=fast"))] as const;
    for (const client of clients) expect(await client.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    expect(await clients[0].ask({ action: "ping" })).toMatchObject({ message: "Too Many Requests" });
    const other = await connect(at("/push?user=other"));
    expect(await other.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    await reload({ environment: { framesPerSecond: 1, burst: 1 } });
    expect(await other.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    expect(await clients[1].ask({ action: "ping" })).toMatchObject({ message: "Too Many Requests" });
    await reload({});
    for (const client of [...clients, other]) await client.close();
  });

  it("bound new connections: 429, or 4429 where our subprotocol was asked for", async () => {
    await reload({ connectionsPerSecond: 1 });
    const clients = await Promise.all(
      Array.from({ length: 3 }, () => connect(at("/push?user=new"), {}, ["todoku.v1"])),
    );
    const ends = await Promise.race([
      Promise.any(clients.map(({ closed }) => closed)),
      new Promise((resolve) => setTimeout(resolve, 5000)),
    ]);
    expect(ends).toMatchObject([4429, expect.stringContaining("new connections")]);
    await reload({});
    for (const client of clients) client.socket.terminate();
  });
});

it("tickets that are none count like other credentials that are refused", async () => {
  const settings = (rates: object) => configSchema.parse({ dataDir: server.dataDir, gateway, rates });
  await server.reload(settings({ failedCredentialsPerMinute: 2 }));
  const statusOf = async () => (await refusal(at("/push?ticket=none"))).status;
  expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([401, 401, 429]);
  await server.reload(settings({ failedCredentialsPerMinute: 0 }));
});

it("a server that stops tells each client to come back, with 1012", async () => {
  const stopping = await aServer();
  const clients = await Promise.all([1, 2, 3].map(() => connect(socketUrl(stopping, "/push?user=alice"))));
  const over = stopping[Symbol.asyncDispose]();
  for (const client of clients) {
    expect((await client.closed)[0]).toBe(1012);
    expect(client.frames.at(-1)).toMatchObject({ type: "disconnect", reconnect: true });
  }
  await over;
});
