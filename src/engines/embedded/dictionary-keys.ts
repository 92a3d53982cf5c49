import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** SQLite reads all of a key that does not fit in its page whenever a search passes it, for any collection: 20 us at 100 kB. */
const keyMaxBytes = 512;
const hashBytes = 32;

/** Under what a field lies in the file: its bytes, or of a large one the first of them and a SHA-256, which are longer than any other key. */
export function keyOf(field: Uint8Array): Uint8Array {
  if (isOwnKey(field)) return field;
  const hash = createHash("sha256").update(field).digest();
  return Buffer.concat([field.subarray(0, keyMaxBytes + 1 - hashBytes), hash]);
}

/** Is it its own key? Else it lies beside it. */
export function isOwnKey(field: Uint8Array): boolean {
  return field.byteLength <= keyMaxBytes;
}
