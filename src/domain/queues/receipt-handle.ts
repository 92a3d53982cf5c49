import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { TodokuError } from "../errors.ts";
import type { QueueKey } from "./queue.ts";
import type { Receipt } from "./store.ts";

// Four numbers of 48 bits: the queue's name (hashed) and incarnation, the message, the receive. 24 bytes are 32 characters of
// base64url without a spare bit, so that no two texts mean the same.
const numberBytes = 6;
const form = /^[A-Za-z0-9_-]{32}$/;

/** The text that a receiver gives back to delete a message or to change its visibility. It is no secret and no permission. */
export function formatReceiptHandle(key: QueueKey, { sequence, token }: Receipt): string {
  const bytes = Buffer.allocUnsafe(4 * numberBytes);
  [fingerprint(key), key.queueId, sequence, token].forEach((value, n) => {
    bytes.writeUIntBE(value, n * numberBytes, numberBytes);
  });
  return bytes.toString("base64url");
}

/**
 * What the handle names in the queue; undefined when that was in an earlier incarnation of it.
 * @throws TodokuError `invalid_argument`: it is no handle, or one of another queue.
 */
export function parseReceiptHandle(key: QueueKey, handle: string): Receipt | undefined {
  if (!form.test(handle))
    throw new TodokuError("invalid_argument", "the receipt handle is not one that a receive gave");
  const bytes = Buffer.from(handle, "base64url");
  const number = (n: number) => bytes.readUIntBE(n * numberBytes, numberBytes);
  if (number(0) !== fingerprint(key)) {
    throw new TodokuError("invalid_argument", `the receipt handle is not of queue "${key.queue}"`);
  }
  return number(1) === key.queueId ? { sequence: number(2), token: number(3) } : undefined;
}

/** Each batch asks for up to ten, of the same few queues: 2 us each. */
const fingerprints = new WeakMap<QueueKey, number>();

/** Stays over a purge; the incarnation's id does not tell whose it was once that is gone. */
function fingerprint(key: QueueKey): number {
  let value = fingerprints.get(key);
  if (value === undefined) {
    const digest = hash("sha256", `${key.environment}/${key.queue}`, "hex");
    value = Number.parseInt(digest.slice(0, 2 * numberBytes), 16);
    fingerprints.set(key, value);
  }
  return value;
}
