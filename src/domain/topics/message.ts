import { type Attributes, checkAttributes } from "../attributes.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { TopicValue } from "./store.ts";

/** A message to publish. */
export interface Message {
  readonly value: TopicValue;
  readonly attributes?: Attributes | undefined;
  /** Makes the publish idempotent for `limits.messageIdWindowMs`. */
  readonly messageId?: string | undefined;
}

/** @throws TodokuError `invalid_argument` or `limit_exceeded` that names the part, its size and the bound. */
export function checkMessage({ value, attributes, messageId }: Message, messageMaxBytes: number): void {
  if (value.isText && value.bytes.length === 0) {
    // The web SDK ends a subscription on an empty text (Momento reference 4), so one must never get into a log.
    throw new TodokuError("invalid_argument", "a text message must not be empty");
  }
  if (value.bytes.length > messageMaxBytes) {
    throw new TodokuError(
      "limit_exceeded",
      `request limit: the message has ${value.bytes.length} bytes; must be <= ${messageMaxBytes}`,
      {
        subject: "message_size",
      },
    );
  }
  if (messageId !== undefined && (messageId === "" || messageId.length > limits.messageIdMaxLength)) {
    throw new TodokuError(
      "invalid_argument",
      `messageId has ${messageId.length} characters; must be >= 1 and <= ${limits.messageIdMaxLength}`,
    );
  }
  if (messageId?.isWellFormed() === false)
    throw new TodokuError("invalid_argument", "messageId is not well-formed Unicode");
  const { maxBytes, maxCount } = limits.topicAttributes;
  if (attributes) checkAttributes(attributes, maxBytes, maxCount);
}
