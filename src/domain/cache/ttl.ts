import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** @throws TodokuError `invalid_argument`. */
export function checkTtl(ttlMs: number): void {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 1 || ttlMs > limits.itemTtlMaxMs) {
    throw new TodokuError("invalid_argument", `ttlMs ${ttlMs} must be >= 1 and <= ${limits.itemTtlMaxMs}`);
  }
}
