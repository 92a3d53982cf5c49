import { randomFillSync } from "node:crypto";

/** 87 bits; as base64 for addresses 16 characters that end with "=", as the ids of API Gateway do: clients that do not escape it are found out. */
const idBytes = 11;
/** One call for many ids: a call costs 1 us, and each frame has an id. */
const pool = Buffer.alloc(256 * idBytes);
let used = pool.length;

/** An id of a connection or a request: opaque, unique, and nobody can guess it. */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  // Without its first bit none begins with "-", which a command line would take for an option.
  pool[used] = (pool[used] ?? 0) & 0x7f;
  used += idBytes;
  return `${pool.toString("base64url", used - idBytes, used)}=`;
}
