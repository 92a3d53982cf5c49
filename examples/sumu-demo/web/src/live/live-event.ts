import type { Frame } from "./frame.ts";

export type LiveState = "disconnected" | "connecting" | "connected";

/** It does not come back by itself. */
export interface GaveUp {
  readonly type: "gave-up";
  /** `signed-out`: there is no token any more; `refused`: not let in (4403); `thrown-out`: ended by the server, for good. */
  readonly why: "offline" | "signed-out" | "refused" | "thrown-out";
  /** The server's; empty when it gave none. */
  readonly reason: string;
}

export type LiveEvent =
  | { readonly type: "connecting" | "connected" | "disconnected" }
  | { readonly type: "reconnecting"; readonly inMs: number }
  | { readonly type: "frame"; readonly frame: Frame }
  | GaveUp;

/** What a connection is made with. */
export interface LiveOptions {
  /** Of the WebSocket: `wss://todoku.example.com/push`. */
  readonly url: string;
  /** Asked before each attempt; a new one when the last was refused. Undefined when nobody is signed in; throws when it cannot be had now. */
  token(isRefused: boolean): Promise<string | undefined>;
  onEvent(event: LiveEvent, state: LiveState): void;
}
