import type { EventEmitter } from "node:events";
import { TodokuError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";

/**
 * Bounds what large answers hold that clients have not read yet, of all connections together: a client that asks for items of 5 MB and reads
 * none of them would fill the memory. HTTP/2 bounds a session only for what it may still open.
 */
export class UnreadAnswers {
  readonly #bounds: { readonly maxBytes: number; readonly smallMaxBytes: number };
  readonly #held = new WeakMap<EventEmitter, number>();
  #bytes = 0;

  constructor(bounds: { readonly maxBytes: number; readonly smallMaxBytes: number } = limits.unreadAnswers) {
    this.#bounds = bounds;
  }

  /** Of all that is held. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * So many bytes wait in the stream now, and until it closes or this is called again.
   * @throws TodokuError `unavailable`: with them there are too many; then they do not count.
   */
  hold(stream: EventEmitter, bytes: number): void {
    const before = this.#held.get(stream);
    const { maxBytes, smallMaxBytes } = this.#bounds;
    const counted = bytes <= smallMaxBytes ? 0 : bytes;
    if (before === undefined && counted === 0) return;
    if (before === undefined) stream.once("close", () => this.#set(stream, 0));
    this.#set(stream, counted);
    if (counted <= (before ?? 0) || this.#bytes <= maxBytes) return;
    this.#set(stream, 0);
    throw new TodokuError(
      "unavailable",
      `clients have not yet read ${maxBytes} bytes of the answers that they asked for; try again`,
    );
  }

  #set(stream: EventEmitter, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(stream) ?? 0);
    this.#held.set(stream, bytes);
  }
}
