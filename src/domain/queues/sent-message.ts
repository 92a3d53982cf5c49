import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { type Attributes, attributeBytes, checkAttributes } from "../attributes.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueSettings } from "./queue.ts";
import { checkDelay } from "./settings.ts";
import type { NewQueueMessage } from "./store.ts";

/** A message as its sender gives it. */
export interface SentMessage {
  readonly body: string;
  readonly attributes?: Attributes | undefined;
  /** Default: the queue's. */
  readonly delayMs?: number | undefined;
  /** Makes the send idempotent for `limits.messageIdWindowMs`; without it the message gets a random one. */
  readonly messageId?: string | undefined;
}

/** @throws TodokuError `invalid_argument` or `limit_exceeded` that names the part, its size and the bound. */
export function toNewMessage(message: SentMessage, settings: QueueSettings, nowMs: number): NewQueueMessage {
  const { body, attributes, messageId, delayMs = settings.delayMs } = message;
  checkText("the body", body);
  if (attributes) checkMessageAttributes(attributes);
  const bytes = Buffer.byteLength(body) + attributeBytes(attributes);
  if (bytes > limits.queue.bodyMaxBytes) {
    throw new TodokuError(
      "limit_exceeded",
      `request limit: the message with its attributes has ${bytes} bytes; must be <= ${limits.queue.bodyMaxBytes}`,
      { subject: "message_size" },
    );
  }
  if (messageId !== undefined) checkMessageId(messageId);
  checkDelay(delayMs);
  return {
    messageId: messageId ?? randomUUID(),
    isIdChosen: messageId !== undefined,
    body,
    attributes,
    sentAtMs: nowMs,
    readyAtMs: nowMs + delayMs,
  };
}

function checkMessageAttributes(attributes: Attributes): void {
  checkAttributes(attributes);
  for (const [name, { type, value }] of Object.entries(attributes)) {
    if (name.isWellFormed() && type.isWellFormed() && value.isWellFormed()) continue;
    throw new TodokuError("invalid_argument", "an attribute's name, type or value is not well-formed Unicode");
  }
}

function checkMessageId(messageId: string): void {
  if (messageId.length > limits.messageIdMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `messageId has ${messageId.length} characters; must be >= 1 and <= ${limits.messageIdMaxLength}`,
    );
  }
  checkText("messageId", messageId);
}

/** Half a surrogate pair has no UTF-8 form: it would come back as another text. */
function checkText(what: string, text: string): void {
  if (text === "") throw new TodokuError("invalid_argument", `${what} must not be empty`);
  if (!text.isWellFormed()) throw new TodokuError("invalid_argument", `${what} is not well-formed Unicode`);
}
