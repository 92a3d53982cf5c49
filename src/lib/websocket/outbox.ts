import type { Socket } from "node:net";
import type { Batch } from "./batch.ts";
import { beginBatch, type Flushable, flushSoon } from "./flusher.ts";
import { pongFrame } from "./frames.ts";

// Ten at once are what the Autobahn suite wants answered, each.
const pongsPerTurn = 10;
const nothing = Buffer.alloc(0);

/** What is to leave over one socket: all that is queued in one turn of the loop leaves in one write, in its order. */
export class Outbox implements Flushable {
  readonly #socket: Socket;
  readonly #owner: { drained(): void };
  #queued: Batch | undefined;
  #queuedPongs = 0;
  #newestPong: Buffer | undefined;
  #isWaiting = false;
  #isWatching = false;

  constructor(socket: Socket, owner: { drained(): void }) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** What is queued here and in the socket; what the kernel holds is not known. */
  get waitingBytes(): number {
    return (this.#queued?.bytes ?? 0) + this.#socket.writableLength;
  }

  send(frame: Uint8Array): void {
    this.#queue(frame);
    this.#wait();
  }

  /**
   * Answers a ping. When many wait only the newest is answered (RFC 6455, 5.5.3 allows it), so that a peer that pings and reads
   * nothing costs nothing.
   */
  pong(payload: Uint8Array): void {
    const frame = pongFrame(payload);
    if (this.#queuedPongs < pongsPerTurn && this.#socket.writableLength === 0) {
      this.#queuedPongs++;
      this.#queue(frame);
    } else {
      this.#newestPong = frame;
    }
    this.#wait();
  }

  /** Sends a close frame at once, behind what is queued. Nothing may follow it, no pong either. */
  sendLast(frame: Uint8Array): void {
    this.#queueNewestPong();
    this.#queue(frame);
    this.flush();
    this.#newestPong = undefined;
  }

  flush(): void {
    this.#isWaiting = false;
    this.#queueNewestPong();
    if (this.#queued) {
      this.#queued.write(this.#socket);
      this.#clearQueue();
      if (this.#socket.writableLength === 0) this.#owner.drained();
      else this.#watch();
    } else if (this.#newestPong) {
      this.#watch();
    }
  }

  /** Forgets what has not been handed over to the socket. */
  clear(): void {
    this.#clearQueue();
    this.#newestPong = undefined;
  }

  #queue(frame: Uint8Array): void {
    this.#queued = this.#queued?.with(frame) ?? beginBatch(frame);
  }

  #queueNewestPong(): void {
    if (!this.#newestPong || this.#socket.writableLength > 0) return;
    this.#queue(this.#newestPong);
    this.#newestPong = undefined;
  }

  #clearQueue(): void {
    this.#queued = undefined;
    this.#queuedPongs = 0;
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    flushSoon(this);
  }

  /** The socket's `drain` comes only past its own high-water mark; an empty write behind the others tells of each end. */
  #watch(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#socket.write(nothing, (error) => {
      this.#isWatching = false;
      // Nothing may be written behind the end.
      if (error || !this.#socket.writable) return;
      if (this.#socket.writableLength > 0) {
        this.#watch();
        return;
      }
      if (this.#newestPong) this.#wait();
      this.#owner.drained();
    });
  }
}
