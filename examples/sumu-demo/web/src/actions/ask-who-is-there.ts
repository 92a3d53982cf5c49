import type { LiveConnection } from "../live/live-connection.ts";

/** By the topic, on which presence comes too: so the list is never older than the presence that came before it. */
export function askWhoIsThere(live: LiveConnection) {
  return live.request({
    action: "publish",
    message: { type: "get_connected_users", message: { usage: "contact" } },
  });
}
