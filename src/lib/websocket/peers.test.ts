import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Agent, createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket as WsClient } from "ws";
import { TestMachine } from "../../../test/support/clock.ts";
import { openLinkServer, Telling } from "../../../test/support/raw-websocket.ts";
import { aCertificate } from "../../../test/support/tls.ts";
import { TimerWheel } from "../timer-wheel.ts";
import { textFrame } from "./frames.ts";
import { readHandshake, switchingProtocols } from "./handshake.ts";
import { WebSocketLink } from "./link.ts";

const messageMaxBytes = 131_072;
const accepted: { link: WebSocketLink; telling: Telling }[] = [];
let server: Awaited<ReturnType<typeof openLinkServer>>;

/** An echo. */
function accept(socket: Socket) {
  const telling = new Telling();
  const link = new WebSocketLink(socket, telling, { messageMaxBytes, wheel: new TimerWheel(new TestMachine()) });
  telling.onText = (text) => link.send(textFrame(text));
  accepted.push({ link, telling });
  return { link };
}

beforeAll(async () => {
  server = await openLinkServer(accept);
});
afterAll(() => server.close());

/** What is wanted of both clients. */
interface Peer {
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** The next message. */
  next(): Promise<string>;
  readonly protocol: string;
  readonly closed: Promise<[code: number, reason: string]>;
}

/** Messages that wait to be asked for, or that are waited for. */
function aQueue() {
  const texts: string[] = [];
  const wanted: ((text: string) => void)[] = [];
  return {
    push(text: string) {
      const take = wanted.shift();
      if (take) take(text);
      else texts.push(text);
    },
    next: () =>
      new Promise<string>((resolve) => {
        const text = texts.shift();
        if (text === undefined) wanted.push(resolve);
        else resolve(text);
      }),
  };
}

async function openWs(protocols: string[] = []): Promise<Peer> {
  const client = new WsClient(`ws://127.0.0.1:${server.port}`, protocols);
  const { push, next } = aQueue();
  client.on("message", (data) => push(String(data)));
  const closed = new Promise<[number, string]>((resolve) => {
    client.on("close", (code, reason) => resolve([code, String(reason)]));
  });
  await once(client, "open");
  return {
    ...{ next, closed, protocol: client.protocol },
    send: (data) => client.send(data),
    close: (code, reason) => client.close(code, reason),
  };
}

async function openNative(protocols: string[] = []): Promise<Peer> {
  const client = new WebSocket(`ws://127.0.0.1:${server.port}`, protocols);
  const { push, next } = aQueue();
  client.addEventListener("message", ({ data }) => push(String(data)));
  const closed = new Promise<[number, string]>((resolve) => {
    client.addEventListener("close", ({ code, reason }) => resolve([code, reason]));
  });
  await once(client, "open");
  return {
    ...{ next, closed, protocol: client.protocol },
    send: (data) => client.send(data),
    close: (code, reason) => client.close(code, reason),
  };
}

describe.each([
  ["ws", openWs],
  ["the WebSocket of Node", openNative],
] as const)("with %s as the peer", (_name, open) => {
  it("echoes texts of many sizes, ASCII or not", async () => {
    const peer = await open();
    const texts = [0, 1, 125, 126, 127, 1000, 65_535, 65_536, messageMaxBytes].flatMap((length) => [
      "x".repeat(length),
      "é".repeat(length / 2),
    ]);
    for (const text of texts) peer.send(text);
    for (const text of texts) expect((await peer.next()) === text, `${text.length} characters`).toBe(true);
    peer.close(1000);
    expect(await peer.closed).toEqual([1000, ""]);
  });

  it("takes part in a closing handshake that the peer begins", async () => {
    for (const [code, reason] of [
      [undefined, ""],
      [1000, ""],
      [3000, "bye"],
      [4999, "届".repeat(41)],
    ] as const) {
      const peer = await open();
      const { telling } = accepted.pop() as (typeof accepted)[number];
      peer.close(code, reason);
      expect(await telling.closing.promise).toEqual({ code: code ?? 1005, reason });
      expect(await peer.closed).toEqual([code ?? 1005, ""]);
    }
  });

  it("gives the peer the code and the reason, and hears its answer", async () => {
    for (const code of [1000, 1001, 1012, 4401, 4408, 4503]) {
      const peer = await open();
      const { link, telling } = accepted.pop() as (typeof accepted)[number];
      link.close(code, "because");
      expect(await peer.closed).toEqual([code, "because"]);
      expect((await telling.closing.promise).code).toBe(code);
    }
  });

  it("closes with 1009 for a byte more than allowed, with 1003 for binary", async () => {
    for (const [data, code] of [
      ["x".repeat(messageMaxBytes + 1), 1009],
      ["é".repeat(messageMaxBytes), 1009],
      [new Uint8Array(10), 1003],
    ] as const) {
      const peer = await open();
      const { telling } = accepted.pop() as (typeof accepted)[number];
      peer.send(data);
      expect((await peer.closed)[0]).toBe(code);
      expect((await telling.closing.promise).code).toBe(code);
    }
  });

  it("agrees on the first protocol that is offered", async () => {
    const peer = await open(["todoku.v1", "other"]);
    expect(peer.protocol).toBe("todoku.v1");
    peer.close();
    await peer.closed;
  });
});

it("answers the pings of ws, and its pongs are signs of life", async () => {
  const client = new WsClient(`ws://127.0.0.1:${server.port}`);
  await once(client, "open");
  const { link, telling } = accepted.pop() as (typeof accepted)[number];
  client.ping("payload");
  expect(String((await once(client, "pong"))[0])).toBe("payload");
  const before = telling.count("heard");
  link.ping();
  await once(client, "ping");
  client.close();
  await telling.closing.promise;
  expect(telling.count("heard")).toBeGreaterThan(before);
});

it("works over TLS", async () => {
  await using certificate = await aCertificate();
  const [cert, key] = await Promise.all([readFile(certificate.certFile), readFile(certificate.keyFile)]);
  const secure: Server = createServer({ cert, key }).listen(0, "127.0.0.1");
  secure.on("upgrade", (request, socket: Socket, head) => {
    const handshake = readHandshake(request);
    if ("status" in handshake) throw new Error(handshake.message);
    socket.write(switchingProtocols(handshake.key));
    accept(socket).link.start(head);
  });
  await once(secure, "listening");
  const { port } = secure.address() as AddressInfo;
  const agent = new Agent({ ca: certificate.ca, servername: "momento.test" });
  const client = new WsClient(`wss://127.0.0.1:${port}`, { agent });
  await once(client, "open");
  for (const text of ["a", "x".repeat(messageMaxBytes)]) {
    client.send(text);
    expect(String((await once(client, "message"))[0]) === text).toBe(true);
  }
  client.close(4000, "bye");
  expect((await once(client, "close"))[0]).toBe(4000);
  secure.close();
  await once(secure, "close");
});
