import type { Writable } from "node:stream";
import { limits } from "../domain/limits.ts";

const { streamSendBufferBytes, sessionSendBufferBytes } = limits.http2;

/** What the bytes of one subscription wait in: a stream of `node:http2`, or a response of HTTP/1.1 or HTTP/2. */
type Outlet = Pick<Writable, "writableLength" | "on" | "once">;

interface Entry {
  /** Bytes that waited in the stream when it was last looked at. */
  waitingBytes: number;
  /** One chunk, while it is on its way from the log: a thousand readers that begin at once have written nothing yet. */
  reservedBytes: number;
  readonly drained: () => boolean;
}

const buffers = new WeakMap<object, SendBuffer>();

/** The one of a connection (a session of HTTP/2, a socket of HTTP/1.1): whatever protocol its streams speak, they share it. */
export function sendBufferOf(connection: object): SendBuffer {
  let buffer = buffers.get(connection);
  if (!buffer) {
    buffer = new SendBuffer();
    buffers.set(connection, buffer);
  }
  return buffer;
}

/**
 * Bounds what waits in the streams of one connection, each and together: past a bound a stream's subscriber is told to
 * stop, and it reads on from the log when there is room. The sum is kept from what each stream held at its last write, so
 * it can only be too high; it is counted exactly before anybody is refused because of it.
 */
export class SendBuffer {
  readonly #streams = new Map<Outlet, Entry>();
  readonly #blocked = new Map<Outlet, Entry>();
  #waitingBytes = 0;

  /** @param drained the stream may write (again); returns whether there is something that it reads from the log now. */
  add(stream: Outlet, drained: () => boolean): void {
    this.#streams.set(stream, { waitingBytes: 0, reservedBytes: 0, drained });
    stream.on("drain", () => this.#drained(stream));
    stream.once("close", () => this.#remove(stream));
  }

  /** The stream may begin: at once, or when the session has room. */
  start(stream: Outlet): void {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    this.#blocked.set(stream, entry);
    if (this.#hasRoom()) this.#unblock(stream);
  }

  /** Call after each write. False: the stream, or the session, holds too much. */
  wrote(stream: Outlet): boolean {
    const entry = this.#streams.get(stream);
    if (!entry) return true;
    entry.reservedBytes = 0;
    this.#note(entry, stream);
    if (entry.waitingBytes <= streamSendBufferBytes && this.#hasRoom()) return true;
    this.#blocked.set(stream, entry);
    return false;
  }

  /** For streams that were stopped because of the session: they have no `drain` of their own to wait for. */
  recheck(): void {
    if (this.#blocked.size === 0) return;
    this.#recount();
    this.#unblockOthers();
  }

  #hasRoom(): boolean {
    if (this.#waitingBytes <= sessionSendBufferBytes) return true;
    this.#recount();
    return this.#waitingBytes <= sessionSendBufferBytes;
  }

  #recount(): void {
    for (const [stream, entry] of this.#streams) this.#note(entry, stream);
  }

  #note(entry: Entry, stream: Outlet): void {
    this.#count(entry, stream.writableLength + entry.reservedBytes);
  }

  #count(entry: Entry, waitingBytes: number): void {
    this.#waitingBytes += waitingBytes - entry.waitingBytes;
    entry.waitingBytes = waitingBytes;
  }

  #drained(stream: Outlet): void {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    this.#note(entry, stream);
    if (this.#hasRoom()) this.#unblock(stream);
    this.#unblockOthers();
  }

  #remove(stream: Outlet): void {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    this.#count(entry, 0);
    this.#streams.delete(stream);
    this.#blocked.delete(stream);
    this.#unblockOthers();
  }

  /** They go on when the session has half its room again: not one by one, each for a single frame. */
  #unblockOthers(): void {
    if (this.#waitingBytes > sessionSendBufferBytes / 2) return;
    for (const stream of [...this.#blocked.keys()]) {
      if (this.#waitingBytes > sessionSendBufferBytes) return;
      if (stream.writableLength <= streamSendBufferBytes / 2) this.#unblock(stream);
    }
  }

  #unblock(stream: Outlet): void {
    const entry = this.#blocked.get(stream);
    if (!entry) return;
    this.#blocked.delete(stream);
    const isReading = entry.drained() && !this.#blocked.has(stream);
    entry.reservedBytes = isReading ? limits.catchUpMaxBytes : 0;
    this.#note(entry, stream);
  }
}
