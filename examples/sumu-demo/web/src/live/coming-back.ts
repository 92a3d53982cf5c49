import type { Frame } from "./frame.ts";

const firstMs = 1000;
const longestMs = 30_000;
/** 4403: not allowed; 4410: thrown out. Any other end passes. */
const finalCodes = [4403, 4410];

/** After a close with that code. `advice`: the server's `disconnect` frame before it, or an empty one. */
export function mayComeBack(code: number, advice: Frame): boolean {
  return !finalCodes.includes(code) && advice.reconnect !== false;
}

/**
 * How long to wait after so many failures in a row (from 1), in milliseconds: what the server asks for, and anything up to 1, 2, 4 ... 30 s ("full
 * jitter"). After a restart of the server all pages would else come back in the same moment, again and again.
 */
export function waitMs(failures: number, { afterMs }: Frame): number {
  const backoffMs = Math.random() * Math.min(longestMs, firstMs * 2 ** (failures - 1));
  return backoffMs + (typeof afterMs === "number" ? afterMs : 0);
}
