import { createServer as createHttpServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import {
  createServer as createHttp2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limits } from "../domain/limits.ts";
import { isLoopbackAddress } from "../lib/loopback.ts";
import { commonHeaders } from "../lib/response.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";
import { guardSession } from "./session-guard.ts";
import { createTls, type Protocol } from "./tls.ts";
import type { OpenTls } from "./tls-files.ts";
import { refusePlaintext } from "./tls-plaintext.ts";

/** Who gets what comes in. */
export interface Doors {
  /** An HTTP request, of HTTP/1.1 or HTTP/2. */
  handleHttp(request: IncomingMessage, response: ServerResponse): void;
  /** An HTTP/2 stream with content type application/grpc. */
  handleGrpc(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
  /** A request of HTTP/1.1 that asks for a WebSocket. The socket is the door's from then on; `head` came behind the request. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** What may be set of the one port. */
export interface ListenerOptions {
  readonly firstBytesMs?: number;
  /** Asked for each new connection: what to call when it has closed, or undefined to refuse it. Default: all are taken. */
  readonly admitConnection?: (address: string | undefined) => (() => void) | undefined;
  /** With it the port speaks TLS. */
  readonly tls?: OpenTls | undefined;
}

/** The one port. */
export interface Listener {
  /** Binds; 0 = any free port. Resolves with the port. Rejects when it cannot. */
  listen(port: number, host: string): Promise<number>;
  /** Takes no new connection from now on; what is open goes on. */
  stopAccepting(): void;
  /** As if the network failed: cuts every connection and resets each new one, until `unblock`. The port stays bound, so nobody else can take it. */
  block(): void;
  unblock(): void;
  /** Stops accepting, closes idle connections, and cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
  connections(): number;
}

/** HTTP/2 sessions may be silent for days; a peer that is gone is noticed so much later. */
const keepAliveMs = 60_000;
/** A stop looks this often for lines whose last call has ended. */
const idleCheckMs = 20;
const h2Preface = Buffer.from("PRI * HTTP/2.0");
/** The first byte of a TLS record that holds a handshake (RFC 8446 5.1). */
const tlsHandshake = 0x16;

/** One TCP port for TLS, HTTP/2 without TLS (its preface comes first) and HTTP/1.1: the first bytes decide, and the socket is handed on whole. */
export function createListener(doors: Doors, wheel: TimerWheel, overrides: ListenerOptions = {}): Listener {
  const firstBytesMs = overrides.firstBytesMs ?? limits.firstBytesMs;
  const http1 = createHttp1(doors, firstBytesMs);
  const http2 = createHttp2(doors, wheel, firstBytesMs);
  /** With what to call when each has closed. */
  const sockets = new Map<Socket, (() => void) | undefined>();
  let isBlocked = false;
  /** Those that have not said what they speak: browsers and `fetch` open some ahead. */
  const silent = new SilentSockets(wheel, firstBytesMs);
  const http1Lines = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  /** `stream` is the socket, or the inside of its TLS. */
  const handOn = (socket: Socket, stream: Socket, protocol: Protocol) => {
    silent.delete(socket);
    if (protocol === "http2") {
      // The others have an end of their own: keep-alive, and heartbeats.
      socket.setKeepAlive(true, keepAliveMs);
      http2.emit("connection", stream);
      return;
    }
    http1Lines.add(stream);
    if (stream !== socket) stream.once("close", () => http1Lines.delete(stream));
    http1.emit("connection", stream);
  };
  const { tls: tlsOptions } = overrides;
  const tls = tlsOptions && createTls(tlsOptions.files.current, handOn);
  tlsOptions?.files.onChange((certificate) => tls?.use(certificate));
  const takesPlaintext = ({ remoteAddress }: Socket) =>
    !tlsOptions || (tlsOptions.plaintext === "loopback" && isLoopbackAddress(remoteAddress));

  // One function for all sockets: what each has of its own, ten thousand that do nothing have too.
  function closed(this: Socket) {
    sockets.get(this)?.();
    sockets.delete(this);
    silent.delete(this);
    http1Lines.delete(this);
  }
  function decided(socket: Socket, spoken: Protocol | "tls") {
    if (spoken === "tls" && tls) tls.accept(socket);
    else if (!takesPlaintext(socket)) refusePlaintext(socket, spoken === "http2");
    else handOn(socket, socket, spoken === "http2" ? "http2" : "http1");
  }
  const tcp = createTcpServer({ noDelay: true }, (socket) => {
    const { admitConnection } = overrides;
    const release = isBlocked ? undefined : admitConnection?.(socket.remoteAddress);
    if (isBlocked || (admitConnection && !release)) {
      reset(socket);
      return;
    }
    sockets.set(socket, release);
    silent.add(socket);
    socket.on("close", closed);
    socket.on("error", ignore); // a reset; `close` follows
    sniff(socket, tls !== undefined, decided);
  });

  const ended = Promise.withResolvers<void>();
  const stopAccepting = () => {
    tcp.close(() => ended.resolve());
    silent.destroyAll();
  };

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        tcp.once("error", reject);
        tcp.listen({ port, host, backlog: 4096 }, () => {
          tcp.off("error", reject);
          // It is this event that makes node:http watch for heads that never end; its own `listen` is not called here.
          http1.emit("listening");
          resolve((tcp.address() as AddressInfo).port);
        });
      }),
    stopAccepting,
    block() {
      isBlocked = true;
      for (const socket of sockets.keys()) socket.destroy();
    },
    unblock() {
      isBlocked = false;
    },
    async close(graceMs) {
      stopAccepting();
      for (const session of sessions) session.close();
      // node:http takes a line for idle whose answer still waits for a slow reader: then the others wait for it too.
      const closeIdle = () => {
        if (![...http1Lines].some(({ writableLength }) => writableLength > 0)) http1.closeIdleConnections();
      };
      closeIdle();
      const idle = setInterval(closeIdle, idleCheckMs);
      const cut = setTimeout(() => {
        for (const socket of sockets.keys()) socket.destroy();
      }, graceMs);
      await ended.promise;
      clearTimeout(cut);
      clearInterval(idle);
      // Lines and sessions tell of their end a little after the socket has closed: who has to take back an answer would hear of it too late.
      const left = [...http1Lines, ...sessions];
      await Promise.all(left.map((one) => new Promise((resolve) => one.once("close", resolve))));
      http1.close();
      http2.close();
    },
    connections: () => sockets.size,
  };
}

/** A reset: whoever makes too many connections leaves no closed ones behind here. */
function reset(socket: Socket): void {
  socket.on("error", ignore).resetAndDestroy();
}

function ignore(): void {}

/** Sockets that have to say something before their time is over: one deadline for the oldest of them. */
class SilentSockets {
  readonly #wheel: TimerWheel;
  readonly #firstBytesMs: number;
  /** When the time of each is over; the oldest first. */
  readonly #sockets = new Map<Socket, number>();
  #isWatching = false;

  constructor(wheel: TimerWheel, firstBytesMs: number) {
    this.#wheel = wheel;
    this.#firstBytesMs = firstBytesMs;
  }

  add(socket: Socket): void {
    this.#sockets.set(socket, this.#wheel.nowMs() + this.#firstBytesMs);
    this.#watch();
  }

  delete(socket: Socket): void {
    this.#sockets.delete(socket);
  }

  destroyAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #watch(): void {
    const [oldestMs] = this.#sockets.values();
    if (this.#isWatching || oldestMs === undefined) return;
    this.#isWatching = true;
    this.#wheel.schedule(oldestMs - this.#wheel.nowMs(), () => {
      this.#isWatching = false;
      for (const [socket, dueMs] of this.#sockets) {
        if (dueMs > this.#wheel.nowMs()) break;
        this.#sockets.delete(socket);
        socket.destroy();
      }
      this.#watch();
    });
  }
}

