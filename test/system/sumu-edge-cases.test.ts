// The table of edge cases where it is about presence and notifications, and the defects of the article's watchdog and pusher, over real sockets.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SettableMachine } from "../support/clock.ts";
import { connect, type Frame, type GatewayClient, socketUrl } from "../support/gateway.ts";
import { JsonApi } from "../support/json-api.ts";
import { aServer } from "../support/server.ts";

const graceMs = 5000;
const machine = new SettableMachine();
let server: Awaited<ReturnType<typeof aServer>>;
let api: JsonApi;
/** Follows the topic `messages`: nobody's connection, so that it changes no presence. */
let observer: GatewayClient;

beforeAll(async () => {
  server = await aServer({}, { machineClocks: machine });
  api = new JsonApi(server.port);
  observer = await connect(socketUrl(server));
  await observer.ask({ action: "topics.subscribe", cache: "events", topic: "messages" });
});
afterAll(async () => {
  observer?.socket.terminate();
  await server[Symbol.asyncDispose]();
});

const as = (user: string, options = {}) => connect(socketUrl(server, `/push?user=${user}`), options);
const notify = (request: object) => api.post("/v1/notifications", request);

const attributesOf = ({ attributes }: Frame) => attributes as Record<string, { type: string; value: string }>;

interface Told {
  readonly user_id: string;
  readonly status: string;
  readonly timestamp: number;
  readonly seq: number;
}

/** Closes them, and resolves when the server has seen it: the grace has begun. */
async function leave(user: string, ...clients: (GatewayClient | undefined)[]): Promise<void> {
  const { connections } = await api.get(`/v1/users/${user}/connections`);
  await Promise.all(clients.map((client) => client?.close()));
  await hasConnections(user, connections.length - clients.length);
}

const hasConnections = (user: string, count: number) =>
  expect.poll(async () => (await api.get(`/v1/users/${user}/connections`)).connections.length).toBe(count);

/** What the topic `messages` has been told of a user. */
function toldOf(user: string): Told[] {
  return observer.frames
    .filter((frame) => frame.type === "item" && attributesOf(frame).source?.value === "lambda.presence.watchdog")
    .map(({ text }) => JSON.parse(String(text)).message)
    .filter(({ user_id }) => user_id === user);
}

/** Resolves when the topic has so many of a user. */
const told = (user: string, count: number) =>
  observer.until(() => (toldOf(user).length >= count ? toldOf(user) : undefined));
const statusesOf = (user: string) => toldOf(user).map(({ status }) => status);

/** Sends to the queue `notifications` in one batch. */
async function request(...bodies: (object | string)[]): Promise<void> {
  const messages = bodies.map((body) => ({ body: typeof body === "string" ? body : JSON.stringify(body) }));
  await api.post("/v1/queues/notifications/send", { messages });
}

/** Takes so many out of a queue. */
async function taken(queue: string, count: number) {
  const messages: { body: string; attributes: Record<string, { value: string }> }[] = [];
  while (messages.length < count) {
    const got = (await api.post(`/v1/queues/${queue}/receive`, { maxMessages: 10, waitSeconds: 5 })).messages;
    for (const { receiptHandle } of got) await api.post(`/v1/queues/${queue}/delete`, { receiptHandle });
    messages.push(...got);
  }
  return messages;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, "gm"))];
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}

