import type { Frame } from "../live/frame.ts";
import { nameOfUser, type People } from "./people.ts";

/** A chat message that came. */
export interface ReceivedMessage {
  readonly id: string;
  /** What the sender is called. */
  readonly from: string;
  readonly text: string;
  /** When it was sent, in milliseconds of Todoku's clock. */
  readonly atMs: number;
}

/** Older ones are forgotten. */
export const keptMax = 20;

/** With the frame's message first; the same messages when there is none in it. */
export function withMessage(messages: readonly ReceivedMessage[], frame: Frame, people: People) {
  const message = messageOf(frame, people);
  return message ? [message, ...messages].slice(0, keptMax) : messages;
}

/** Undefined when the frame is no message of a user. */
export function messageOf({ type, id, message }: Frame, people: People): ReceivedMessage | undefined {
  if (type !== "message" || typeof message !== "object" || message === null) return undefined;
  const { text, user_id: userId, name, timestamp } = message as Frame;
  if (typeof text !== "string" || typeof userId !== "string" || typeof timestamp !== "number") return undefined;
  // A number can be no time at all.
  if (Number.isNaN(new Date(timestamp).getTime())) return undefined;
  return {
    id: typeof id === "string" ? id : crypto.randomUUID(),
    from: typeof name === "string" ? name : nameOfUser(people, userId),
    text,
    atMs: timestamp,
  };
}