/**
 * Reads until the first bytes tell TLS, HTTP/2 and HTTP/1.1 apart. Its caller's deadline ends a socket it never decides about. HTTP/1.1 gets the bytes
 * as if they came just then; to put them back, as for the others, and have them read again takes a third of the time that a connection takes.
 * Without `speaksTls` a TLS handshake is HTTP/1.1 that is none, which node:http answers at once.
 */
function sniff(socket: Socket, speaksTls: boolean, decided: (socket: Socket, spoken: Protocol | "tls") => void): void {
  let head: Buffer | undefined;
  const look = (chunk: Buffer) => {
    head = head ? Buffer.concat([head, chunk]) : chunk;
    const length = Math.min(head.length, h2Preface.length);
    // Most begin with GET: to compare their bytes would cost each connection some 4 us.
    const mayBePreface = head[0] === h2Preface[0];
    const isPreface = mayBePreface && head.compare(h2Preface, 0, length, 0, length) === 0;
    if (isPreface && length < h2Preface.length) return;
    socket.off("data", look);
    if (mayBePreface && !isPreface && head.subarray(0, 4).equals(h2Preface.subarray(0, 4))) {
      // Neither: node:http would wait for the rest of an HTTP/2 preface that is none.
      refuse(socket, 400);
      return;
    }
    if (isPreface || (speaksTls && head[0] === tlsHandshake)) {
      socket.pause();
      socket.unshift(head);
      decided(socket, isPreface ? "http2" : "tls");
      return;
    }
    decided(socket, "http1");
    socket.emit("data", head);
  };
  socket.on("data", look);
}

