import { SharedMessage } from "../../../domain/connections/connection.ts";
import type { PresenceChange, PresenceState } from "../../../domain/connections/presence.ts";

// All who watch a user hear of the same change at once: the text is made once.
const messages = new WeakMap<PresenceChange, SharedMessage>();

/** A change as a message for all who watch the user. */
export function presenceMessage(change: PresenceChange): SharedMessage {
  let message = messages.get(change);
  if (!message) {
    message = new SharedMessage(JSON.stringify({ type: "presence", message: toUserJson(change.userId, change) }));
    messages.set(change, message);
  }
  return message;
}

/** A user's state, as it is announced too; `timestamp` in seconds. A user of whom nothing is known has none, and `seq` 0. */
export function toUserJson(userId: string, state: PresenceState | undefined): object {
  if (!state) return { user_id: userId, status: "OFFLINE", seq: 0 };
  return { user_id: userId, status: state.status, timestamp: state.atMs / 1000, seq: state.seq };
}
