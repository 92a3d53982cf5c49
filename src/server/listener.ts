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
import { commonHeaders } from "../lib/response.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";
import { guardSession } from "./session-guard.ts";

/** Who gets what comes in. */
export interface Doors {
  /** An HTTP request, of HTTP/1.1 or HTTP/2. */
  handleHttp(request: IncomingMessage, response: ServerResponse): void;
  /** An HTTP/2 stream with content type application/grpc. */
  handleGrpc(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void;
}

/** The one port. */
export interface Listener {
  /** Binds; 0 = any free port. Resolves with the port. Rejects when it cannot. */
  listen(port: number, host: string): Promise<number>;
  /** Stops accepting, closes idle connections, and cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
  connections(): number;
}

const h2Preface = Buffer.from("PRI * HTTP/2.0");

/** One TCP port for HTTP/2 without TLS (its preface comes first) and HTTP/1.1: the first bytes decide, and the socket is handed on whole. */
export function createListener(doors: Doors, wheel: TimerWheel, overrides: { firstBytesMs?: number } = {}): Listener {
  const firstBytesMs = overrides.firstBytesMs ?? limits.firstBytesMs;
  const http1 = createHttp1(doors, firstBytesMs);
  const http2 = createHttp2(doors, wheel);
  const sockets = new Set<Socket>();
  /** Those that have not sent their first bytes: browsers and `fetch` open some ahead. */
  const silent = new Set<Socket>();
  const sessions = new Set<ServerHttp2Session>();
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });

  const tcp = createTcpServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 }, (socket) => {
    sockets.add(socket);
    silent.add(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
    });
    socket.on("error", () => {}); // a reset; `close` follows
    const slow = wheel.schedule(firstBytesMs, () => socket.destroy());
    sniff(socket, (isHttp2) => {
      slow.cancel();
      silent.delete(socket);
      (isHttp2 ? http2 : http1).emit("connection", socket);
    });
  });

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
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => tcp.close(() => resolve()));
      for (const socket of silent) socket.destroy();
      for (const session of sessions) session.close();
      http1.closeIdleConnections();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(cut);
      // A session tells its streams a little after its socket has closed: who waits for them would hear of it too late.
      await Promise.all([...sessions].map((session) => new Promise((resolve) => session.once("close", resolve))));
      http1.close();
      http2.close();
    },
    connections: () => sockets.size,
  };
}

/** Reads until the first bytes tell HTTP/2 from HTTP/1.1, then puts them back. Its caller's deadline ends a socket it never decides about. */
function sniff(socket: Socket, decided: (isHttp2: boolean) => void): void {
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
    decided(isPreface);
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

function createHttp2(doors: Doors, wheel: TimerWheel) {
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
  server.on("session", (session) => guardSession(session, wheel));
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
