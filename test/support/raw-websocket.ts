import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { readHandshake, switchingProtocols } from "../../src/lib/websocket/handshake.ts";
import type { LinkHandler, WebSocketLink } from "../../src/lib/websocket/link.ts";

/** What a link told, in order. */
export type Told = ["text", string] | ["heard"] | ["drained"] | ["closed", number, string];

const exampleKey = "dGhlIHNhbXBsZSBub25jZQ==";

/** A frame of a client, masked. `lengthForm`: how many bytes its length takes, the shortest by default. */
export function clientFrame(
  opcode: number,
  payload: Uint8Array | string,
  options: { isFinal?: boolean; reserved?: number; mask?: number; lengthForm?: 0 | 2 | 8 } = {},
): Buffer {
  const { isFinal = true, reserved = 0, mask = 0x37fa213d } = options;
  const bytes = Buffer.from(payload);
  const form = options.lengthForm ?? (bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + form + 4);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = 0x80 | (form === 0 ? bytes.length : form === 2 ? 126 : 127);
  if (form === 2) head.writeUInt16BE(bytes.length, 2);
  if (form === 8) head.writeBigUInt64BE(BigInt(bytes.length), 2);
  head.writeUInt32BE(mask, 2 + form);
  return Buffer.concat([head, bytes.map((byte, n) => byte ^ (head[2 + form + (n % 4)] as number))]);
}

/** A frame of the server. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Takes the first frame off; undefined when it is not whole. @throws when it is not what a server may send. */
export function takeServerFrame(bytes: Buffer): { frame: ServerFrame; rest: Buffer } | undefined {
  if (bytes.length < 2) return undefined;
  const [first = 0, second = 0] = bytes;
  if ((first & 0xf0) !== 0x80 || second > 127) throw new Error(`not a frame of a server: ${first} ${second}`);
  const headBytes = second < 126 ? 2 : second === 126 ? 4 : 10;
  if (bytes.length < headBytes) return undefined;
  const length = second < 126 ? second : second === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < headBytes + length) return undefined;
  const payload = bytes.subarray(headBytes, headBytes + length);
  return { frame: { opcode: first & 0x0f, payload }, rest: bytes.subarray(headBytes + length) };
}

/** A client that can send anything. */
export class RawWebSocket {
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #isEnded = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    socket.on("error", () => {});
    socket.on("close", () => this.#end());
    socket.on("end", () => this.#end());
  }

  static async open(port: number, behindHandshake: Uint8Array = Buffer.alloc(0)): Promise<RawWebSocket> {
    const client = new RawWebSocket(connect(port, "127.0.0.1"));
    const head = `GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${exampleKey}\r\n\r\n`;
    client.send(Buffer.concat([Buffer.from(head), behindHandshake]));
    while (!client.#bytes.includes("\r\n\r\n")) await client.#more();
    client.#bytes = client.#bytes.subarray(client.#bytes.indexOf("\r\n\r\n") + 4);
    return client;
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next frame; undefined when the server has ended before. */
  async next(): Promise<ServerFrame | undefined> {
    for (;;) {
      const taken = takeServerFrame(this.#bytes);
      if (taken) {
        this.#bytes = taken.rest;
        return taken.frame;
      }
      if (this.#isEnded) return undefined;
      await this.#more();
    }
  }

  /** All frames until the server ends. */
  async all(): Promise<ServerFrame[]> {
    const frames: ServerFrame[] = [];
    for (let frame = await this.next(); frame; frame = await this.next()) frames.push(frame);
    return frames;
  }

  #end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** A bare server of links, without Todoku. */
export async function openLinkServer(
  accept: (socket: Socket) => { link: WebSocketLink },
): Promise<{ port: number; close(): Promise<void> }> {
  const server: Server = createServer();
  const sockets = new Set<Socket>();
  server.on("upgrade", (request, socket: Socket, head) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const handshake = readHandshake(request);
    if ("status" in handshake) {
      socket.end(`HTTP/1.1 ${handshake.status} ${handshake.message}\r\nconnection: close\r\n\r\n`);
      return;
    }
    socket.write(switchingProtocols(handshake.key, handshake.protocols[0]));
    accept(socket).link.start(head);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Keeps what a link tells; `closed` resolves with its code and reason. */
export class Telling implements LinkHandler {
  readonly told: Told[] = [];
  readonly closing = Promise.withResolvers<{ code: number; reason: string }>();
  /** What to do with a message. */
  onText: (text: string) => void = () => {};

  get texts(): string[] {
    return this.told.flatMap((told) => (told[0] === "text" ? [told[1]] : []));
  }

  count(what: Told[0]): number {
    return this.told.filter(([kind]) => kind === what).length;
  }

  text(text: string): void {
    this.told.push(["text", text]);
    this.onText(text);
  }

  heard(): void {
    this.told.push(["heard"]);
  }

  drained(): void {
    this.told.push(["drained"]);
  }

  closed(code: number, reason: string): void {
    this.told.push(["closed", code, reason]);
    this.closing.resolve({ code, reason });
  }
}
