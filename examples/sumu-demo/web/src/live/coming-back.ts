import type { Frame } from "./frame.ts";

/** Todoku gives users 5 s after a restart before it tells that they have gone: who tries once in 2 s is back by then. */
const quickMs = 2000;
/** About ten seconds, in which a restart is over. */
const quickTries = 10;
const longestMs = 30_000;
/** 4403: not allowed; 4410: thrown out. Any other end passes. */
const finalCodes = [4403, 4410];

/** After a close with that code. `advice`: the server's `disconnect` frame before it, or an empty one. */
export function mayComeBack(code: number, advice: Frame): boolean {
  return !finalCodes.includes(code) && advice.reconnect !== false;
}

/**
 * How long to wait after so many failures in a row (from 1), in milliseconds: what the server asks for, and anything up to 2 s
 * for ten times, then up to 4, 8, 16, 30 s ("full jitter"). After a restart of the server all pages would else come back in the same moment,
 * again and again.
 */
export function waitMs(failures: number, { afterMs }: Frame): number {
  const backoffMs = Math.random() * Math.min(longestMs, quickMs * 2 ** Math.max(0, failures - quickTries));
  return backoffMs + (typeof afterMs === "number" ? afterMs : 0);
}
