import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import { toCaller } from "../../domain/auth/caller.ts";
import type { Caller } from "../../domain/auth/principal.ts";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import { limits } from "../../domain/limits.ts";
import { isStopping } from "../../domain/topics/stopping.ts";
import { endSession } from "../../lib/end-connection.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";
import { type SendBuffer, sendBufferOf } from "../send-buffer.ts";
import type { UnreadAnswers } from "../unread-answers.ts";
import { uploadsOf } from "../uploads.ts";
import type { Call, Methods, StreamCall } from "./call.ts";
import { deadlineStatus, toWire, type WireStatus } from "./errors.ts";
import { binaryEncoding, heartbeatFrame, toFrame } from "./frames.ts";
import { RequestBody } from "./request-body.ts";
import { ResumePlaces } from "./resume-places.ts";
import { parseTimeout } from "./timeout.ts";

const contentType = "application/grpc";
const openHead = { ":status": 200, "content-type": contentType };
const thenTrailers = { waitForTrailers: true };
const okTrailers = { "grpc-status": "0" };

/** What both envelopes need of the server. */
export interface EnvelopeOptions {
  readonly methods: Methods;
  readonly wheel: TimerWheel;
  /** Reports an error that is not the client's; the cause is logged, never sent. */
  readonly onInternalError: (error: TodokuError, path: string) => void;
  /** Of both envelopes and the HTTP API together. */
  readonly unread: UnreadAnswers;
  /** Whose word on the client's address counts; default: nobody's. */
  readonly proxies?: TrustedProxies | undefined;
  /** Says whose connection is to be closed for going on when it is refused; default: nobody's. */
  readonly connectionGuard?: Pick<ConnectionGuard, "refused"> | undefined;
}

/** gRPC on the streams of `node:http2`. One per server; `serve` takes streams whose content type is application/grpc. */
export class GrpcEnvelope {
  readonly #options: EnvelopeOptions;
  readonly #resumePlaces = new WeakMap<ServerHttp2Session, ResumePlaces>();

  constructor(options: EnvelopeOptions) {
    this.#options = options;
  }

  serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    stream.on("error", ignore); // a reset by the client; `close` follows
    if (headers[":method"] !== "POST") {
      if (isWritable(stream)) stream.respond({ ":status": 405, allow: "POST" }, { endStream: true });
      return;
    }
    const path = headers[":path"] as string;
    const method = this.#options.methods.get(path);
    if (!method) {
      this.#refuse(stream, new TodokuError("unimplemented", `method ${path} is not implemented`), path);
      return;
    }
    const body = new RequestBody(limits.grpcMessageMaxBytes);
    let isWhole = false;
    stream.on("data", (chunk: Buffer) => {
      if (isWhole) return;
      try {
        const request = body.push(chunk);
        if (!request) {
          uploadsOf(stream.session as ServerHttp2Session, this.#options.wheel).hold(stream, body.heldBytes, (error) => {
            if (!isWhole) this.#refuse(stream, error, path);
            isWhole = true;
          });
          return;
        }
        isWhole = true;
        const call = toCall(stream, headers, request, this.#options.proxies);
        if (method.kind === "unary") this.#unary(stream, path, method.handle, call);
        else this.#stream(stream, path, method.handle, call);
      } catch (error) {
        isWhole = true;
        this.#refuse(stream, error, path);
      }
    });
    stream.on("end", () => {
      if (isWhole) return;
      isWhole = true;
      try {
        body.ended();
      } catch (error) {
        this.#refuse(stream, error, path);
      }
    });
  }

  #unary(
    stream: ServerHttp2Stream,
    path: string,
    handle: (call: Call) => Uint8Array | Promise<Uint8Array>,
    call: Call,
  ): void {
    const answer = handle(call);
    if (answer instanceof Uint8Array) {
      this.#reply(stream, answer, path);
      return;
    }
    let isAnswered = false;
    const deadline =
      call.timeoutMs === undefined
        ? undefined
        : this.#options.wheel.schedule(call.timeoutMs, () => {
            isAnswered = true;
            endWith(stream, deadlineStatus);
          });
    answer.then(
      (message) => {
        deadline?.cancel();
        if (!isAnswered) this.#reply(stream, message, path);
      },
      (error: unknown) => {
        deadline?.cancel();
        if (!isAnswered) this.#refuse(stream, error, path);
      },
    );
  }

  #reply(stream: ServerHttp2Stream, message: Uint8Array, path: string): void {
    if (!isWritable(stream)) return;
    try {
      this.#options.unread.hold(stream, message.length);
    } catch (error) {
      this.#refuse(stream, error, path);
      return;
    }
    stream.respond(openHead, thenTrailers);
    stream.on("wantTrailers", sendOkTrailers);
    stream.end(toFrame(message));
  }

  #stream(stream: ServerHttp2Stream, path: string, handle: (call: StreamCall) => Promise<void>, call: Call): void {
    const session = stream.session as ServerHttp2Session;
    const outlet = { stream, sendBuffer: sendBufferOf(session), unread: this.#options.unread };
    const streamCall = new GrpcStreamCall(outlet, call, this.#places(session), (error) =>
      this.#refuse(stream, error, path),
    );
    handle(streamCall).catch((error: unknown) => streamCall.end(toTodokuError(error)));
  }

  #places(session: ServerHttp2Session): ResumePlaces {
    let places = this.#resumePlaces.get(session);
    if (!places) {
      places = new ResumePlaces();
      this.#resumePlaces.set(session, places);
    }
    return places;
  }

  #refuse(stream: ServerHttp2Stream, error: unknown, path: string): void {
    const known = toTodokuError(error);
    if (known.code === "internal") this.#options.onInternalError(known, path);
    const end = () => endWith(stream, toWire(known));
    if (known.retryAfterMs === undefined) end();
    else this.#options.wheel.schedule(limits.rates.refusalDelayMs, end);
    const { session } = stream;
    if (!session || session.destroyed) return;
    // What the client opens from now on goes elsewhere; its other streams go on until they are told too.
    if (isStopping(known)) session.close();
    if (this.#options.connectionGuard?.refused(known, session, session.socket.remoteAddress)) endSession(session);
  }
}

