import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { type Follower, follow } from "../../../test/support/sse.ts";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { formatPosition } from "../../domain/topics/position.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
// To open a door for each test takes longer than most of them. The streams of the cache end with it.
afterEach(async () => {
  await door.caches.delete(door.principal, "c");
  await door.caches.create(door.principal, "c", "memory");
  await noSubscribers();
});
afterAll(() => door[Symbol.asyncDispose]());

const path = "/v1/topics/c/t";

async function publish(text: string): Promise<string> {
  const message = { value: { isText: true, bytes: Buffer.from(text) } };
  return formatPosition((await door.topics.publish(door.principal, "c", "t", message)).position);
}

async function texts(stream: Follower, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  while (got.length < count) got.push((await stream.nextData()).text);
  return got;
}

function subscriptions(): number {
  return door.topics.stats().get("dev")?.subscriptions ?? 0;
}

/** Resolves when the subscription of a stream that was left is gone. */
async function noSubscribers(): Promise<void> {
  while (subscriptions() > 0) await new Promise((resolve) => setImmediate(resolve));
}

describe("an event stream", () => {
  it("begins with a comment and an id, before any item", async () => {
    const stream = await follow(door.url + path);
    expect(stream.response.status).toBe(200);
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(stream.response.headers.get("cache-control")).toBe("no-store");
    expect(stream.opening).toEqual({ "": "", retry: "1000", id: expect.stringMatching(/^\d+-0$/) });
  });

  it("gives each item with its position as id, and no event name", async () => {
    const stream = await follow(door.url + path);
    const position = await publish("line 1\nline 2\r");
    const block = await stream.next();
    expect(block).toEqual({ id: position, data: expect.any(String) });
    expect(JSON.parse(block?.data ?? "")).toMatchObject({ position, text: "line 1\nline 2\r", sequenceNumber: 1 });
  });

  it("resumes behind Last-Event-ID, which wins over after", async () => {
    const first = await publish("a");
    const second = await publish("b");
    await publish("c");
    expect(await texts(await follow(`${door.url}${path}?after=${first}`), 2)).toEqual(["b", "c"]);
    const resumed = await follow(`${door.url}${path}?after=${first}`, { "last-event-id": second });
    expect(await texts(resumed, 1)).toEqual(["c"]);
  });

  it("loses nothing for a client that lost its line before the first item", async () => {
    const stream = await follow(door.url + path);
    stream.close();
    await noSubscribers();
    await publish("meanwhile");
    expect(await texts(await follow(door.url + path, { "last-event-id": stream.opening.id ?? "" }), 1)).toEqual([
      "meanwhile",
    ]);
  });

  it("tells of a discontinuity once, with an id behind it", async () => {
    const before = await publish("a");
    await door.caches.flush(door.principal, "c");
    await publish("b");
    const stream = await follow(door.url + path, { "last-event-id": before });
    const gap = await stream.next();
    expect(gap).toEqual({ event: "discontinuity", id: expect.stringMatching(/-0$/), data: expect.any(String) });
    expect(JSON.parse(gap?.data ?? "")).toEqual({ after: before, now: gap?.id });
    expect(await texts(stream, 1)).toEqual(["b"]);
    expect((await (await follow(door.url + path, { "last-event-id": gap?.id ?? "" })).nextData()).text).toBe("b");
  });

  it("sends a comment each 15 seconds", async () => {
    const stream = await follow(door.url + path);
    for (let round = 0; round < 2; round++) {
      door.advance(15_000);
      expect(await stream.next()).toEqual({ "": "" });
    }
  });

  it("ends with an error event when the token expires", async () => {
    const token = await door.token({ validForMs: 5000 });
    const stream = await follow(door.url + path, { authorization: `Bearer ${token}` });
    await publish("in time");
    expect(await texts(stream, 1)).toEqual(["in time"]);
    door.advance(7000);
    const last = await stream.next();
    expect(last?.event).toBe("error");
    expect(JSON.parse(last?.data ?? "")).toMatchObject({ status: 401, code: "unauthenticated" });
    expect(await stream.next()).toBeUndefined();
  });

  it("ends with an error event when the cache is deleted, and when the server stops", async () => {
    const [deleted, stopped] = [await follow(door.url + path), await follow(door.url + path)];
    await door.caches.delete(door.principal, "c");
    expect(await deleted.nextData()).toMatchObject({ status: 404, code: "not_found" });
    expect(await stopped.nextData()).toMatchObject({ status: 404, code: "not_found" });
    await door.caches.create(door.principal, "c", "memory");
    const other = await follow(door.url + path);
    door.topics.closeAll(new TodokuError("unavailable", "the server is stopping"));
    expect(await other.nextData()).toMatchObject({ status: 503, code: "unavailable" });
  });

  it("is a plain error before it begins", async () => {
    const headers = { accept: "text/event-stream" };
    expect((await fetch(`${door.url}/v1/topics/none/t`, { headers })).status).toBe(404);
    expect((await fetch(door.url + path, { headers: { ...headers, authorization: "Bearer no" } })).status).toBe(401);
    expect((await fetch(door.url + path, { headers: { ...headers, "last-event-id": "x" } })).status).toBe(400);
    expect((await fetch(door.url + path)).status).toBe(406);
    expect((await fetch(door.url + path, { method: "HEAD", headers })).status).toBe(406);
    expect(subscriptions()).toBe(0);
  });

  it("gives its subscription back when the client leaves", async () => {
    const stream = await follow(door.url + path);
    expect(subscriptions()).toBe(1);
    stream.close();
    await noSubscribers();
  });
});

describe("a slow reader", () => {
  it("holds no more than its bound in memory and gets everything later", async () => {
    const fast = await follow(door.url + path);
    const socket = connect(Number(new URL(door.url).port), "127.0.0.1");
    const sockets: Socket[] = [];
    door.server.once("connection", (accepted) => sockets.push(accepted));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n`);
    await once(socket, "data");
    socket.pause();
    const text = "x".repeat(200_000);
    const count = 100;
    let mostBytes = 0;
    for (let n = 1; n <= count; n++) {
      await publish(`${n} ${text}`);
      await fast.nextData();
      mostBytes = Math.max(mostBytes, sockets[0]?.writableLength ?? 0);
    }
    expect(mostBytes).toBeGreaterThan(limits.http2.streamSendBufferBytes);
    expect(mostBytes).toBeLessThan(limits.http2.streamSendBufferBytes + 2 * text.length);
    const waitingBytes = sockets[0]?.writableLength;
    door.advance(15_000);
    expect(sockets[0]?.writableLength).toBe(waitingBytes); // not even a heartbeat was added
    const seen = await readNumbers(socket, count);
    expect(seen).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    socket.destroy();
    fast.close();
  });
});

/** Reads the numbers that the texts of the items begin with, until `last`. */
async function readNumbers(socket: Socket, last: number): Promise<number[]> {
  const numbers: number[] = [];
  let rest = "";
  socket.setEncoding("latin1");
  // HTTP's own chunk sizes stand on lines of their own, between events.
  for await (const chunk of socket) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data: ")) numbers.push(Number.parseInt(JSON.parse(line.slice(6)).text, 10));
    }
    if (numbers.at(-1) === last) break;
  }
  return numbers;
}