describe("a user", () => {
  it("with three windows is ONLINE once, and OFFLINE once when the last two close at the same moment (B12), (B13)", async () => {
    const windows = [await as("alice"), await as("alice"), await as("alice")];
    const [online] = await told("alice", 1);
    await leave("alice", windows[0]);
    machine.pass(60_000);
    // Whoever came after that minute is told after what it brought.
    const after = await as("after-a-minute");
    await told("after-a-minute", 1);
    expect(statusesOf("alice")).toEqual(["ONLINE"]);
    await leave("alice", ...windows.slice(1));
    machine.pass(graceMs + 100);
    const [, offline] = await told("alice", 2);
    await leave("after-a-minute", after);
    machine.pass(graceMs + 100);
    await told("after-a-minute", 2);
    expect(statusesOf("alice")).toEqual(["ONLINE", "OFFLINE"]);
    expect(offline?.seq).toBeGreaterThan(online?.seq ?? Number.NaN);
    expect(offline?.timestamp).toBeGreaterThan(online?.timestamp ?? Number.NaN);
  });

  it("who loads the page anew, again and again, is told of once (B12)", async () => {
    for (let n = 0; n < 5; n++) await leave("reloads", await as("reloads"));
    const last = await as("reloads");
    machine.pass(60_000);
    const after = await as("after-the-reloads");
    await told("after-the-reloads", 1);
    expect(statusesOf("reloads")).toEqual(["ONLINE"]);
    for (const client of [last, after]) await client.close();
  });

  it("who is gone without a word is OFFLINE after two pings and the grace, without anybody writing to it (B11)", async () => {
    const ghost = await as("ghost", { autoPong: false });
    await told("ghost", 1);
    for (let n = 0; n < 2; n++) {
      const ping = new Promise((resolve) => ghost.socket.once("ping", resolve));
      machine.pass(31_000);
      await ping;
    }
    machine.pass(31_000);
    await ghost.closed;
    await hasConnections("ghost", 0);
    machine.pass(graceMs + 100);
    expect((await told("ghost", 2)).map(({ status }) => status)).toEqual(["ONLINE", "OFFLINE"]);
  });

  it("is told of in seconds, with attributes in milliseconds as messages have them (B14), and not to the queue (B31)", async () => {
    const client = await as("clock");
    await told("clock", 1);
    await client.ask({ action: "publish", message: "what time is it?" });
    const items = () =>
      observer.frames.filter((frame) => frame.type === "item" && attributesOf(frame).user_id?.value === "clock");
    await observer.until(() => (items().length === 2 ? true : undefined));
    const times = items().map((frame) => attributesOf(frame).timestamp);
    expect(times).toEqual(Array(2).fill({ type: "Number", value: expect.stringMatching(/^\d{13}$/) }));
    expect(toldOf("clock")[0]?.timestamp).toBe(Number(times[0]?.value) / 1000);
    expect(await api.get("/v1/queues/messages")).toMatchObject({ messages: { ready: 0, inFlight: 0 } });
    await client.close();
  });
});

