import type { Principal } from "../../domain/auth/principal.ts";
import type { Connection } from "../../domain/connections/connection.ts";

import type { Scene } from "./events.ts";

/** One connection as the actions of its client's frames see it. */
export interface Session {
  readonly connection: Connection;
  /** Of the moment: `adopt` changes it. */
  readonly principal: Principal;
  readonly environment: string;
  /** False once it closes: what is sent from then on goes nowhere. */
  readonly isOpen: boolean;
  /** Of endpoints with handlers: what their events say of this connection. */
  readonly scene?: Scene | undefined;
  /** Bounded: when more than `outboxMaxBytes` wait the socket is closed with 4408. */
  reply(json: object): void;
  /** The same for a text that is a frame. */
  replyText(text: string): void;
  /** For frames that lie in a log. False: more than `limits.gateway.topicHighWaterBytes` wait; read on from the log in `onDrained`. The frame was taken all the same. */
  send(frame: Uint8Array): boolean;
  /** Calls `listener` each time when all that waited has left, after a `send` that answered false. */
  onDrained(listener: () => void): void;
  /** Calls `listener` once, when the connection is over; at once when it is. */
  onClosed(listener: () => void): void;
  /** Another credential of the same user and environment from now on: its expiry and withdrawal count. */
  adopt(principal: Principal): void;
  /** With a close code; see docs/reference/websocket.md. */
  close(code: number, reason: string): void;
}

/** One action of a client's frame, whose own properties `frame` has; nothing of it is checked. What it throws is answered as an `error` frame. */
export type ActionHandler = (session: Session, frame: Readonly<Record<string, unknown>>) => void | Promise<void>;

/** By the name that selects it. */
export interface Actions {
  readonly [action: string]: ActionHandler;
}
