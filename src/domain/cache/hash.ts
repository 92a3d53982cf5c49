import { hash } from "node:crypto";

const hashBytes = 16;

/** What stands for a value where clients compare values without sending them: the first 16 bytes of its SHA-256. */
export function hashOf(value: Uint8Array): Uint8Array {
  return hash("sha256", value, "buffer").subarray(0, hashBytes);
}
