import type { Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { TestMachine } from "../../../test/support/clock.ts";
import { clientFrame, openLinkServer, RawWebSocket, Telling } from "../../../test/support/raw-websocket.ts";
import { TimerWheel } from "../timer-wheel.ts";
import { textFrame } from "./frames.ts";
import { WebSocketLink } from "./link.ts";

const machine = new TestMachine();
const wheel = new TimerWheel(machine);
const accepted: { link: WebSocketLink; socket: Socket; telling: Telling }[] = [];
let server: Awaited<ReturnType<typeof openLinkServer>>;

beforeAll(async () => {
  server = await openLinkServer((socket) => {
    const telling = new Telling();
    const link = new WebSocketLink(socket, telling, { messageMaxBytes: 1000, wheel });
    accepted.push({ link, socket, telling });
    return { link };
  });
});
afterAll(() => server.close());

async function aPair(behindHandshake?: Uint8Array) {
  const client = await RawWebSocket.open(server.port, behindHandshake);
  const { link, socket, telling } = accepted.pop() as (typeof accepted)[number];
  const ended = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  return { client, link, socket, telling, ended };
}

const closing = (code: number, reason = "") =>
  clientFrame(8, Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason)]));
const textOf = (frame: { payload: Buffer } | undefined) => frame?.payload.toString();
const codeOf = (frame: { opcode: number; payload: Buffer } | undefined) =>
  frame?.opcode === 8 ? frame.payload.readUInt16BE(0) : undefined;

/** Sends until the kernel takes no more of it: the client does not read. */
async function fill({ link, client }: { link: WebSocketLink; client: RawWebSocket }): Promise<void> {
  client.socket.pause();
  const frame = textFrame("z".repeat(4000));
  while (link.waitingBytes === 0) {
    link.send(frame);
    // It leaves at the end of the next turn.
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  }
}

it("reads what came behind the handshake", async () => {
  const { telling, client } = await aPair(clientFrame(1, "at once"));
  expect(telling.told).toEqual([["heard"], ["text", "at once"]]);
  client.socket.destroy();
  await telling.closing.promise;
});

it("sends all that is queued in one turn in one write, in its order, few bytes and many", async () => {
  const { client, link, socket } = await aPair();
  const write = vi.spyOn(socket, "_write");
  const writev = vi.spyOn(socket, "_writev" as "_write");
  for (const texts of [["alone"], ["a", "b", "c"], ["d".repeat(30_000), "e", "f".repeat(70_000)]]) {
    for (const text of texts) link.send(textFrame(text));
    expect(link.waitingBytes).toBe(texts.reduce((sum, text) => sum + textFrame(text).length, 0));
    for (const text of texts) expect(textOf(await client.next())).toBe(text);
    expect(write.mock.calls.length + writev.mock.calls.length, `${texts.length} frames`).toBe(1);
    expect(link.waitingBytes).toBe(0);
    write.mockClear();
    writev.mockClear();
  }
  link.destroy();
});

it("gives each link its own frames in their order, whatever frames links have in common in a turn", async () => {
  const pairs = await Promise.all(Array.from({ length: 3 }, () => RawWebSocket.open(server.port)));
  const links = accepted.splice(0).map(({ link }) => link);
  // Which link belongs to which client: the first frame says it.
  links.forEach((link, n) => void link.send(textFrame(`${n}`)));
  const clients: RawWebSocket[] = [];
  for (const client of pairs) clients[Number(textOf(await client.next()))] = client;
  const shared = ["a", "b", "c".repeat(3000)].map((text) => ({ text, frame: textFrame(text) }));
  const to = fc.subarray([0, 1, 2], { minLength: 1 });
  const turns = fc.array(fc.array(fc.tuple(to, fc.nat(2)), { maxLength: 8 }), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(turns, async (sent) => {
      const expected: string[][] = [[], [], []];
      for (const turn of sent) {
        for (const [receivers, which] of turn) {
          const { text, frame } = shared[which] as (typeof shared)[number];
          for (const n of receivers) {
            links[n]?.send(frame);
            expected[n]?.push(text);
          }
        }
        await new Promise(setImmediate);
      }
      for (const [n, texts] of expected.entries()) {
        const received: string[] = [];
        while (received.length < texts.length) received.push(String(textOf(await clients[n]?.next())));
        expect(received).toEqual(texts);
      }
    }),
    { numRuns: 50 },
  );
  for (const link of links) link.destroy();
});

