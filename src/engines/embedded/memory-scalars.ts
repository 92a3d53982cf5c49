import { bytesOfText, textOf } from "../../lib/byte-text.ts";
import { itemOverheadBytes } from "./memory-keys.ts";
import type { Content } from "./memory-usage.ts";

/**
 * Up to so many bytes are kept as text of 24 bytes more: an array takes 200 in V8's heap and, past 64 bytes, as many outside of it. Longer
 * ones would take longer to copy with each read than they save.
 */
const textMaxBytes = 1024;
/** What an array takes more than a text, in the heap and outside of it, as measured. */
const arrayOverheadBytes = 400;

/** A scalar of its own, as it is kept: the caller's bytes may change. */
export function keepScalar(value: Uint8Array): string | Uint8Array {
  if (value.byteLength > textMaxBytes) return new Uint8Array(value);
  return textOf(value);
}

/** The scalar's bytes; undefined: a collection. */
export function readScalar(content: Content): Uint8Array | undefined {
  if (typeof content === "string") return bytesOfText(content);
  return content instanceof Uint8Array ? content : undefined;
}

/** What a key with a scalar of so many bytes counts. */
export function scalarBytes(keyBytes: number, valueBytes: number): number {
  return keyBytes + valueBytes + itemOverheadBytes + (valueBytes > textMaxBytes ? arrayOverheadBytes : 0);
}
