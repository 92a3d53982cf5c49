import type { EventEmitter } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { TodokuError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";

const { sessionRequestBytes } = limits.http2;

const known = new WeakMap<ServerHttp2Session, Uploads>();

/** The one of a session: whatever protocol its requests speak, they share it. */
export function uploadsOf(session: ServerHttp2Session, wheel: TimerWheel): Uploads {
  let uploads = known.get(session);
  if (!uploads) {
    uploads = new Uploads(wheel);
    known.set(session, uploads);
  }
  return uploads;
}

/** Holds `bytes` of a request whose body is being read, 0 once it is over. @throws TodokuError `limit_exceeded`. */
export type Hold = (bytes: number, expired: (error: TodokuError) => void) => void;

/** For requests through Node's compatibility objects. Of HTTP/1.1 a connection has one at a time, which Node itself bounds in time. */
export function holdOf(request: IncomingMessage, wheel: TimerWheel): Hold {
  const { stream } = request as unknown as Partial<Http2ServerRequest>;
  const session = stream?.session as ServerHttp2Session | undefined;
  if (!stream || !session) {
    const share = new Share(request);
    return (bytes) => share.set(bytes);
  }
  const uploads = uploadsOf(session, wheel);
  return (bytes, expired) => uploads.hold(stream as ServerHttp2Stream, bytes, expired);
}

let allBytes = 0;

/** Bytes of all unfinished requests of the process. */
export const unfinishedBytes = (): number => allBytes;

/** What one request holds of the room for all, until it is over. */
class Share {
  #bytes = 0;

  constructor(request: EventEmitter) {
    request.once("close", () => this.#change(0));
  }

  /** @throws TodokuError `unavailable`: it is no small one, and there is no more room. */
  set(bytes: number): void {
    this.#change(bytes);
    const { maxBytes, smallMaxBytes } = limits.unfinishedRequests;
    if (allBytes <= maxBytes || bytes <= smallMaxBytes) return;
    this.#change(0);
    throw new TodokuError(
      "unavailable",
      `the unfinished requests of all connections have more than ${maxBytes} bytes; try again`,
    );
  }

  #change(bytes: number): void {
    allBytes += bytes - this.#bytes;
    this.#bytes = bytes;
  }
}

/**
 * Bounds what the unfinished requests of one HTTP/2 session hold, in bytes and in time: they come before any credential is
 * looked at, and a thousand streams with ten megabytes each would be ten gigabytes.
 */
export class Uploads {
  readonly #wheel: TimerWheel;
  readonly #held = new Map<ServerHttp2Stream, number>();
  readonly #shares = new WeakMap<ServerHttp2Stream, Share>();
  #bytes = 0;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  /**
   * `bytes` wait for the rest of this stream's request. `expired` is called when it does not come in time.
   * @throws TodokuError `limit_exceeded`: all of the session's together are too many; `unavailable`: those of all sessions are.
   */
  hold(stream: ServerHttp2Stream, bytes: number, expired: (error: TodokuError) => void): void {
    const before = this.#held.get(stream);
    if (before === undefined) this.#watch(stream, expired);
    this.#held.set(stream, bytes);
    this.#bytes += bytes - (before ?? 0);
    if (bytes > (before ?? 0) && this.#bytes > sessionRequestBytes) {
      throw new TodokuError(
        "limit_exceeded",
        `request limit: the unfinished requests of a connection must have <= ${sessionRequestBytes} bytes`,
        { subject: "request_size" },
      );
    }
    this.#shares.get(stream)?.set(bytes);
  }

  #watch(stream: ServerHttp2Stream, expired: (error: TodokuError) => void): void {
    this.#shares.set(stream, new Share(stream));
    const deadline = this.#wheel.schedule(limits.requestMs, () =>
      expired(new TodokuError("invalid_argument", `the request was not complete after ${limits.requestMs} ms`)),
    );
    stream.once("close", () => {
      deadline.cancel();
      this.#bytes -= this.#held.get(stream) ?? 0;
      this.#held.delete(stream);
    });
  }
}
