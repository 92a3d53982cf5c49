import { Buffer } from "node:buffer";
import { z } from "zod";
import type { Attributes } from "../../domain/attributes.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Message } from "../../domain/topics/message.ts";
import { formatPosition, type Position, parsePosition } from "../../domain/topics/position.ts";
import type { TopicItem } from "../../domain/topics/store.ts";

// Half a surrogate pair has no UTF-8 form: it would come back as another text.
const text = z.string().refine((value) => value.isWellFormed(), "must be well-formed Unicode");

/** The body of a publish. */
export const publishSchema = z.strictObject({
  text: text.optional(),
  binary: z.base64("must be base64").optional(),
  // zod leaves an own `__proto__` out without a word; it is refused instead.
  attributes: z
    .unknown()
    .refine(
      (value) => !(value instanceof Object && Object.hasOwn(value, "__proto__")),
      'the name "__proto__" is not allowed',
    )
    .pipe(z.record(text, z.strictObject({ type: text, value: text })))
    .optional(),
  messageId: text.optional(),
});

/** @throws TodokuError `invalid_argument` unless there is exactly one of `text` and `binary`. */
export function toMessage({ text, binary, attributes, messageId }: z.infer<typeof publishSchema>): Message {
  if ((text === undefined) === (binary === undefined)) {
    throw new TodokuError("invalid_argument", 'the body must have either "text" or "binary"');
  }
  const value =
    text === undefined
      ? { isText: false, bytes: Buffer.from(binary ?? "", "base64") }
      : { isText: true, bytes: Buffer.from(text) };
  return { value, attributes, messageId };
}

/** An item as JSON has it: `text` or `binary` (base64); `attributes` and `tokenId` only when the item has them. */
export interface ItemJson {
  readonly position: string;
  readonly sequencePage: number;
  readonly sequenceNumber: number;
  readonly text?: string;
  readonly binary?: string;
  readonly attributes?: Attributes;
  readonly tokenId?: string;
  readonly publishedAtMs: number;
}

export function toItemJson(item: TopicItem): ItemJson {
  const bytes = Buffer.from(item.value.bytes.buffer, item.value.bytes.byteOffset, item.value.bytes.length);
  const value = item.value.isText ? { text: bytes.toString("utf8") } : { binary: bytes.toString("base64") };
  return {
    position: formatPosition(item),
    sequencePage: item.page,
    sequenceNumber: item.sequence,
    ...value,
    ...(item.attributes && Object.keys(item.attributes).length > 0 ? { attributes: item.attributes } : {}),
    ...(item.tokenId === "" ? {} : { tokenId: item.tokenId }),
    publishedAtMs: item.publishedAtMs,
  };
}

/** Undefined for a missing or empty one. @throws TodokuError `invalid_argument` that names `field`. */
export function toPosition(field: string, value: string | undefined): Position | undefined {
  if (value === undefined || value === "") return undefined;
  const position = parsePosition(value);
  if (position) return position;
  throw new TodokuError("invalid_argument", `"${field}": must be a position, written <page>-<sequence>`);
}
