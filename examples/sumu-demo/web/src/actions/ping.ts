import type { LiveConnection } from "../live/live-connection.ts";

/** Resolves with the pong. The connection does it by itself every three minutes. */
export function ping(live: LiveConnection) {
  return live.request({ action: "ping" });
}
