import { Buffer } from "node:buffer";
import { TodokuError } from "./errors.ts";
import { limits } from "./limits.ts";

/** Attributes of a message: name -> type and value (the shape SNS, SQS and the gateway need). */
export type Attributes = Readonly<Record<string, { readonly type: string; readonly value: string }>>;

/** @throws TodokuError `invalid_argument` or `limit_exceeded` that names the part, its size and the bound. */
export function checkAttributes(
  attributes: Attributes,
  maxBytes: number = limits.attributesMaxBytes,
  maxCount: number = limits.attributesMaxCount,
): void {
  const entries = Object.entries(attributes);
  if (entries.length > maxCount) {
    throw new TodokuError("invalid_argument", `${entries.length} attributes must be <= ${maxCount}`);
  }
  if (Object.hasOwn(attributes, "")) throw new TodokuError("invalid_argument", "an attribute name must not be empty");
  const bytes = attributeBytes(attributes);
  if (bytes > maxBytes) {
    throw new TodokuError(
      "limit_exceeded",
      `request limit: the attributes have ${bytes} bytes; must be <= ${maxBytes}`,
      { subject: "message_size" },
    );
  }
}

/** Names, types and values together; 0 for none. */
export function attributeBytes(attributes: Attributes | undefined): number {
  let bytes = 0;
  for (const [name, { type, value }] of attributes ? Object.entries(attributes) : [])
    bytes += Buffer.byteLength(name) + Buffer.byteLength(type) + Buffer.byteLength(value);
  return bytes;
}