it("tells when all has left, at once and after the peer has read", async () => {
  const pair = await aPair();
  pair.link.send(textFrame("a"));
  await pair.client.next();
  expect(pair.telling.told).toEqual([["drained"]]);
  await fill(pair);
  const before = pair.telling.count("drained");
  // Below the socket's own mark, at which it would tell by itself.
  expect(pair.link.waitingBytes).toBeLessThan(pair.socket.writableHighWaterMark);
  const drained = new Promise<void>((resolve) => {
    vi.spyOn(pair.telling, "drained").mockImplementation(resolve);
  });
  expect(pair.telling.count("drained")).toBe(before);
  pair.client.socket.resume();
  await drained;
  expect(pair.link.waitingBytes).toBe(0);
  pair.link.destroy();
});

it("counts what waits to the byte, and keeps only the newest answer to a flood of pings", async () => {
  const pair = await aPair();
  await fill(pair);
  const waiting = pair.link.waitingBytes;
  const frame = textFrame("last");
  pair.link.send(frame);
  expect(pair.link.waitingBytes).toBe(waiting + frame.length);
  const flooded = new Promise<void>((resolve) => {
    pair.telling.onText = () => resolve();
  });
  for (let n = 0; n < 5000; n++) pair.client.send(clientFrame(9, `ping ${n}`));
  pair.client.send(clientFrame(1, "flooded"));
  await flooded;
  expect(pair.link.waitingBytes).toBe(waiting + frame.length);
  pair.client.socket.resume();
  const pongs: (string | undefined)[] = [];
  while (pongs.at(-1) !== "ping 4999") {
    const next = await pair.client.next();
    if (next?.opcode === 10) pongs.push(textOf(next));
  }
  expect(pongs).toEqual(["ping 4999"]);
  pair.link.destroy();
});

it("answers a close frame with its code, behind what was sent, and ends", async () => {
  const { client, link, telling, ended } = await aPair();
  telling.onText = () => link.send(textFrame("the last word"));
  client.send(Buffer.concat([clientFrame(1, "a"), closing(4000, "bye"), clientFrame(1, "too late")]));
  const frames = await client.all();
  expect(frames.map((frame) => codeOf(frame) ?? textOf(frame))).toEqual(["the last word", 4000]);
  expect(telling.told.slice(-1)).toEqual([["closed", 4000, "bye"]]);
  expect(telling.texts).toEqual(["a"]);
  expect([link.isOpen, link.waitingBytes]).toEqual([false, 0]);
  await ended;
  expect(telling.count("closed")).toBe(1);
});

it("closes behind what was sent, tells nothing more, and ends when the peer has answered", async () => {
  const { client, link, telling, ended } = await aPair();
  link.send(textFrame("first"));
  link.close(4401, "expired");
  link.send(textFrame("not sent"));
  link.close(1000, "not said");
  expect(link.isOpen).toBe(false);
  expect(textOf(await client.next())).toBe("first");
  expect((await client.next())?.payload).toEqual(Buffer.from("\x11\x31expired", "latin1"));
  client.send(Buffer.concat([clientFrame(1, "not told"), clientFrame(9, "not answered"), closing(4401)]));
  expect(await client.all()).toEqual([]);
  expect(telling.told).toEqual([["closed", 4401, ""]]);
  await ended;
  expect(telling.count("closed")).toBe(1);
});

it("cuts a peer that does not answer its close frame after 2 s", async () => {
  const { link, telling, ended } = await aPair();
  link.close(1000);
  machine.pass(1990);
  wheel.runOnce();
  await new Promise(setImmediate);
  expect(telling.told).toEqual([]);
  machine.pass(50);
  wheel.runOnce();
  await ended;
  expect(telling.told).toEqual([["closed", 1006, ""]]);
});