class GrpcStreamCall implements StreamCall {
  readonly encoding = binaryEncoding;
  readonly resumePlaces: ResumePlaces;
  readonly caller: Caller;
  readonly headers: IncomingHttpHeaders;
  readonly authorization: string;
  readonly cacheName: string;
  readonly timeoutMs: number | undefined;
  readonly request: Uint8Array;
  readonly #stream: ServerHttp2Stream;
  readonly #sendBuffer: SendBuffer;
  readonly #unread: UnreadAnswers;
  readonly #fail: (error: TodokuError) => void;
  #drained: (() => boolean) | undefined;

  constructor(
    outlet: { stream: ServerHttp2Stream; sendBuffer: SendBuffer; unread: UnreadAnswers },
    call: Call,
    resumePlaces: ResumePlaces,
    fail: (error: TodokuError) => void,
  ) {
    this.caller = call.caller;
    this.headers = call.headers;
    this.authorization = call.authorization;
    this.cacheName = call.cacheName;
    this.timeoutMs = call.timeoutMs;
    this.request = call.request;
    this.resumePlaces = resumePlaces;
    this.#stream = outlet.stream;
    this.#sendBuffer = outlet.sendBuffer;
    this.#unread = outlet.unread;
    this.#fail = fail;
  }

  open(): void {
    if (!isWritable(this.#stream)) return;
    this.#stream.respond(openHead, thenTrailers);
    this.#sendBuffer.add(this.#stream, () => this.#drained?.() === true);
  }

  write(frame: Uint8Array): boolean {
    if (!isWritable(this.#stream)) return true;
    this.#stream.write(frame);
    return this.#sendBuffer.wrote(this.#stream);
  }

  hold(bytes: number): void {
    this.#unread.hold(this.#stream, bytes);
  }

  beat(): void {
    if (!isWritable(this.#stream)) return;
    this.#sendBuffer.recheck();
    // A stream with bytes waiting says that it lives by them.
    if (this.#stream.writableLength < limits.http2.streamSendBufferBytes) this.#stream.write(heartbeatFrame);
  }

  end(error?: TodokuError): void {
    if (error) this.#fail(error);
    else finish(this.#stream, okTrailers);
  }

  start(listener: () => boolean): void {
    this.#drained = listener;
    this.#sendBuffer.start(this.#stream);
  }

  onClose(listener: () => void): void {
    if (this.#stream.closed || this.#stream.destroyed) listener();
    else this.#stream.once("close", listener);
  }
}

function toCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  request: Uint8Array,
  proxies: TrustedProxies | undefined,
): Call {
  return {
    caller: toCaller(stream.session?.socket?.remoteAddress, headers, proxies),
    headers,
    authorization: headers.authorization ?? "",
    cacheName: toText(headers.cache),
    timeoutMs: parseTimeout(headers["grpc-timeout"] as string | undefined),
    request,
  };
}

function toText(header: string | string[] | undefined): string {
  return typeof header === "string" ? header : "";
}

/** Of the stream it is called on. Shared, and not by `once`: each unary call would make two closures for it. */
function sendOkTrailers(this: ServerHttp2Stream): void {
  this.sendTrailers(okTrailers);
}

function endWith(stream: ServerHttp2Stream, { status, message, err }: WireStatus): void {
  const trailers = { "grpc-status": String(status), "grpc-message": message, ...(err === undefined ? {} : { err }) };
  if (!isWritable(stream)) return;
  if (stream.headersSent) finish(stream, trailers);
  else {
    stream.respond({ ...openHead, ...trailers }, { endStream: true });
    // What the client still sends is not wanted; without this its upload would hold the stream open.
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

function finish(stream: ServerHttp2Stream, trailers: Record<string, string>): void {
  if (!isWritable(stream)) return;
  stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end();
}

function isWritable(stream: ServerHttp2Stream): boolean {
  return !stream.destroyed && !stream.closed && !stream.writableEnded;
}

function ignore(): void {}
