import type { Socket } from "node:net";
import type { TimerWheel } from "../timer-wheel.ts";
import { Conversation } from "./conversation.ts";
import { pingFrame } from "./frames.ts";

/** What a link tells. Nothing but `closed` is told once `close` or `destroy` was called. */
export interface LinkHandler {
  /** A whole message. */
  text(text: string): void;
  /** All that waited has left; told at the end of each turn in which something was sent and nothing is left of it. */
  drained(): void;
  /** Bytes of the peer have come, of messages or of control frames; told before what they say. */
  heard(): void;
  /**
   * Once, last. `code`: what the peer's close frame says (1005: nothing), 1002, 1003, 1007 or 1009 when it broke the
   * protocol and was told so, 1006 when the connection ended without a close frame of the peer.
   */
  closed(code: number, reason: string): void;
}

export interface LinkOptions {
  /** Of one message of the peer, in bytes of UTF-8. */
  readonly messageMaxBytes: number;
  readonly wheel: Pick<TimerWheel, "schedule">;
}

const emptyPing = pingFrame();

/** The server's end of one WebSocket (RFC 6455, no extensions), on a socket behind its handshake. Pings of the peer are answered. */
export class WebSocketLink {
  readonly #conversation: Conversation;

  /** `socket`: of `net` or `tls`, whose errors are the caller's until `start`. */
  constructor(socket: Socket, handler: LinkHandler, options: LinkOptions) {
    this.#conversation = new Conversation(socket, handler, options);
  }

  get isOpen(): boolean {
    return this.#conversation.isOpen;
  }

  /** Bytes that were sent and that the kernel has not taken; 0 when the link is closed. */
  get waitingBytes(): number {
    return this.#conversation.waitingBytes;
  }

  /** Begins to read. `head`: what came behind the handshake; it is changed. The handler may be called before this returns. */
  start(head: Buffer): void {
    this.#conversation.start(head);
  }

  /** Queues one or more whole frames, which leave at the end of the next turn of the event loop. Nothing happens when the link is not open. */
  send(frame: Uint8Array): void {
    this.#conversation.send(frame);
  }

  ping(): void {
    this.#conversation.send(emptyPing);
  }

  /**
   * Closes behind what was sent; `closed` is told when the peer has answered, or after 2 s.
   *
   * @throws RangeError for a code that may not be on the wire. `reason`: cut off at 123 bytes of UTF-8.
   */
  close(code: number, reason = ""): void {
    this.#conversation.beginClosing(code, reason);
  }

  /** Ends it at once: no close frame, and what waits is lost. `closed` is told soon, not before this returns. */
  destroy(): void {
    this.#conversation.destroy();
  }
}