it("cuts a peer that has closed and reads nothing after 2 s", async () => {
  const pair = await aPair();
  await fill(pair);
  pair.client.send(closing(1000));
  expect(await pair.telling.closing.promise).toEqual({ code: 1000, reason: "" });
  machine.pass(2050);
  wheel.runOnce();
  await pair.ended;
});

it("says what was wrong, and reads on until the peer has seen it", async () => {
  const { client, telling, ended } = await aPair();
  client.send(clientFrame(2, "binary"));
  client.send(Buffer.alloc(3_000_000));
  const frames = await client.all();
  expect(frames.map(codeOf)).toEqual([1003]);
  expect(frames[0]?.payload.subarray(2).toString()).toContain("only text");
  expect(telling.told.slice(-1)).toEqual([["closed", 1003, expect.stringContaining("only text")]]);
  await ended;
});

it("ends with a peer whose socket the handler has paused", async () => {
  for (const close of [
    ({ client }) => client.send(Buffer.concat([clientFrame(1, "a"), closing(1000)])),
    ({ client, link, telling }) => {
      const { onText } = telling;
      telling.onText = (text) => {
        onText(text);
        link.close(1000);
      };
      client.send(clientFrame(1, "a"));
      client.next().then(() => client.send(closing(1000)));
    },
  ] as ((pair: Awaited<ReturnType<typeof aPair>>) => void)[]) {
    const pair = await aPair();
    pair.telling.onText = () => pair.socket.pause();
    close(pair);
    await pair.ended;
    expect(pair.telling.told.at(-1)).toEqual(["closed", 1000, ""]);
  }
});

it("tells 1006 once, whether the peer resets, ends without a word, or is cut", async () => {
  for (const cut of [
    ({ client }) => client.socket.resetAndDestroy(),
    ({ client }) => client.socket.end(),
    ({ client }) => client.socket.end(clientFrame(1, "half of it").subarray(0, 9)),
    ({ link }) => link.destroy(),
  ] as ((pair: Awaited<ReturnType<typeof aPair>>) => void)[]) {
    const pair = await aPair();
    cut(pair);
    expect(await pair.telling.closing.promise).toEqual({ code: 1006, reason: "" });
    await pair.ended;
    pair.link.send(textFrame("nobody"));
    pair.link.ping();
    pair.link.close(1000);
    await new Promise(setImmediate);
    expect(pair.telling.count("closed")).toBe(1);
  }
});

it("tells nothing of a chunk behind the message at which it is cut", async () => {
  const { client, link, telling } = await aPair();
  telling.onText = () => link.destroy();
  client.send(Buffer.concat([clientFrame(1, "a"), clientFrame(1, "b"), closing(1000)]));
  await telling.closing.promise;
  expect(telling.texts).toEqual(["a"]);
});

it("tells that a socket is closed that ended before its link began", async () => {
  const { socket, ended } = await aPair();
  socket.destroy();
  await ended;
  const telling = new Telling();
  new WebSocketLink(socket, telling, { messageMaxBytes: 1000, wheel }).start(Buffer.alloc(0));
  expect(telling.told).toEqual([["closed", 1006, ""]]);
});

it("sends pings, and takes pongs as signs of life", async () => {
  const { client, link, telling } = await aPair();
  link.ping();
  expect(await client.next()).toEqual({ opcode: 9, payload: Buffer.alloc(0) });
  const heard = new Promise<void>((resolve) => {
    vi.spyOn(telling, "heard").mockImplementation(resolve);
  });
  client.send(clientFrame(10, ""));
  await heard;
  link.destroy();
});

it("holds no socket once it is closed", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const links: WebSocketLink[] = [];
  const openAndClose = async (): Promise<WeakRef<Socket>> => {
    const { client, link, socket, ended } = await aPair();
    links.push(link);
    link.close(1000);
    await client.next();
    client.send(closing(1000));
    await ended;
    return new WeakRef(socket);
  };
  const socket = await openAndClose();
  for (let n = 0; n < 20 && socket.deref(); n++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    collect();
  }
  expect(socket.deref()).toBeUndefined();
  expect(links[0]?.isOpen).toBe(false);
});
