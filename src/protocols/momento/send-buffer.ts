import type { ServerHttp2Stream } from "node:http2";
import { limits } from "../../domain/limits.ts";

const { streamSendBufferBytes, sessionSendBufferBytes } = limits.http2;

interface Entry {
  /** Bytes that waited in the stream when it was last looked at. */
  waitingBytes: number;
  readonly drained: () => void;
}

/**
 * Bounds what waits in the streams of one HTTP/2 session, each and together: past a bound a stream's subscriber is told to
 * stop, and it reads on from the log when there is room. The sum is kept from what each stream held at its last write, so
 * it can only be too high; it is counted exactly before anybody is refused because of it.
 */
export class SendBuffer {
  readonly #streams = new Map<ServerHttp2Stream, Entry>();
  readonly #blocked = new Map<ServerHttp2Stream, Entry>();
  #waitingBytes = 0;

  add(stream: ServerHttp2Stream, drained: () => void): void {
    this.#streams.set(stream, { waitingBytes: 0, drained });
    stream.on("drain", () => this.#drained(stream));
    stream.once("close", () => this.#remove(stream));
  }

  /** Call after each write. False: the stream, or the session, holds too much. */
  wrote(stream: ServerHttp2Stream): boolean {
    const entry = this.#streams.get(stream);
    if (!entry) return true;
    this.#note(entry, stream.writableLength);
    if (entry.waitingBytes <= streamSendBufferBytes && this.#hasRoom()) return true;
    this.#blocked.set(stream, entry);
    return false;
  }

  /** For streams that were stopped because of the session: they have no `drain` of their own to wait for. */
  recheck(): void {
    if (this.#blocked.size > 0 && this.#hasRoom()) this.#unblockOthers();
  }

  #hasRoom(): boolean {
    if (this.#waitingBytes <= sessionSendBufferBytes) return true;
    for (const [stream, entry] of this.#streams) this.#note(entry, stream.writableLength);
    return this.#waitingBytes <= sessionSendBufferBytes;
  }

  #note(entry: Entry, waitingBytes: number): void {
    this.#waitingBytes += waitingBytes - entry.waitingBytes;
    entry.waitingBytes = waitingBytes;
  }

  #drained(stream: ServerHttp2Stream): void {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    this.#note(entry, stream.writableLength);
    this.#unblock(stream);
    this.#unblockOthers();
  }

  #remove(stream: ServerHttp2Stream): void {
    const entry = this.#streams.get(stream);
    if (!entry) return;
    this.#note(entry, 0);
    this.#streams.delete(stream);
    this.#blocked.delete(stream);
    this.#unblockOthers();
  }

  /** They go on when the session has half its room again: not one by one, each for a single frame. */
  #unblockOthers(): void {
    if (this.#waitingBytes > sessionSendBufferBytes / 2) return;
    for (const stream of [...this.#blocked.keys()]) {
      if (stream.writableLength <= streamSendBufferBytes / 2) this.#unblock(stream);
    }
  }

  #unblock(stream: ServerHttp2Stream): void {
    const entry = this.#blocked.get(stream);
    if (!entry) return;
    this.#blocked.delete(stream);
    entry.drained();
  }
}
