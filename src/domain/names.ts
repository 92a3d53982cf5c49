import { Buffer } from "node:buffer";
import { TodokuError } from "./errors.ts";
import { limits } from "./limits.ts";

/** The reserved cache of every environment: what the server says and hears (presence, notifications, users' messages) are topics of it. */
export const eventsCache = "events";

/** The queues beside it, and where their dead letters go. */
const eventQueues = ["messages", "notifications", "messages-dlq", "notifications-dlq"] as const;
const eventQueueNames: ReadonlySet<string> = new Set(eventQueues);

export type EventQueue = (typeof eventQueues)[number];

export function isEventQueue(name: string): name is EventQueue {
  return eventQueueNames.has(name);
}

/** @throws TodokuError `invalid_argument` unless `name` is well-formed, 1..255 bytes of UTF-8 and not blank. `what` is the word for the message. */
export function checkName(what: string, name: string): void {
  // Each UTF-16 unit is at least one byte, and at most three: only names in between need counting.
  const isLong =
    name.length > limits.nameMaxBytes ||
    (name.length * 3 > limits.nameMaxBytes && Buffer.byteLength(name) > limits.nameMaxBytes);
  if (isLong) {
    throw new TodokuError(
      "invalid_argument",
      `${what} name has ${Buffer.byteLength(name)} bytes; must be <= ${limits.nameMaxBytes}`,
    );
  }
  // Names that differ only in lone surrogates are one name in UTF-8, and two in memory.
  if (!name.isWellFormed()) throw new TodokuError("invalid_argument", `${what} name is not well-formed Unicode`);
  if (name.trim() === "") throw new TodokuError("invalid_argument", `${what} name must not be empty`);
}

/** @throws TodokuError `invalid_argument`: no name, or one that no address and no line of a list can hold. */
export function checkPathName(what: string, name: string): void {
  checkName(what, name);
  if (/\p{Cc}/u.test(name)) throw new TodokuError("invalid_argument", `${what} name must not have control characters`);
  // In the path of an address these two mean something else, however they are written.
  if (name === "." || name === "..") throw new TodokuError("invalid_argument", `${what} name must not be "${name}"`);
}
