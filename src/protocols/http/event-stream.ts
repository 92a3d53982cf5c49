import type { ServerResponse } from "node:http";
import type { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Position } from "../../domain/topics/position.ts";
import { isStopping } from "../../domain/topics/stopping.ts";
import type { Sink } from "../../domain/topics/subscription.ts";
import { leaveConnection } from "../../lib/end-connection.ts";
import type { Beating } from "../../lib/heartbeats.ts";
import type { SendBuffer } from "../send-buffer.ts";
import { toProblem } from "./errors.ts";
import { errorFrame, heartbeatFrame, openingFrame, sseEncoding } from "./sse-frames.ts";

/** The response side of one subscription: frames go straight to the Node response, which tells how much of them waits. */
export class EventStream implements Sink, Beating {
  readonly encoding = sseEncoding;
  readonly #response: ServerResponse;
  readonly #sendBuffer: SendBuffer;
  readonly #onInternalError: (error: TodokuError) => string;
  #isOpen = false;
  #isGone = false;
  /** Why the subscription ended before the stream was open: then the answer is a plain error. */
  failure: TodokuError | undefined;

  /**
   * @param sendBuffer of its connection.
   * @param onInternalError logs it and returns the log line's id.
   */
  constructor(response: ServerResponse, sendBuffer: SendBuffer, onInternalError: (error: TodokuError) => string) {
    this.#response = response;
    this.#sendBuffer = sendBuffer;
    this.#onInternalError = onInternalError;
    response.on("close", () => {
      this.#isGone = true;
    });
  }

  open(position: Position): void {
    this.#isOpen = true;
    this.#response.writeHead(200, {
      "content-type": "text/event-stream",
      // nginx collects answers otherwise.
      "x-accel-buffering": "no",
    });
    this.#response.write(openingFrame(position));
  }

  /** Calls `listener` when items may be written: at once if there is room, and again each time a full buffer has drained. */
  start(listener: () => boolean): void {
    this.#sendBuffer.add(this.#response, listener);
    this.#sendBuffer.start(this.#response);
  }

  write(frame: Uint8Array): boolean {
    if (this.#isGone) return true;
    this.#response.write(frame);
    return this.#sendBuffer.wrote(this.#response);
  }

  beat(): void {
    if (this.#isGone) return;
    this.#sendBuffer.recheck();
    // A full line needs no proof that it lives, and must not grow.
    if (this.#response.writableLength > limits.http2.streamSendBufferBytes) return;
    this.#response.write(heartbeatFrame);
  }

  close(error: TodokuError): void {
    if (!this.#isOpen) {
      this.failure = error;
      return;
    }
    if (this.#isGone) return;
    this.#isGone = true;
    if (isStopping(error)) leaveConnection(this.#response);
    const instance = error.code === "internal" ? this.#onInternalError(error) : undefined;
    this.#response.end(errorFrame(toProblem(error, instance)));
  }
}
