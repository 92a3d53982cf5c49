import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { Attributes } from "../../domain/attributes.ts";
import { authorize } from "../../domain/auth/authorize.ts";
import { type Principal, serverPrincipal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { eventsCache } from "../../domain/names.ts";
import type { QueueMessages } from "../../domain/queues/messages.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import { md5OfAttributes, md5OfBody } from "../aws-md5.ts";
import type { MessageTarget } from "./options.ts";
import type { Session } from "./session.ts";

/** The topic of the reserved cache, and the queue beside it. */
const place = { topic: "messages", queue: "messages" };

/** One message of a user to the application behind us. */
export interface RoutedMessage {
  /** The route's key. */
  readonly route: string;
  readonly target: MessageTarget;
  readonly text: string;
  /** Chosen by the client. */
  readonly messageId: string | undefined;
}

/** What is known of a message that was taken. */
export interface TakenMessage {
  readonly messageId: string;
  /** Of a topic. */
  readonly position?: string;
  readonly attributes: Attributes;
}

/** Hands messages of clients to the topic or the queue `messages`. */
export class MessageRoutes {
  readonly #topics: Pick<Topics, "publish">;
  readonly #queueMessages: Pick<QueueMessages, "send">;
  readonly #wallMs: () => number;

  constructor(parts: {
    readonly topics: Pick<Topics, "publish">;
    readonly queueMessages: Pick<QueueMessages, "send">;
    readonly clock: { readonly wallMs: () => number };
  }) {
    this.#topics = parts.topics;
    this.#queueMessages = parts.queueMessages;
    this.#wallMs = parts.clock.wallMs;
  }

  /**
   * Who sent it, when, and by which route stand in attributes that no client can set. Rejects with a TodokuError: `permission_denied`: the session has no
   * user, or may not use the route; else as `publish` and `send` of the domain.
   */
  async take({ connection, principal, environment }: Session, message: RoutedMessage): Promise<TakenMessage> {
    const { route, target, text } = message;
    const { userId } = connection;
    if (userId === undefined)
      throw new TodokuError("permission_denied", "this connection has no user: it may not send messages");
    authorize(principal, "route.invoke", "", route);
    const attributes: Attributes = {
      user_id: { type: "String", value: userId },
      timestamp: { type: "Number", value: String(this.#wallMs()) },
      source: { type: "String", value: `apigw.route.${route}` },
    };
    const messageId = message.messageId === undefined ? undefined : ownMessageId(userId, message.messageId);
    if (target === "send") {
      const [sent] = await this.#queueMessages.send(serverPrincipal(environment), place.queue, [
        { body: text, attributes, messageId },
      ]);
      if (!sent || sent instanceof TodokuError) throw sent ?? new TodokuError("internal", "the queue answered nothing");
      return { messageId: message.messageId ?? sent.messageId, attributes };
    }
    const value = { isText: true, bytes: Buffer.from(text) };
    const publisher = asSender(environment, userId);
    const { position } = await this.#topics.publish(publisher, eventsCache, place.topic, {
      value,
      attributes,
      messageId,
    });
    const at = formatPosition(position);
    // An item of a topic has no other name than its position.
    return { messageId: message.messageId ?? at, position: at, attributes };
  }
}

/** The server, which may set the attributes; the item carries the user's id as its token id. */
function asSender(environment: string, userId: string): Principal {
  return { ...serverPrincipal(environment), tokenId: userId };
}

/** Ids are remembered for all who send there: one user's must not swallow another's message. */
function ownMessageId(userId: string, messageId: string): string {
  if (messageId === "" || messageId.length > limits.messageIdMaxLength) {
    const text = `"messageId" has ${messageId.length} characters; must be >= 1 and <= ${limits.messageIdMaxLength}`;
    throw new TodokuError("invalid_argument", text);
  }
  return createHash("sha256")
    .update(JSON.stringify([userId, messageId]))
    .digest("base64url");
}

/** The answer in our own form. */
export function toAck(route: string, taken: TakenMessage, requestId: string): Record<string, unknown> {
  const { messageId, position } = taken;
  return { type: "ack", action: route, messageId, ...(position === undefined ? {} : { position }), requestId };
}

/** The answer that API Gateway passes on: the JSON of SNS's Publish, or of SQS's SendMessage. */
export function toAwsAck({ target, text }: RoutedMessage, taken: TakenMessage, requestId: string): object {
  const ResponseMetadata = { RequestId: requestId };
  const { messageId: MessageId, attributes } = taken;
  if (target === "publish")
    return { PublishResponse: { PublishResult: { MessageId, SequenceNumber: null }, ResponseMetadata } };
  const SendMessageResult = {
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    MD5OfMessageBody: md5OfBody(text),
    MD5OfMessageSystemAttributes: null,
    MessageId,
    SequenceNumber: null,
  };
  return { SendMessageResponse: { SendMessageResult, ResponseMetadata } };
}

/**
 * The message of a `publish` or `send` frame as text: a text as it is, anything else as JSON.
 * @throws TodokuError `invalid_argument`: it is missing, or nested so deeply that nobody could read it.
 */
export function messageTextOf(frame: Readonly<Record<string, unknown>>): string {
  const { message } = frame;
  if (!Object.hasOwn(frame, "message") || message === "") {
    throw new TodokuError("invalid_argument", '"message" must be there, and not empty');
  }
  if (typeof message === "string") {
    if (message.isWellFormed()) return message;
    throw new TodokuError("invalid_argument", '"message" is not well-formed Unicode');
  }
  try {
    return JSON.stringify(message);
  } catch {
    throw new TodokuError("invalid_argument", '"message" is nested too deeply');
  }
}
