import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import type { Attributes } from "./attributes.ts";

/** `MD5OfMessageBody`: AWS's SDKs compare it with what they sent, against damage on the way; it protects nothing else. */
export function md5OfBody(body: string): string {
  return hash("md5", body);
}

/** `MD5OfMessageAttributes`; undefined when there are none. A `Binary` value is given as base64. */
export function md5OfAttributes(attributes: Attributes | undefined): string | undefined {
  const names = Object.keys(attributes ?? {}).toSorted();
  if (!attributes || names.length === 0) return undefined;
  const parts: Buffer[] = [];
  const add = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  };
  for (const name of names) {
    const { type, value } = attributes[name] as { readonly type: string; readonly value: string };
    const isBinary = type === "Binary" || type.startsWith("Binary.");
    add(Buffer.from(name));
    add(Buffer.from(type));
    parts.push(Buffer.of(isBinary ? 2 : 1));
    add(Buffer.from(value, isBinary ? "base64" : "utf8"));
  }
  return hash("md5", Buffer.concat(parts));
}
