import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** How long to wait before the next try; undefined: there is none, for `tries` were made, or it would fail in the same way. */
export function retryAfterMs(error: TodokuError, tries: number, triesMax: number = limits.notification.triesMax) {
  const isLasting = error.code === "invalid_argument" || error.subject === "message_size";
  if (isLasting || tries >= triesMax) return undefined;
  return limits.notification.retryFirstMs * 2 ** (tries - 1);
}
