/** How long to wait before try number `failures` + 1, in milliseconds. */
export interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * Half of the wait is fixed and half is chance: after a restart of the server all pages would else come back in the same moment, again and
 * again. `failures` counts from 0.
 */
export function backoffMs({ firstMs, maxMs }: Backoff, failures: number, random: () => number = Math.random): number {
  const fullMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 30));
  return fullMs * (0.5 + random() / 2);
}