function createHttp1(doors: Doors, headersTimeoutMs: number) {
  const server = createHttpServer(
    {
      maxHeaderSize: limits.http.headersMaxBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.http.keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, headersTimeoutMs),
      // Java's HttpClient and `curl --http2` offer h2c with their first request; it is answered as if they had not (RFC 9110 7.8).
      shouldUpgradeCallback: ({ headers }) =>
        headers.upgrade?.split(",").some((name) => name.trim().toLowerCase() === "websocket") === true,
    },
    (request, response) => doors.handleHttp(request, response),
  );
  server.on("upgrade", (request, socket, head) => doors.handleUpgrade(request, socket, head));
  return server;
}

/** Ends a connection on which there is no request that a door could answer. */
function refuse(socket: Duplex, status: number): void {
  const headers = { connection: "close", "content-length": "0", ...commonHeaders };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n`);
}

function createHttp2(doors: Doors, wheel: TimerWheel, firstBytesMs: number) {
  const { http2 } = limits;
  const server = createHttp2Server({
    maxSessionMemory: http2.sessionMemoryMb,
    maxHeaderListPairs: http2.headerPairsMax,
    maxSettings: http2.settingsEntriesMax,
    maxSessionInvalidFrames: http2.invalidFramesMax,
    maxSessionRejectedStreams: http2.rejectedStreamsMax,
    streamResetBurst: http2.streamResetBurst,
    streamResetRate: http2.streamResetRate,
    settings: {
      maxConcurrentStreams: http2.maxConcurrentStreams,
      maxHeaderListSize: http2.headerListMaxBytes,
      initialWindowSize: http2.initialWindowBytes,
      enablePush: false,
    },
  });
  server.on("session", (session) => guardSession(session, wheel, firstBytesMs));
  server.on("stream", (stream, headers, _flags, rawHeaders) => {
    const contentType = headers["content-type"] ?? "";
    if (contentType.startsWith("application/grpc") && !contentType.startsWith("application/grpc-web")) {
      doors.handleGrpc(stream, headers);
      return;
    }
    // What node:http2 itself does for its `request` event, which would cost each gRPC stream two objects.
    const request = new Http2ServerRequest(stream, headers, {}, rawHeaders as unknown as readonly string[]);
    const response = new Http2ServerResponse(stream);
    doors.handleHttp(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  });
  return server;
}
