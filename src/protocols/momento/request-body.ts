import { Buffer } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";
import { requestTooLarge } from "./errors.ts";
import { prefixBytes } from "./frames.ts";

const nothing = Buffer.alloc(0);

/** Collects the chunks of one gRPC request until its message is whole. */
export class RequestBody {
  readonly #maxBytes: number;
  /** What came so far; stays empty when the first chunk is the whole message, as it nearly always is. */
  #buffer = nothing;
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Memory that waits for the rest of the message. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /**
   * The message when `chunk` completes it; what follows it is ignored, all our methods take one message.
   * @throws TodokuError `limit_exceeded` as soon as the announced length is too big, before anything is kept; `unimplemented` for a compressed message.
   */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const whole = this.#length === 0 ? this.#message(chunk, chunk.length) : undefined;
    if (whole) return whole;
    this.#append(chunk);
    return this.#message(this.#buffer, this.#length);
  }

  /** @throws TodokuError `invalid_argument`: the client ended the request before its message was whole. */
  ended(): never {
    throw new TodokuError(
      "invalid_argument",
      `the request ended after ${this.#length} bytes, before its message was whole`,
    );
  }

  #message(bytes: Uint8Array, length: number): Uint8Array | undefined {
    if (length < prefixBytes) return undefined;
    const size =
      (bytes[1] as number) * 2 ** 24 +
      (((bytes[2] as number) << 16) | ((bytes[3] as number) << 8) | (bytes[4] as number));
    if (bytes[0] !== 0)
      throw new TodokuError("unimplemented", `message flags ${bytes[0]} are not supported: no compression is offered`);
    if (size > this.#maxBytes) throw requestTooLarge(size, this.#maxBytes);
    return length < prefixBytes + size ? undefined : bytes.subarray(prefixBytes, prefixBytes + size);
  }

  /** Copies: a list of chunks would let ten million frames of one byte each hold a gigabyte. */
  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#buffer.length) {
      const mostBytes = prefixBytes + this.#maxBytes;
      const grown = Buffer.allocUnsafe(Math.max(length, Math.min(2 * this.#buffer.length, mostBytes)));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }
}
