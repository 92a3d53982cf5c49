import { Buffer } from "node:buffer";
import { z } from "zod";
import type { TopicValue } from "../domain/topics/store.ts";

// What a message has in the JSON of every protocol.

/** Half a surrogate pair has no UTF-8 form: it would come back as another text. */
export const textField = z.string().refine((value) => value.isWellFormed(), "must be well-formed Unicode");

export const base64Field = z.base64("must be base64");

/** Attributes of an answer, by name. */
export const attributesSchema = z
  .record(textField, z.strictObject({ type: textField, value: textField }))
  .meta({ id: "Attributes" });

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

/** The value of a message that has one of both; undefined when it has none, or both. */
export function toValue(text: string | undefined, base64: string | undefined): TopicValue | undefined {
  if ((text === undefined) === (base64 === undefined)) return undefined;
  if (text !== undefined) return { isText: true, bytes: Buffer.from(text) };
  return { isText: false, bytes: Buffer.from(base64 ?? "", "base64") };
}

/** The bytes of a value as JSON carries them: a text as it is, else base64. */
export function toJsonText({ isText, bytes }: TopicValue): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(isText ? "utf8" : "base64");
}
