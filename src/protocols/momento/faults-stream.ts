import { Buffer } from "node:buffer";
import type { TodokuError } from "../../domain/errors.ts";
import type { StreamCall } from "./call.ts";
import { prefixBytes, textEncoding, toText } from "./frames.ts";

/** How a stream breaks: `afterMessages` > 0, of whatever kind. */
interface Break {
  readonly afterMessages: number;
  readonly error: TodokuError;
}

/** A stream that was held up, or that breaks as if the server had. */
export class FaultyStreamCall implements StreamCall {
  readonly encoding;
  readonly resumePlaces;
  readonly caller;
  readonly headers;
  readonly authorization;
  readonly cacheName;
  readonly timeoutMs: number | undefined;
  readonly request;
  readonly #call: StreamCall;
  readonly #error: TodokuError | undefined;
  #messagesLeft: number;

  /** @param timeoutMs what is left of it. */
  constructor(call: StreamCall, timeoutMs: number | undefined, breaks?: Break) {
    this.encoding = call.encoding;
    this.resumePlaces = call.resumePlaces;
    this.caller = call.caller;
    this.headers = call.headers;
    this.authorization = call.authorization;
    this.cacheName = call.cacheName;
    this.timeoutMs = timeoutMs;
    this.request = call.request;
    this.#call = call;
    this.#messagesLeft = breaks?.afterMessages ?? Number.POSITIVE_INFINITY;
    this.#error = breaks?.error;
  }

  open(hasEnd?: boolean): void {
    this.#call.open(hasEnd);
  }

  write(frame: Uint8Array): boolean {
    if (this.#messagesLeft === 0) return true;
    const isText = this.encoding === textEncoding;
    const bytes = isText ? Buffer.from(Buffer.from(frame).toString("latin1"), "base64") : frame;
    const { count, length } = firstMessages(bytes, this.#messagesLeft);
    const first = bytes.subarray(0, length);
    const hasRoom = this.#call.write(isText ? toText(first) : first);
    this.#sent(count);
    return hasRoom;
  }

  beat(): void {
    if (this.#messagesLeft === 0) return;
    this.#call.beat();
    this.#sent(1);
  }

  end(error?: TodokuError): void {
    if (this.#messagesLeft > 0) this.#call.end(error);
  }

  hold(bytes: number): void {
    this.#call.hold(bytes);
  }

  start(listener: () => boolean): void {
    this.#call.start(listener);
  }

  onClose(listener: () => void): void {
    this.#call.onClose(listener);
  }

  #sent(messages: number): void {
    this.#messagesLeft -= messages;
    if (this.#messagesLeft === 0) this.#call.end(this.#error);
  }
}

/** How many whole messages, at most `max`, stand at the beginning of frames that follow one another, and their bytes. */
function firstMessages(frames: Uint8Array, max: number): { count: number; length: number } {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.length);
  let [count, length] = [0, 0];
  while (count < max && length < frames.length) {
    length += prefixBytes + view.getUint32(length + 1);
    count++;
  }
  return { count, length };
}