describe("a notification", () => {
  it("is for no socket that has closed, from that moment on; users who are not there are counted", async () => {
    const [leaves, stays] = [await as("leaves"), await as("stays")];
    await leave("leaves", leaves);
    const request = { users: ["leaves", "stays", "never-seen"], data: { type: "news" } };
    expect(await notify(request)).toMatchObject({ connections: 1, undelivered: 0, held: 1, offlineUsers: 1 });
    machine.pass(graceMs + 100);
    await told("leaves", 2);
    const before = await metric("todoku_notification_users_offline_total");
    expect(await notify(request)).toMatchObject({ connections: 1, undelivered: 0, held: 0, offlineUsers: 2 });
    expect((await metric("todoku_notification_users_offline_total")) - before).toBe(2);
    await stays.close();
  });

  it("is carried out beside others in a batch that are no requests or too large: these are dead at once, with the reason (B19), (B23)", async () => {
    const client = await as("batch");
    const large = { users: ["batch"], data: "x".repeat(131_071) };
    const dead = ["{", { users: ["batch"] }, { users: "batch", data: 1 }, large];
    await request({ users: ["batch"], data: { n: 1 } }, ...dead, { users: ["batch"], data: { n: 2 } });
    expect(await client.nextOnes(2)).toEqual([{ n: 1 }, { n: 2 }]);
    const letters = await taken("notifications-dlq", dead.length);
    const reasons = letters.map(({ body, attributes }) => [body.length, attributes.error?.value]);
    expect(reasons.toSorted()).toEqual(
      [
        [1, "the request is not JSON"],
        [JSON.stringify(dead[1]).length, "data is missing"],
        [JSON.stringify(dead[2]).length, "users must be a list of user ids"],
        [JSON.stringify(large).length, expect.stringContaining("131073 bytes as a frame; must be <= 131072")],
      ].toSorted(),
    );
    expect(await client.rest()).toEqual([]);
    await client.close();
  });

  it("that died is kept for two weeks, and can be sent again (B30)", async () => {
    expect(await api.get("/v1/queues/notifications-dlq")).toMatchObject({ retentionSeconds: 14 * 24 * 3600 });
    await request("{");
    await expect.poll(async () => (await api.get("/v1/queues/notifications-dlq")).messages.ready).toBe(1);
    const back = await api.post("/v1/queues/notifications-dlq/redrive", { to: "notifications", maxMessages: 10 });
    expect(back).toEqual({ moved: 1, remaining: 0 });
    expect(await taken("notifications-dlq", 1)).toMatchObject([{ body: "{" }]);
  });

  it("for many reaches all of them at once though one does not read: that one is closed, and counted (B21), (B22)", async () => {
    const readers = await Promise.all(Array.from({ length: 20 }, (_, n) => as(`reader-${n}`)));
    const stalled = await as("stalled");
    stalled.socket.pause();
    const data = { type: "large", text: "x".repeat(120_000) };
    const before = await metric("todoku_notification_frames_undelivered_total");
    let sent = 0;
    for (let undelivered = 0; undelivered === 0 && sent < 200; sent++) {
      ({ undelivered } = await notify({ users: ["stalled", ...readers.map((_, n) => `reader-${n}`)], data }));
    }
    expect((await metric("todoku_notification_frames_undelivered_total")) - before).toBe(1);
    for (const reader of readers) {
      await reader.until(() => (reader.frames.length === sent ? true : undefined));
      await reader.close();
    }
    stalled.socket.resume();
    expect(await stalled.closed).toEqual([4408, "the client does not read"]);
  });

  it("without users is for everybody, be the list missing, null or empty; an id stands in the frame (B24)", async () => {
    const [erin, frank] = [await as("erin"), await as("frank")];
    const frames: Frame[] = [];
    for (const [n, users] of [undefined, null, []].entries()) {
      await notify({ users, exclude_users: ["frank", "frank"], data: { n }, id: `id-${n}` });
      frames.push({ id: `id-${n}`, n });
    }
    // The same id twice: the client sees that it had it.
    await notify({ users: ["erin", "erin"], exclude_users: ["erin"], data: { n: 2 }, id: "id-2" });
    expect(await erin.nextOnes(4)).toEqual([...frames, { id: "id-2", n: 2 }]);
    expect(await frank.rest()).toEqual([]);
    for (const client of [erin, frank]) await client.close();
  });
});

it("with strictAudience an empty list of users is a mistake, and reaches nobody", async () => {
  await using strict = await aServer({ gateway: { strictAudience: true } });
  const strictApi = new JsonApi(strict.port);
  const client = await connect(socketUrl(strict, "/push?user=grace"));
  const refused = await strictApi.send("POST", "/v1/notifications", { users: [], data: { n: 1 } });
  expect([refused.status, await refused.json()]).toMatchObject([
    400,
    { detail: expect.stringContaining("empty list") },
  ]);
  for (const body of ['{"users":[],"data":{"n":2}}', '{"data":{"n":3}}']) {
    await strictApi.post("/v1/queues/notifications/send", { body });
  }
  expect(await client.next()).toEqual({ n: 3 });
  await expect.poll(async () => (await strictApi.get("/v1/queues/notifications-dlq")).messages.ready).toBe(1);
  await client.close();
});
