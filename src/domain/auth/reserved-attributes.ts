import type { Attributes } from "../attributes.ts";
import { TodokuError } from "../errors.ts";
import { eventsCache } from "../names.ts";
import type { Principal } from "./principal.ts";

/** What consumers of users' messages rely on: who sent it, when, and by which way it came. */
const reserved = ["user_id", "timestamp", "source"];
/** Of the message ids with which the server tells presence: whoever took one before would swallow the change, as a repeat. */
const reservedIds = "presence-";
/** Topics that such messages lie in; the queue has the name of the first. */
const topics: ReadonlySet<string> = new Set(["messages", "presence"]);

/**
 * For a message that is to be published. Only the server and programs with a key say who a message is from: whoever has a token or has signed in
 * would say it is from somebody else.
 * @throws TodokuError `permission_denied` that names the attribute, or says which message ids are reserved.
 */
export function checkTopicAttributes(
  principal: Principal,
  cache: string,
  topic: string,
  attributes?: Attributes,
  messageId?: string,
): void {
  if (cache === eventsCache && topics.has(topic)) check(principal, `topic "${topic}"`, attributes, messageId);
}

/** The same for a message that is to be sent to a queue. */
export function checkQueueAttributes(
  principal: Principal,
  queue: string,
  attributes?: Attributes,
  messageId?: string,
): void {
  if (queue === "messages") check(principal, `queue "${queue}"`, attributes, messageId);
}

/**
 * What a message of a topic takes along into a queue. Anybody may have said anything in a topic where nobody looked: the queue that is trusted
 * must not get it by that way round.
 */
export function attributesInto(queue: string, cache: string, topic: string, attributes: Attributes): Attributes {
  const wereChecked = cache === eventsCache && topics.has(topic);
  if (queue !== "messages" || wereChecked) return attributes;
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => !reserved.includes(name)));
}

function check({ kind }: Principal, place: string, attributes: Attributes = {}, messageId = ""): void {
  if (kind !== "token" && kind !== "user") return;
  if (messageId.startsWith(reservedIds)) {
    const ids = `message ids of ${place} that begin with "${reservedIds}"`;
    throw new TodokuError("permission_denied", `${ids} are the server's to set`);
  }
  const name = reserved.find((one) => Object.hasOwn(attributes, one));
  if (name === undefined) return;
  throw new TodokuError("permission_denied", `the attribute "${name}" of messages of ${place} is the server's to set`);
}
