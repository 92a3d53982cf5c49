import { isUtf8 } from "node:buffer";

/** The text in `bytes` from `start` to `end`, or undefined when that is no UTF-8. `isAscii`: what the caller knows already. */
export function decodeText(bytes: Buffer, start: number, end: number, isAscii = false): string | undefined {
  // Most messages are ASCII: no view for `isUtf8`, and no walk through the bytes.
  if (isAscii) return bytes.toString("latin1", start, end);
  return isUtf8(bytes.subarray(start, end)) ? bytes.toString("utf8", start, end) : undefined;
}
