import { Buffer } from "node:buffer";
import type { Principal } from "../auth/principal.ts";

/** A text for many sockets. The door encodes it once and keeps the frame in `frame`. */
export class SharedMessage {
  readonly text: string;
  /** Of its text, as UTF-8. */
  readonly bytes: number;
  frame: Uint8Array | undefined;
  /** A user of its audience went OFFLINE before it could be handed over. */
  readonly onOffline?: (userId: string) => void;
  /** @internal Users for whom it is held. */
  holders = 0;

  constructor(text: string, onOffline?: (userId: string) => void) {
    this.text = text;
    this.bytes = Buffer.byteLength(text);
    if (onOffline) this.onOffline = onOffline;
  }
}

/** Why a connection is ended, and what its client should do. */
export interface EndAdvice {
  readonly reason: string;
  /** May it come back? */
  readonly reconnect: boolean;
  /** When, if it may. */
  readonly afterMs?: number | undefined;
}

/** A door's end of a connection. */
export interface Outlet {
  /** False: its bound is passed; it is being closed and did not take the message. */
  deliver(message: SharedMessage): boolean;
  /** Ends the connection; the door tells `Connections.close` once its socket has closed. */
  end(advice: EndAdvice): void;
  /** Wall time. */
  readonly lastActiveAtMs: number;
}

/** One WebSocket of one user. */
export interface Connection {
  /** 16 characters of A-Z, a-z, 0-9, - and _; the last is "=". */
  readonly id: string;
  readonly environment: string;
  /** Undefined: nobody has signed in; it is nobody's presence, and no notification reaches it. */
  readonly userId: string | undefined;
  /** Of this moment: a client may renew its credential. */
  readonly principal: Principal;
  /** Wall time. */
  readonly connectedAtMs: number;
  readonly path: string;
  readonly address: string;
  readonly userAgent: string;
  readonly outlet: Outlet;
}
