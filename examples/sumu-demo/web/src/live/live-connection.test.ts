import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TestSocket } from "../testing/socket.ts";
import { LiveConnection } from "./live-connection.ts";
import type { LiveEvent } from "./live-event.ts";

let events: LiveEvent[];
let asked: boolean[];
/** Undefined: nobody is signed in. */
let token: (isRefused: boolean) => Promise<string | undefined>;
let live: LiveConnection;
const random = vi.fn(() => 1);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", TestSocket);
  vi.stubGlobal("navigator", { onLine: true });
  vi.spyOn(Math, "random").mockImplementation(random);
  random.mockReturnValue(1);
  TestSocket.all.length = 0;
  [events, asked] = [[], []];
  token = async () => `token-${asked.length}`;
  live = new LiveConnection({
    url: "ws://todoku/push",
    token(isRefused) {
      asked.push(isRefused);
      return token(isRefused);
    },
    onEvent: (event) => events.push(event),
  });
});
afterEach(() => {
  live.disconnect();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const last = () => TestSocket.all.at(-1) as TestSocket;
const typesOf = () => events.map(({ type }) => type);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function connected(): Promise<TestSocket> {
  live.connect();
  await pass(0);
  last().accept();
  return last();
}

describe("a connection", () => {
  it("is there when the first answer has come, not when the socket opens", async () => {
    live.connect();
    await pass(0);
    last().onopen?.();
    expect(live.state).toBe("connecting");
    last().answer({ type: "pong" });
    expect(live.state).toBe("connected");
    expect(typesOf()).toEqual(["connecting", "connected"]);
  });

  it("has its token in the protocols, never in the address (B1)", async () => {
    const socket = await connected();
    expect(socket.url).toBe("ws://todoku/push");
    expect(socket.protocols).toEqual(["todoku.v1", "bearer.token-1"]);
  });

  it("gets what was kept for it, also when that comes before the pong", async () => {
    live.connect();
    await pass(0);
    last().onopen?.();
    last().tell({ type: "message", message: { text: "kept" } });
    expect(events.at(-1)).toMatchObject({ type: "frame", frame: { message: { text: "kept" } } });
  });

  it("is not disturbed by what is no JSON object (B29)", async () => {
    const socket = await connected();
    for (const rubbish of ["{", "null", "[1]", "7", '"x"']) socket.tell(rubbish);
    socket.onmessage?.({ data: new ArrayBuffer(1) });
    expect(typesOf()).toEqual(["connecting", "connected"]);
  });

  it("pings every three minutes, and takes silence for an end", async () => {
    const socket = await connected();
    await pass(180_000);
    expect(socket.sent.at(-1)).toMatchObject({ action: "ping" });
    socket.answer({ type: "pong" });
    await pass(180_000);
    expect(socket.sent).toHaveLength(3);
    await pass(10_000);
    expect(socket.closedWith).toBe(1000);
    expect(typesOf().at(-1)).toBe("reconnecting");
  });

  it("brings a new token before the old one ends", async () => {
    const socket = await connected();
    socket.tell({ type: "auth.expiring", expiresAtMs: 1, inMs: 60_000 });
    await pass(0);
    expect(asked).toEqual([false, true]);
    expect(socket.sent.at(-1)).toMatchObject({ action: "auth.refresh", token: "token-2" });
  });
});

describe("a request", () => {
  it("resolves with its own answer, whatever else comes before it", async () => {
    const socket = await connected();
    const first = live.request({ action: "publish", message: "a" });
    const second = live.request({ action: "send", message: "b" });
    socket.answer({ type: "ack", messageId: "2" });
    socket.tell({ type: "ack", messageId: "1", id: socket.sent.at(-2)?.id });
    expect(await first).toMatchObject({ messageId: "1" });
    expect(await second).toMatchObject({ messageId: "2" });
  });

  it.each([
    [{ message: "Forbidden", connectionId: "c", requestId: "r" }, "Forbidden"],
    [{ type: "error", action: "send", error: { code: "unavailable", message: "later" } }, "later"],
  ])("rejects with what the server says: %j", async (frame, message) => {
    const socket = await connected();
    const request = live.request({ action: "send" });
    socket.answer(frame);
    await expect(request).rejects.toThrow(message);
  });

  it("rejects when it is not connected, when the line is lost, and when no answer comes", async () => {
    await expect(live.request({ action: "send" })).rejects.toThrow("not connected");
    const socket = await connected();
    const lost = live.request({ action: "send" });
    socket.end(1006);
    await expect(lost).rejects.toThrow("lost before the answer");
    await pass(2000);
    last().accept();
    const late = expect(live.request({ action: "send" })).rejects.toThrow("no answer in time");
    await pass(10_000);
    await late;
  });
});

describe("a lost connection", () => {
  it("comes back after anything up to 2 s for ten times, then up to 4, 8, 16, 30 s, each time with a fresh token (B29)", async () => {
    await connected();
    last().end(1006);
    const waits: number[] = [];
    for (let tries = 0; tries < 15; tries++) {
      const event = events.at(-1);
      const inMs = event?.type === "reconnecting" ? event.inMs : Number.NaN;
      waits.push(inMs);
      await pass(inMs);
      last().end(1006);
    }
    expect(waits).toEqual([...Array(10).fill(2000), 4000, 8000, 16_000, 30_000, 30_000]);
    expect(new Set(TestSocket.all.map(({ protocols }) => protocols[1])).size).toBe(16);
    random.mockReturnValue(0.25);
    await pass(30_000);
    last().end(1006);
    expect(events.at(-1)).toEqual({ type: "reconnecting", inMs: 7500 });
  });

  it("begins anew with two seconds once it was in, but not when a socket opened and was refused", async () => {
    await connected();
    last().end(1006);
    for (let tries = 0; tries < 10; tries++) {
      await pass(2000);
      last().onopen?.();
      last().end(4409, "too many connections");
    }
    expect(events.at(-1)).toEqual({ type: "reconnecting", inMs: 4000 });
    await pass(4000);
    last().accept();
    last().end(1006);
    expect(events.at(-1)).toEqual({ type: "reconnecting", inMs: 2000 });
  });

  it("is back within the five seconds that Todoku gives users after a restart, whenever in the first ten that ends", async () => {
    for (const awayMs of [100, 1900, 5000, 9900]) {
      await connected();
      last().end(1006);
      const isThereAtMs = Date.now() + awayMs;
      while (live.state !== "connected") {
        await pass(100);
        if (last().closedWith !== undefined || !last().onclose) continue;
        if (Date.now() >= isThereAtMs) last().accept();
        else last().end(1006);
      }
      expect(Date.now() - isThereAtMs).toBeLessThan(3000);
      live.disconnect();
    }
  });

  it("asks for a new token when the last was refused", async () => {
    await connected();
    last().end(4401, "expired");
    await pass(2000);
    expect(asked).toEqual([false, true]);
    last().accept();
    last().end(1012);
    await pass(2000);
    expect(asked).toEqual([false, true, false]);
  });

  it("waits as long as the server asks, and no shorter", async () => {
    await connected();
    last().tell({ type: "disconnect", reason: "the server stops", reconnect: true, afterMs: 5000 });
    last().end(1012);
    expect(events.at(-1)).toEqual({ type: "reconnecting", inMs: 7000 });
  });

  it("tries at once when the network is back", async () => {
    await connected();
    last().end(1006);
    live.retryNow();
    await pass(0);
    expect(TestSocket.all).toHaveLength(2);
    last().accept();
    await pass(60_000);
    expect(TestSocket.all).toHaveLength(2);
  });

  it("is tried again when nothing answers, and when no token can be had now", async () => {
    live.connect();
    await pass(10_000);
    expect(events.at(-1)).toEqual({ type: "reconnecting", inMs: 2000 });
    token = () => Promise.reject(new Error("the provider is away"));
    const before = events.length;
    await pass(2000);
    expect(events.slice(before)).toEqual([{ type: "reconnecting", inMs: 2000 }]);
  });
});

describe("it gives up", () => {
  it.each([
    [4403, "refused"],
    [4410, "thrown-out"],
  ])("when the server closes with %i: %s", async (code, why) => {
    await connected();
    last().end(code, "kicked");
    expect(events.at(-1)).toEqual({ type: "gave-up", why, reason: "kicked" });
    await pass(60_000);
    expect(TestSocket.all).toHaveLength(1);
  });

  it("when the server says not to come back, whatever code it closes with", async () => {
    await connected();
    last().tell({ type: "disconnect", reason: "kicked", reconnect: false });
    last().end(1000);
    expect(events.at(-1)).toMatchObject({ type: "gave-up", why: "thrown-out" });
  });

  it("when nobody is signed in", async () => {
    token = async () => undefined;
    live.connect();
    await pass(0);
    expect(events.at(-1)).toMatchObject({ type: "gave-up", why: "signed-out" });
  });

  it("after five tries without a network, but never while there is one; and can then connect again (B29)", async () => {
    await connected();
    last().end(1006);
    for (let tries = 0; tries < 20; tries++) {
      await pass(30_000);
      last().end(1006);
    }
    expect(live.state).toBe("connecting");
    vi.stubGlobal("navigator", { onLine: false });
    await pass(30_000);
    last().end(1006);
    expect(events.at(-1)).toMatchObject({ type: "gave-up", why: "offline" });
    expect(live.state).toBe("disconnected");
    vi.stubGlobal("navigator", { onLine: true });
    live.connect();
    await pass(0);
    last().accept();
    expect(live.state).toBe("connected");
  });
});

describe("disconnect", () => {
  it("closes the socket, tells it once, and ends what was under way", async () => {
    const socket = await connected();
    live.disconnect();
    live.disconnect();
    expect(socket.closedWith).toBe(1000);
    expect(typesOf().filter((type) => type === "disconnected")).toHaveLength(1);
    await pass(600_000);
    expect(TestSocket.all).toHaveLength(1);
  });

  it("while the token is fetched opens no socket", async () => {
    live.connect();
    live.disconnect();
    await pass(60_000);
    expect(TestSocket.all).toHaveLength(0);
  });
});
