import { Buffer } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";
import { refuseRequestSize } from "./errors.ts";
import { prefixBytes } from "./frames.ts";

/** Collects the chunks of one gRPC request until its message is whole. */
export class RequestBody {
  readonly #maxBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The message when `chunk` completes it; what follows it is ignored, all our methods take one message.
   * @throws TodokuError `limit_exceeded` as soon as the announced length is too big, before anything is kept; `unimplemented` for a compressed message.
   */
  push(chunk: Uint8Array): Uint8Array | undefined {
    this.#bytes += chunk.length;
    if (this.#chunks.length > 0 || this.#bytes < prefixBytes) {
      this.#chunks.push(chunk);
      if (this.#bytes < prefixBytes) return undefined;
    }
    const head = this.#chunks.length === 0 ? chunk : this.#joinHead();
    const length =
      (head[1] as number) * 2 ** 24 + (((head[2] as number) << 16) | ((head[3] as number) << 8) | (head[4] as number));
    if (head[0] !== 0)
      throw new TodokuError("unimplemented", `message flags ${head[0]} are not supported: no compression is offered`);
    if (length > this.#maxBytes) refuseRequestSize(length, this.#maxBytes);
    if (this.#bytes < prefixBytes + length) {
      if (this.#chunks.length === 0) this.#chunks.push(chunk);
      return undefined;
    }
    const body = this.#chunks.length === 0 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [];
    return body.subarray(prefixBytes, prefixBytes + length);
  }

  /** @throws TodokuError `invalid_argument`: the client ended the request before its message was whole. */
  ended(): never {
    throw new TodokuError(
      "invalid_argument",
      `the request ended after ${this.#bytes} bytes, before its message was whole`,
    );
  }

  /** The first chunk with the whole prefix in it; chunks of fewer than five bytes are rare and joined. */
  #joinHead(): Uint8Array {
    const first = this.#chunks[0] as Uint8Array;
    if (first.length >= prefixBytes) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
