import type { Socket } from "node:net";
import type { Deadline, TimerWheel } from "../timer-wheel.ts";
import { abnormal, type FailureCode } from "./close-codes.ts";
import { closeFrame } from "./frames.ts";
import type { LinkHandler, LinkOptions } from "./link.ts";
import { Outbox } from "./outbox.ts";
import { type FrameHandler, FrameParser } from "./parser.ts";

/** For the peer's side of the closing handshake, and for what it still sends before it has seen our end. */
const closingMs = 2000;

const conversationOf = Symbol("conversation");

interface LinkedSocket extends Socket {
  [conversationOf]?: Conversation;
}

/** What is said over a link, and in which state it is: the inside of a WebSocketLink. */
export class Conversation implements FrameHandler {
  readonly #handler: LinkHandler;
  readonly #wheel: Pick<TimerWheel, "schedule">;
  readonly #parser: FrameParser;
  /** Not there any more when the handler knows that it is closed. */
  #socket: Socket | undefined;
  #outbox: Outbox | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #cut: Deadline | undefined;

  constructor(socket: Socket, handler: LinkHandler, { messageMaxBytes, wheel }: LinkOptions) {
    this.#handler = handler;
    this.#wheel = wheel;
    this.#parser = new FrameParser(this, messageMaxBytes);
    this.#socket = socket;
    this.#outbox = new Outbox(socket, this);
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get waitingBytes(): number {
    return this.#outbox?.waitingBytes ?? 0;
  }

  start(head: Buffer): void {
    const socket: LinkedSocket | undefined = this.#socket;
    if (!socket || socket.destroyed) {
      this.ended();
      return;
    }
    socket[conversationOf] = this;
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onError);
    if (head.length > 0) this.received(head);
  }

  send(frame: Uint8Array): void {
    if (this.#state === "open") this.#outbox?.send(frame);
  }

  beginClosing(code: number, reason: string): void {
    if (this.#state !== "open") return;
    const frame = closeFrame(code, reason);
    this.#state = "closing";
    this.#outbox?.sendLast(frame);
    if (this.#socket) this.#readToTheEnd(this.#socket);
  }

  destroy(): void {
    if (this.#state === "open") this.#state = "closing";
    this.#socket?.destroy();
  }

  received(chunk: Buffer): void {
    if (this.#state === "closed") return;
    if (this.#state === "open") this.#handler.heard();
    this.#parser.push(chunk);
  }

  /** The peer has said its last byte. */
  halfClosed(): void {
    this.#socket?.destroy();
    this.#tell(abnormal, "");
  }

  /** The socket is no more. */
  ended(): void {
    this.#cut?.cancel();
    this.#tell(abnormal, "");
  }

  drained(): void {
    if (this.#state === "open") this.#handler.drained();
  }

  text(text: string): void {
    if (this.#state === "open") this.#handler.text(text);
  }

  ping(payload: Buffer): void {
    if (this.#state === "open") this.#outbox?.pong(payload);
  }

  pong(): void {}

  close(code: number, reason: string): void {
    this.#finish(code, reason, closeFrame(code, ""));
  }

  failed(code: FailureCode, reason: string): void {
    this.#finish(code, reason, closeFrame(code, reason));
  }

  /** `answer`: sent unless a close frame of ours has been. */
  #finish(code: number, reason: string, answer: Buffer): void {
    const socket = this.#socket;
    const outbox = this.#outbox;
    if (!socket || !outbox) return;
    const isAnswered = this.#state !== "open";
    this.#state = "closing";
    if (!isAnswered) outbox.sendLast(answer);
    socket.end();
    this.#readToTheEnd(socket);
    this.#tell(code, reason);
  }

  /** A socket that is closed with unread bytes resets, and our close frame may be lost: read on, even if the handler has paused it. */
  #readToTheEnd(socket: Socket): void {
    socket.resume();
    this.#cut ??= this.#wheel.schedule(closingMs, () => socket.destroy());
  }

  #tell(code: number, reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#outbox?.clear();
    this.#outbox = undefined;
    this.#socket = undefined;
    this.#handler.closed(code, reason);
  }
}

// The same functions for all links: four closures would cost each link 256 bytes.

function onData(this: LinkedSocket, chunk: Buffer): void {
  this[conversationOf]?.received(chunk);
}

function onEnd(this: LinkedSocket): void {
  this[conversationOf]?.halfClosed();
}

function onClose(this: LinkedSocket): void {
  this[conversationOf]?.ended();
}

/** `close` follows. */
function onError(): void {}
