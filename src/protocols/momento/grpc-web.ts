import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { toCaller } from "../../domain/auth/caller.ts";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { isStopping } from "../../domain/topics/stopping.ts";
import type { Encoding } from "../../domain/topics/subscription.ts";
import { connectionOf, cutCall, endConnection, leaveConnection } from "../../lib/end-connection.ts";
import { isGone } from "../../lib/response.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";
import { type SendBuffer, sendBufferOf } from "../send-buffer.ts";
import type { UnreadAnswers } from "../unread-answers.ts";
import { holdOf } from "../uploads.ts";
import type { Call, StreamCall } from "./call.ts";
import { setWebHeaders } from "./cors.ts";
import { deadlineStatus, toWire, type WireStatus } from "./errors.ts";
import { binaryEncoding, heartbeatFrame, heartbeatTextFrame, textEncoding, toFrame, toText } from "./frames.ts";
import type { EnvelopeOptions } from "./grpc.ts";
import { parseTimeout } from "./timeout.ts";
import { readMessage } from "./web-body.ts";

const okStatus: WireStatus = { status: 0, message: "", err: undefined };
const trailerFlag = 0x80;

/** Does this request speak grpc-web? Both forms: base64 text, which Momento's web SDK uses, and binary. */
export function isGrpcWeb(contentType: string | undefined): boolean {
  return contentType?.startsWith("application/grpc-web") === true;
}

/** grpc-web on HTTP/1.1, and on HTTP/2 through Node's compatibility objects. Answers 200 always; the status is in the body's last frame. */
export class GrpcWebEnvelope {
  readonly #options: EnvelopeOptions;

