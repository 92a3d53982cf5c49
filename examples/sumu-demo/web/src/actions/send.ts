import type { LiveConnection } from "../live/live-connection.ts";
import type { ChatMessage } from "./chat-message.ts";

/**
 * To the queue `messages`: one worker takes it, and it comes back until it is done.
 * Resolves when Todoku has it on disk. Again with the same id it counts once.
 */
export function send(live: LiveConnection, message: ChatMessage, messageId: string) {
  return live.request({
    action: "send",
    message: { type: "message", message },
    messageId,
  });
}
