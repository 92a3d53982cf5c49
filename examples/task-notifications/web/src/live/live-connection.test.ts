// The unmodified web SDK and a real Todoku.
import { createServer, type Server, type Socket, connect as tcpConnect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { aDirectory, aServer } from "../../../../../test/support/server.ts";
import { installXmlHttpRequest } from "../testing/xml-http-request.ts";
import { LiveConnection, type LiveMessage, type LiveOptions, type LiveState } from "./live-connection.ts";
import type { LiveToken } from "./live-token.ts";

const cacheName = "notifications";
/** Of each test its own. */
let topic = "";
let topics = 0;
const quick = { silenceMs: 2500, backoff: { firstMs: 20, maxMs: 100 }, renewMinMs: 0 };

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
let todoku: Awaited<ReturnType<typeof aServer>>;
beforeAll(async () => {
  installXmlHttpRequest();
  todoku = await aServer();
  await post(`${todoku.url}/v1/caches`, { name: cacheName });
});
afterAll(() => todoku[Symbol.asyncDispose]());
beforeEach(() => {
  topic = `user-${++topics}`;
});

async function post(url: string, body: unknown): Promise<Record<string, unknown>> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
}

const publish = (url: string, text: string) => post(`${url}/v1/topics/${cacheName}/${topic}`, { text });

async function aToken(url: string, validForSeconds = 600, endpoint = url): Promise<LiveToken> {
  const grants = [{ resource: "topic", role: "subscribe", cache: { name: cacheName }, topic: { name: topic } }];
  const { token, expiresAtMs } = await post(`${url}/v1/tokens`, { grants, validForSeconds });
  return { endpoint, token: String(token), cacheName, topic, expiresAtMs: Number(expiresAtMs) };
}

/** A connection that writes down what it is told. */
function follow(options: Pick<LiveOptions, "getToken"> & Partial<LiveOptions>) {
  const messages: LiveMessage[] = [];
  const states: LiveState[] = [];
  const connection = new LiveConnection({
    isSignedOut: () => false,
    after: undefined,
    onMessage: (message) => messages.push(message),
    onState: (state) => states.push(state),
    timing: quick,
    ...options,
  });
  cleanUps.push(() => connection.stop());
  connection.start();
  const until = (condition: () => void) => vi.waitFor(condition, { timeout: 15_000, interval: 10 });
  return {
    connection,
    messages,
    states,
    texts: () => messages.map(({ text }) => text),
    live: (times = 1) => until(() => expect(states.filter((state) => state === "live")).toHaveLength(times)),
    untilTexts: (texts: string[]) => until(() => expect(messages.map(({ text }) => text)).toEqual(texts)),
    until,
  };
}

