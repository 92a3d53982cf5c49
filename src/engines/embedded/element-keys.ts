import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";

/** SQLite reads all of a key that does not fit in its page (a cell of an index may have 1,002 bytes there) whenever a search passes it, for any collection: 20 us at 100 kB. */
const keyMaxBytes = 512;
const hashBytes = 32;

/** Under what an element or a field lies in the file: its bytes, or of a large one the first of them and a SHA-256, which are longer than any other key. */
export function keyOf(element: Uint8Array): Uint8Array {
  if (isOwnKey(element)) return element;
  const hash = createHash("sha256").update(element).digest();
  return Buffer.concat([element.subarray(0, keyMaxBytes + 1 - hashBytes), hash]);
}

/** Is it its own key? Else it lies beside it. */
export function isOwnKey(element: Uint8Array): boolean {
  return element.byteLength <= keyMaxBytes;
}
