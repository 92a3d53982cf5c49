import { Buffer } from "node:buffer";
import { type Attributes, attributeBytes } from "../attributes.ts";
import { serverPrincipal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueMessages } from "../queues/messages.ts";
import type { NotificationCounts } from "./notification-stats.ts";

/** The dead letters of queue and topic `notifications`. */
export const deadQueue = "notifications-dlq";

/** A request that is not carried out. */
export interface DeadRequest {
  /** As it came. */
  readonly body: string;
  readonly attributes?: Attributes | undefined;
  /** Why. */
  readonly error: Pick<TodokuError, "message">;
  /** Where it came from; `held`: it was kept for a user who did not come back. */
  readonly source: "topic" | "queue" | "held";
  /** Names it: the same one within `limits.messageIdWindowMs` is kept once. */
  readonly key: string;
}

/** Puts requests that are not carried out where somebody can look at them. */
export class DeadRequests {
  readonly #queueMessages: Pick<QueueMessages, "send">;
  readonly #counts: NotificationCounts;

  constructor(queueMessages: Pick<QueueMessages, "send">, counts: NotificationCounts) {
    this.#queueMessages = queueMessages;
    this.#counts = counts;
  }

  /** Resolves when it is durable. @throws TodokuError `unavailable`, `limit_exceeded`, `not_found`. */
  async bury(environment: string, { body, attributes = {}, error, source, key }: DeadRequest): Promise<void> {
    const own = {
      error: { type: "String", value: cut(error.message, limits.notification.errorMaxBytes) },
      source: { type: "String", value: source },
    };
    const message = fitted(body, attributes, own);
    const [result] = await this.#queueMessages.send(serverPrincipal(environment), deadQueue, [
      { ...message, messageId: cut(`dead-${key}`, limits.messageIdMaxLength) },
    ]);
    if (result instanceof TodokuError) throw result;
    this.#counts.of(environment).dead++;
  }
}

/**
 * With as many of its attributes as there is room for, and as much of its text: a topic's messages may be larger than a queue's. They may be empty, too, and
 * have attributes that are no Unicode: of those there is nothing to keep.
 */
function fitted(text: string, attributes: Attributes, own: Attributes) {
  const body = text === "" ? " " : text;
  const room = limits.queue.messageMaxBytes.max - attributeBytes(own);
  if (Buffer.byteLength(body) > room) return { body: cut(body, room), attributes: own };
  const others = Object.entries(attributes).filter(([name, { type, value }]) => {
    return !Object.hasOwn(own, name) && [name, type, value].every((part) => part.isWellFormed());
  });
  const kept = Object.fromEntries(others.slice(0, limits.attributesMaxCount - Object.keys(own).length));
  const all = { ...kept, ...own };
  const isTooMuch =
    attributeBytes(all) > limits.attributesMaxBytes || Buffer.byteLength(body) + attributeBytes(kept) > room;
  return { body, attributes: isTooMuch ? own : all };
}

/** At most so many bytes of `text`, without half a character at its end. */
function cut(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  return new TextDecoder("utf-8").decode(Buffer.from(text).subarray(0, maxBytes), { stream: true });
}
