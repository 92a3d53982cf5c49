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
import type { Deadline, TimerWheel } from "../lib/timer-wheel.ts";
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
  const sockets = new Set<Socket>();
  let isBlocked = false;
  /** Those that have not said what they speak, with their deadlines: browsers and `fetch` open some ahead. */
  const silent = new Map<Socket, Deadline>();
  const http1Lines = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  /** `stream` is the socket, or the inside of its TLS. */
  const handOn = (socket: Socket, stream: Socket, protocol: Protocol) => {
    silent.get(socket)?.cancel();
    silent.delete(socket);
    if (protocol === "http1") {
      http1Lines.add(stream);
      stream.once("close", () => http1Lines.delete(stream));
    }
    (protocol === "http2" ? http2 : http1).emit("connection", stream);
  };
  const { tls: tlsOptions } = overrides;
  const tls = tlsOptions && createTls(tlsOptions.files.current, handOn);
  tlsOptions?.files.onChange((certificate) => tls?.use(certificate));
  const takesPlaintext = ({ remoteAddress }: Socket) =>
    !tlsOptions || (tlsOptions.plaintext === "loopback" && isLoopbackAddress(remoteAddress));

  const tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
    if (isBlocked) {
      reset(socket);
      return;
    }
    if (!isAdmitted(socket, overrides)) return;
    sockets.add(socket);
    silent.set(
      socket,
      wheel.schedule(firstBytesMs, () => socket.destroy()),
    );
    socket.once("close", () => {
      sockets.delete(socket);
      silent.get(socket)?.cancel();
      silent.delete(socket);
    });
    socket.on("error", () => {}); // a reset; `close` follows
    sniff(socket, (spoken) => {
      if (spoken === "tls" && tls) tls.accept(socket);
      else if (!takesPlaintext(socket)) refusePlaintext(socket, spoken === "http2");
      else handOn(socket, socket, spoken === "http2" ? "http2" : "http1");
    });
  });

  const closed = Promise.withResolvers<void>();
  const stopAccepting = () => {
    tcp.close(() => closed.resolve());
    for (const socket of silent.keys()) socket.destroy();
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
      for (const socket of sockets) socket.destroy();
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
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed.promise;
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

/** Refuses a connection with a reset: whoever makes too many leaves no closed ones behind here. */
function isAdmitted(socket: Socket, { admitConnection }: ListenerOptions): boolean {
  if (!admitConnection) return true;
  const release = admitConnection(socket.remoteAddress);
  if (release) socket.once("close", release);
  else reset(socket);
  return release !== undefined;
}

function reset(socket: Socket): void {
  socket.on("error", () => {}).resetAndDestroy();
}

/** Reads until the first bytes tell TLS, HTTP/2 and HTTP/1.1 apart, then puts them back. Its caller's deadline ends a socket it never decides about. */
function sniff(socket: Socket, decided: (spoken: Protocol | "tls") => void): void {
  let head: Buffer = Buffer.alloc(0);
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (!chunk) return; // ended before it began: `end` and `close` follow
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    const length = Math.min(head.length, h2Preface.length);
    const isPreface = head.compare(h2Preface, 0, length, 0, length) === 0;
    if (isPreface && length < h2Preface.length) {
      socket.once("readable", look);
      return;
    }
    if (!isPreface && head.subarray(0, 4).equals(h2Preface.subarray(0, 4))) {
      // Neither: node:http would wait for the rest of an HTTP/2 preface that is none.
      refuse(socket, 400);
      return;
    }
    socket.unshift(head);
    decided(isPreface ? "http2" : head[0] === tlsHandshake ? "tls" : "http1");
  };
  socket.once("readable", look);
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
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === "websocket",
    },
    (request, response) => doors.handleHttp(request, response),
  );
  server.on("upgrade", (_request, socket) => refuse(socket, 501));
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
