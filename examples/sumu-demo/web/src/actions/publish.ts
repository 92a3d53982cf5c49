import type { LiveConnection } from "../live/live-connection.ts";
import type { ChatMessage } from "./chat-message.ts";

/**
 * To the topic `messages`: everybody who follows it gets it, in order.
 * Resolves when Todoku has it on disk. Again with the same id it counts once.
 */
export function publish(live: LiveConnection, message: ChatMessage, messageId: string) {
  return live.request({
    action: "publish",
    message: { type: "message", message },
    messageId,
  });
}