/** A line to `port` that can be cut, and held so that nothing comes through. */
async function aLine(port: number) {
  const sockets = new Set<Socket>();
  let isHeld = false;
  const server: Server = createServer((inner) => {
    const outer = tcpConnect(port, "127.0.0.1");
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
    inner.pipe(outer);
    outer.pipe(inner);
    if (isHeld) outer.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  cleanUps.push(() => {
    cut();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    cut,
    hold(held: boolean) {
      isHeld = held;
      for (const socket of sockets) {
        if (held) socket.unpipe().pause();
        else socket.destroy();
      }
    },
  };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `m${from + i}`);

describe("LiveConnection", () => {
  it("passes on what is published, in order", async () => {
    const { url } = todoku;
    const one = follow({ getToken: () => aToken(url) });
    await one.live();
    for (const text of numbers(1, 20)) await publish(url, text);
    await one.untilTexts(numbers(1, 20));
    expect(one.states).toEqual(["connecting", "live"]);
    expect(one.messages[0]).toMatchObject({ position: { sequence: 1 }, isOld: false });
  });

  it("gives a new device what was there before as old, and nothing of it as new", async () => {
    const { url } = todoku;
    for (const text of numbers(1, 3)) await publish(url, text);
    const one = follow({ getToken: () => aToken(url) });
    await one.live();
    await publish(url, "m4");
    await one.untilTexts(numbers(1, 4));
    expect(one.messages.map(({ isOld }) => isOld)).toEqual([true, true, true, false]);
  });

  it("reads at most a thousand old messages", async () => {
    const { url } = todoku;
    await Promise.all(numbers(1, 1200).map((text) => publish(url, text)));
    const one = follow({ getToken: () => aToken(url) });
    await one.live();
    expect(one.messages).toHaveLength(1000);
    expect(one.messages.at(-1)?.position.sequence).toBe(1200);
  });

  it("goes on behind the position of a known device", async () => {
    const { url } = todoku;
    for (const text of numbers(1, 3)) await publish(url, text);
    const first = follow({ getToken: () => aToken(url) });
    await first.untilTexts(numbers(1, 3));
    const after = first.messages[1]?.position;
    const second = follow({ getToken: () => aToken(url), after });
    await second.untilTexts(["m3"]);
    expect(second.messages[0]?.isOld).toBe(false);
  });

  it("begins anew when the position lies ahead of the topic, whose data were deleted", async () => {
    const { url } = todoku;
    await publish(url, "m1");
    const one = follow({ getToken: () => aToken(url), after: { page: 9_000_000, sequence: 7 } });
    await one.live();
    await publish(url, "m2");
    await one.untilTexts(["m1", "m2"]);
  });

  it("changes its token before it expires, without a gap and without a repetition", async () => {
    const { url } = todoku;
    const getToken = vi.fn(() => aToken(url, 3));
    const one = follow({ getToken, timing: { ...quick, renewAfterShare: 0.1 } });
    await one.live();
    let count = 0;
    while (getToken.mock.calls.length < 5) await publish(url, `m${++count}`);
    await publish(url, `m${++count}`);
    await one.untilTexts(numbers(1, count));
    expect(one.states).not.toContain("reconnecting");
  });

  it("keeps its stream while no new token can be had", async () => {
    const { url } = todoku;
    let calls = 0;
    const getToken = async () => {
      if (++calls > 1) throw new Error("503");
      return aToken(url);
    };
    const one = follow({ getToken, timing: { ...quick, renewMaxMs: 50 } });
    await one.until(() => expect(calls).toBeGreaterThan(3));
    await publish(url, "m1");
    await one.untilTexts(["m1"]);
    expect(one.states).toEqual(["connecting", "live"]);
  });

  it("comes back with a new token when its token has expired after all", async () => {
    const { url } = todoku;
    const one = follow({ getToken: () => aToken(url, 1), timing: { ...quick, renewMinMs: 60_000 } });
    await one.live(2);
    await publish(url, "m1");
    await one.untilTexts(["m1"]);
  });

  it("loses and repeats nothing over cut lines", async () => {
    const { url, port } = todoku;
    const line = await aLine(port);
    const one = follow({ getToken: () => aToken(url, 600, line.url) });
    await one.live();
    for (const text of numbers(1, 6)) {
      await publish(url, text);
      line.cut();
    }
    await one.untilTexts(numbers(1, 6));
  });

  it("finds out that a line is dead though nobody closed it", async () => {
    const { url, port } = todoku;
    const line = await aLine(port);
    const one = follow({ getToken: () => aToken(url, 600, line.url), timing: { ...quick, openTimeoutMs: 500 } });
    await one.live();
    line.hold(true);
    await one.until(() => expect(one.states.at(-1)).toBe("reconnecting"));
    await publish(url, "m1");
    line.hold(false);
    await one.untilTexts(["m1"]);
    expect(one.states.at(-1)).toBe("live");
  });

  it("is back after the server was stopped and started, with what came meanwhile", async () => {
    await using directory = await aDirectory();
    const first = await aServer({ dataDir: directory.path });
    await post(`${first.url}/v1/caches`, { name: cacheName });
    const one = follow({ getToken: () => aToken(first.url) });
    await one.live();
    await publish(first.url, "m1");
    await one.untilTexts(["m1"]);
    await first.close();
    await one.until(() => expect(one.states.at(-1)).toBe("reconnecting"));
    const second = await aServer({ dataDir: directory.path, port: first.port });
    cleanUps.push(() => second.close());
    await publish(second.url, "m2");
    await one.untilTexts(["m1", "m2"]);
    one.connection.stop();
  });

  it("waits no longer when it is told to hurry", async () => {
    const { url } = todoku;
    let isOffline = true;
    const getToken = () => (isOffline ? Promise.reject(new Error("offline")) : aToken(url));
    const one = follow({ getToken, timing: { ...quick, backoff: { firstMs: 3_600_000, maxMs: 3_600_000 } } });
    await one.until(() => expect(one.states).toContain("reconnecting"));
    isOffline = false;
    await one.until(() => {
      one.connection.hurry();
      expect(one.states.at(-1)).toBe("live");
    });
  });

  it("stops, and goes on where it stopped", async () => {
    const { url } = todoku;
    const one = follow({ getToken: () => aToken(url) });
    await one.live();
    await publish(url, "m1");
    await one.untilTexts(["m1"]);
    one.connection.stop();
    await publish(url, "m2");
    expect(one.texts()).toEqual(["m1"]);
    one.connection.start();
    await one.untilTexts(["m1", "m2"]);
  });

  it("gives up when nobody is signed in any more", async () => {
    const signedOut = new Error("signed out");
    const one = follow({ getToken: () => Promise.reject(signedOut), isSignedOut: (error) => error === signedOut });
    await one.until(() => expect(one.states).toEqual(["connecting", "signed-out"]));
  });

  it("listens to nothing with a token for another topic", async () => {
    const { url } = todoku;
    const getToken = vi.fn(async () => ({ ...(await aToken(url)), topic: "somebody else's" }));
    const one = follow({ getToken });
    await one.until(() => expect(getToken.mock.calls.length).toBeGreaterThan(1));
    expect(one.states).not.toContain("live");
  });
});
