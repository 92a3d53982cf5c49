import { Buffer } from "node:buffer";
import { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import type { Message } from "../../domain/topics/message.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import type { TopicItem } from "../../domain/topics/store.ts";

// Half a surrogate pair has no UTF-8 form: it would come back as another text.
const text = z.string().refine((value) => value.isWellFormed(), "must be well-formed Unicode");

/** Attributes of an answer, by name. */
export const attributesSchema = z.record(text, z.strictObject({ type: text, value: text })).meta({ id: "Attributes" });

/** Attributes of a request. zod leaves an own `__proto__` out without a word; it is refused instead. */
export const attributesField = z
  .unknown()
  .refine(
    (value) => !(value instanceof Object && Object.hasOwn(value, "__proto__")),
    'the name "__proto__" is not allowed',
  )
  .pipe(attributesSchema)
  // The document would take it for anything at all.
  .meta({ $ref: "#/$defs/Attributes" });

/** The body of a publish. */
export const publishSchema = z
  .strictObject({
    text: text.optional().meta({ description: "Either this or `binary`; not empty" }),
    binary: z.base64("must be base64").optional(),
    attributes: attributesField.optional(),
    messageId: text.optional().meta({
      description: "1 to 128 characters: the same one within 5 minutes answers with the first result",
    }),
  })
  .meta({ id: "Message" });

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

export const positionSchema = z
  .string()
  .meta({ id: "Position", description: "`<page>-<sequence>`", pattern: "^[0-9]+-[0-9]+$", examples: ["7-2"] });

/** An item as JSON has it: `text` or `binary` (base64); `attributes` and `tokenId` only when the item has them. */
export const itemSchema = z
  .object({
    position: positionSchema,
    sequencePage: z.int(),
    sequenceNumber: z.int(),
    text: z.string().optional(),
    binary: z.base64().optional().meta({ description: "Stands instead of `text` for bytes" }),
    attributes: attributesSchema.optional(),
    tokenId: z.string().optional().meta({ description: "Of the token that published it" }),
    publishedAtMs: z.number().meta({ description: "Epoch milliseconds" }),
  })
  .meta({ id: "Item" });

export function toItemJson(item: TopicItem): z.output<typeof itemSchema> {
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