  constructor(options: EnvelopeOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = new WebExchange(request, response, this.#options.unread);
    const path = (request.url ?? "").split("?", 1)[0] as string;
    const refuse = (error: unknown) => this.#refuse(request, exchange, error, path);
    try {
      const method = this.#options.methods.get(path);
      if (!method) throw new TodokuError("unimplemented", `method ${path} is not implemented`);
      const call = toCall(
        request,
        await readMessage(request, exchange.isText, holdOf(request, this.#options.wheel)),
        this.#options.proxies,
      );
      if (method.kind === "stream") await method.handle(new WebStreamCall(exchange, call, refuse));
      else await this.#unary(exchange, call, method.handle);
    } catch (error) {
      refuse(error);
    }
  }

  async #unary(
    exchange: WebExchange,
    call: Call,
    handle: (call: Call) => Uint8Array | Promise<Uint8Array>,
  ): Promise<void> {
    const deadline =
      call.timeoutMs === undefined
        ? undefined
        : this.#options.wheel.schedule(call.timeoutMs, () => exchange.end(deadlineStatus));
    try {
      const message = await handle(call);
      exchange.hold(message.length);
      exchange.write(toFrame(message));
      exchange.end(okStatus);
    } finally {
      deadline?.cancel();
    }
  }

  #refuse(request: IncomingMessage, exchange: WebExchange, error: unknown, path: string): void {
    const known = toTodokuError(error);
    // Only a broken line makes the web SDK come back.
    if (isStopping(known)) {
      cutCall(exchange.response);
      return;
    }
    if (known.code === "internal") this.#options.onInternalError(known, path);
    const connection = connectionOf(request, exchange.response);
    if (this.#options.connectionGuard?.refused(known, connection, request.socket.remoteAddress))
      endConnection(exchange.response);
    const end = () => exchange.end(toWire(known));
    if (known.retryAfterMs === undefined) end();
    else this.#options.wheel.schedule(limits.rates.refusalDelayMs, end);
  }
}

/** The response side of one grpc-web request. */
class WebExchange {
  readonly isText: boolean;
  readonly response: ServerResponse;
  readonly sendBuffer: SendBuffer;
  readonly #contentType: string;
  readonly #unread: UnreadAnswers;

  constructor(request: IncomingMessage, response: ServerResponse, unread: UnreadAnswers) {
    this.isText = request.headers["content-type"]?.startsWith("application/grpc-web-text") === true;
    this.#contentType = `application/grpc-web${this.isText ? "-text" : ""}+proto`;
    this.response = response;
    this.#unread = unread;
    this.sendBuffer = sendBufferOf(connectionOf(request, response));
    response.on("error", () => {}); // `close` follows
    setWebHeaders(request, response);
  }

  /** @throws TodokuError `unavailable`. */
  hold(bytes: number): void {
    if (this.isWritable) this.#unread.hold(this.response, bytes);
  }

  get isWritable(): boolean {
    return !this.response.writableEnded && !isGone(this.response);
  }

  open(): void {
    if (this.response.headersSent) return;
    this.response.writeHead(200, {
      "content-type": this.#contentType,
      "x-accel-buffering": "no",
    });
    // The head leaves with the first frame, which follows at once.
  }

  write(frame: Uint8Array): void {
    if (!this.isWritable) return;
    this.open();
    this.response.write(this.isText ? toText(frame) : frame);
  }

  end({ status, message, err }: WireStatus): void {
    if (!this.isWritable) return;
    const lines = `grpc-status:${status}\r\ngrpc-message:${message}\r\n${err === undefined ? "" : `err:${err}\r\n`}`;
    this.write(toFrame(Buffer.from(lines), trailerFlag));
    this.response.end();
  }
}

class WebStreamCall implements StreamCall {
  readonly encoding: Encoding;
  readonly resumePlaces = undefined;
  readonly #exchange: WebExchange;
  readonly #call: Call;
  readonly #fail: (error: TodokuError) => void;
  #sentBytes = 0;
  #maxBytes: number = limits.webBodyMaxBytes;

  constructor(exchange: WebExchange, call: Call, fail: (error: TodokuError) => void) {
    this.encoding = exchange.isText ? textEncoding : binaryEncoding;
    this.#exchange = exchange;
    this.#call = call;
    this.#fail = fail;
  }

  get caller() {
    return this.#call.caller;
  }
  get headers() {
    return this.#call.headers;
  }
  get authorization() {
    return this.#call.authorization;
  }
  get cacheName() {
    return this.#call.cacheName;
  }
  get timeoutMs() {
    return this.#call.timeoutMs;
  }
  get request() {
    return this.#call.request;
  }

  open(hasEnd = false): void {
    if (hasEnd) this.#maxBytes = Number.POSITIVE_INFINITY;
    this.#exchange.open();
  }

  write(frame: Uint8Array): boolean {
    const { response, isWritable, sendBuffer } = this.#exchange;
    if (!isWritable) return true;
    response.write(frame);
    this.#sentBytes += frame.length;
    // XHR keeps the whole body as text, so a tab that is open for a week would grow without end. The SDK takes an end
    // without trailers as a broken line and resumes behind the item it has just got.
    if (this.#sentBytes > this.#maxBytes) response.end();
    return sendBuffer.wrote(response);
  }

  hold(bytes: number): void {
    this.#exchange.hold(bytes);
  }

  beat(): void {
    const { response, isWritable, isText, sendBuffer } = this.#exchange;
    if (!isWritable) return;
    sendBuffer.recheck();
    if (response.writableLength >= limits.http2.streamSendBufferBytes) return;
    const frame = isText ? heartbeatTextFrame : heartbeatFrame;
    this.#sentBytes += frame.length;
    response.write(frame);
  }

  end(error?: TodokuError): void {
    // For the web SDK even UNAVAILABLE is final (reference 4), but a body that just ends is a broken line: it comes back.
    if (error && isStopping(error)) leaveConnection(this.#exchange.response);
    if (error?.code === "unavailable" && this.#exchange.response.headersSent) this.#exchange.response.end();
    else if (error) this.#fail(error);
    else this.#exchange.end(okStatus);
  }

  start(listener: () => boolean): void {
    const { response, sendBuffer } = this.#exchange;
    sendBuffer.add(response, listener);
    sendBuffer.start(response);
  }

  onClose(listener: () => void): void {
    if (this.#exchange.isWritable) this.#exchange.response.once("close", listener);
    else listener();
  }
}

function toCall(request: IncomingMessage, message: Uint8Array, proxies: TrustedProxies | undefined): Call {
  const { headers } = request;
  return {
    caller: toCaller(request.socket.remoteAddress, headers, proxies),
    headers,
    authorization: headers.authorization ?? "",
    cacheName: typeof headers.cache === "string" ? headers.cache : "",
    timeoutMs: parseTimeout(headers["grpc-timeout"] as string | undefined),
    request: message,
  };
}
