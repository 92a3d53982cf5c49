import type { LiveConnection } from "../live/live-connection.ts";

/** From now on it comes back by itself, each time with a fresh token, until `disconnect`. */
export function connect(live: LiveConnection) {
  live.connect();
}
