import type { LiveConnection } from "../live/live-connection.ts";

/** Others see you go when no window of yours has come back for five seconds. */
export function disconnect(live: LiveConnection) {
  live.disconnect();
}
