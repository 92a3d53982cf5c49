import type { ServerHttp2Stream } from "node:http2";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";

const { sessionRequestBytes } = limits.http2;

/**
 * Bounds what the unfinished requests of one HTTP/2 session hold, in bytes and in time: they come before any credential is
 * looked at, and a thousand streams with ten megabytes each would be ten gigabytes.
 */
export class Uploads {
  readonly #wheel: TimerWheel;
  readonly #held = new Map<ServerHttp2Stream, number>();
  #bytes = 0;

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  /**
   * `bytes` wait for the rest of this stream's request. `expired` is called when it does not come in time.
   * @throws TodokuError `limit_exceeded`: all of the session's together are too many.
   */
  hold(stream: ServerHttp2Stream, bytes: number, expired: (error: TodokuError) => void): void {
    const before = this.#held.get(stream);
    if (before === undefined) this.#watch(stream, expired);
    this.#held.set(stream, bytes);
    this.#bytes += bytes - (before ?? 0);
    if (this.#bytes > sessionRequestBytes) {
      throw new TodokuError(
        "limit_exceeded",
        `request limit: the unfinished requests of a connection must have <= ${sessionRequestBytes} bytes`,
        { subject: "request_size" },
      );
    }
  }

  #watch(stream: ServerHttp2Stream, expired: (error: TodokuError) => void): void {
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
