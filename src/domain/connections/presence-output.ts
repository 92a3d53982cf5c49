import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type { Log } from "../../lib/log.ts";
import type { Attributes } from "../attributes.ts";
import { serverPrincipal } from "../auth/principal.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { eventsCache } from "../names.ts";
import type { QueueMessages } from "../queues/messages.ts";
import type { Topics } from "../topics/topics.ts";
import type { PresenceChange } from "./presence.ts";

/** Where a change is told: topic or queue `messages`, where users' own messages are too, or topic `presence`. */
export type PresenceDestination = "topic" | "queue" | "presence-topic";

/** Tells changes to those who want to hear of them. */
export interface PresenceOutput {
  /** Where a change has to be told. Asked for each: it may be set anew. */
  destinations(): readonly PresenceDestination[];
  /** Answers where it has still to be told: there is no room for it, or the storage takes nothing. Never fails. */
  tell(change: PresenceChange, destinations: readonly PresenceDestination[]): Promise<readonly PresenceDestination[]>;
}

export interface PresenceOutputParts {
  readonly topics: Pick<Topics, "publish">;
  readonly queueMessages: Pick<QueueMessages, "send">;
  readonly log: Log;
  readonly destinations: () => readonly PresenceDestination[];
}

/** As the messages of one user's own (the article's shapes). */
export function createPresenceOutput(parts: PresenceOutputParts): PresenceOutput {
  const { topics, queueMessages, log, destinations } = parts;

  async function tellOne(change: PresenceChange, destination: PresenceDestination): Promise<void> {
    const principal = serverPrincipal(change.environment);
    const message = { attributes: attributesOf(change), messageId: messageIdOf(change) };
    if (destination === "queue") {
      const [result] = await queueMessages.send(principal, "messages", [{ ...message, body: bodyOf(change) }]);
      if (result instanceof TodokuError) throw result;
    } else {
      const topic = destination === "topic" ? "messages" : "presence";
      const value = { isText: true, bytes: Buffer.from(bodyOf(change)) };
      await topics.publish(principal, eventsCache, topic, { ...message, value });
    }
  }

  return {
    destinations,
    async tell(change, wanted) {
      const outcomes = await Promise.allSettled(wanted.map((destination) => tellOne(change, destination)));
      return wanted.filter((destination, n) => {
        const outcome = outcomes[n] as PromiseSettledResult<void>;
        if (outcome.status === "fulfilled") return false;
        const error = toTodokuError(outcome.reason);
        if (error.code === "unavailable" || error.code === "limit_exceeded") return true;
        const { environment } = change;
        log.warn(
          { environment, err: error.cause ?? error },
          `a change of presence cannot be told to the ${destination}`,
        );
        return false;
      });
    },
  };
}

function bodyOf({ userId, status, seq, atMs }: PresenceChange): string {
  const message = { user_id: userId, status, timestamp: atMs / 1000, seq };
  return JSON.stringify({ type: "presence", message });
}

function attributesOf({ userId, atMs }: PresenceChange): Attributes {
  return {
    user_id: { type: "String", value: userId },
    timestamp: { type: "Number", value: String(atMs) },
    source: { type: "String", value: "lambda.presence.watchdog" },
  };
}

// The same after a crash, whoever tells it: what was told already is a repeat. A user id may be as long as a message id.
function messageIdOf({ userId, seq }: PresenceChange): string {
  return `presence-${hash("sha256", userId, "base64url")}-${seq}`;
}
