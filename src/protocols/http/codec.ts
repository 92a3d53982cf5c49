import { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import type { Message } from "../../domain/topics/message.ts";
import { formatPosition } from "../../domain/topics/position.ts";
import type { TopicItem } from "../../domain/topics/store.ts";
import { attributesField, attributesSchema, base64Field, textField, toJsonText, toValue } from "../message-fields.ts";

/** The body of a publish. */
export const publishSchema = z
  .strictObject({
    text: textField.optional().meta({ description: "Either this or `binary`; not empty" }),
    binary: base64Field.optional(),
    attributes: attributesField.optional(),
    messageId: textField.optional().meta({
      description: "1 to 128 characters: the same one within 5 minutes answers with the first result",
    }),
  })
  .meta({ id: "Message" });

/** @throws TodokuError `invalid_argument` unless there is exactly one of `text` and `binary`. */
export function toMessage({ text, binary, attributes, messageId }: z.infer<typeof publishSchema>): Message {
  const value = toValue(text, binary);
  if (!value) throw new TodokuError("invalid_argument", 'the body must have either "text" or "binary"');
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
  const text = toJsonText(item.value);
  return {
    position: formatPosition(item),
    sequencePage: item.page,
    sequenceNumber: item.sequence,
    ...(item.value.isText ? { text } : { binary: text }),
    ...(item.attributes && Object.keys(item.attributes).length > 0 ? { attributes: item.attributes } : {}),
    ...(item.tokenId === "" ? {} : { tokenId: item.tokenId }),
    publishedAtMs: item.publishedAtMs,
  };
}
