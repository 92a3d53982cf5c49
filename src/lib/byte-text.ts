import { Buffer } from "node:buffer";

/**
 * Bytes as a text with a character for each: V8 keeps a byte for a character, some 24 beside them where an array takes 200, and a `Map` knows
 * equal ones.
 */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** As {@link textOf} took them. */
export function bytesOfText(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
