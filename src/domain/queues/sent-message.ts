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
  /** Of AWS X-Ray: handed on as it is. */
  readonly traceHeader?: string | undefined;
}

/** What its queue and its sender add to a message. */
interface Sending {
  readonly settings: Pick<QueueSettings, "delayMs">;
  readonly maxBytes: number;
  /** As {@link NewQueueMessage} has it. */
  readonly sender: string;
  readonly nowMs: number;
}

/** A body with the names, types and values of its attributes; values of type `Binary` count as the bytes that their base64 stands for. */
export function messageBytes({ body, attributes = {} }: Pick<SentMessage, "body" | "attributes">): number {
  let bytes = Buffer.byteLength(body) + attributeBytes(attributes);
  for (const { type, value } of Object.values(attributes)) {
    if (type === "Binary" || type.startsWith("Binary.")) bytes -= value.length - Buffer.byteLength(value, "base64");
  }
  return bytes;
}

/** @throws TodokuError `invalid_argument` or `limit_exceeded` that names the part, its size and the bound. */
export function toNewMessage(message: SentMessage, sending: Sending): NewQueueMessage {
  const { settings, maxBytes, sender, nowMs } = sending;
  const { body, attributes, messageId, traceHeader, delayMs = settings.delayMs } = message;
  checkText("the body", body);
  if (attributes) checkMessageAttributes(attributes);
  if (traceHeader !== undefined) checkTraceHeader(traceHeader);
  const bytes = messageBytes(message);
  if (bytes > maxBytes) {
    throw new TodokuError(
      "limit_exceeded",
      `request limit: the message with its attributes has ${bytes} bytes; must be <= ${maxBytes}`,
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
    sender,
    traceHeader,
    sentAtMs: nowMs,
    readyAtMs: nowMs + delayMs,
  };
}

function checkMessageAttributes(attributes: Attributes): void {
  // As many bytes as the message itself may have.
  checkAttributes(attributes, Number.POSITIVE_INFINITY);
  for (const [name, { type, value }] of Object.entries(attributes)) {
    if (name.isWellFormed() && type.isWellFormed() && value.isWellFormed()) continue;
    throw new TodokuError("invalid_argument", "an attribute's name, type or value is not well-formed Unicode");
  }
}

function checkTraceHeader(traceHeader: string): void {
  const max = limits.queue.traceHeaderMaxLength;
  if (traceHeader.length > max) {
    throw new TodokuError(
      "invalid_argument",
      `the trace header has ${traceHeader.length} characters; must be >= 1 and <= ${max}`,
    );
  }
  checkText("the trace header", traceHeader);
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
