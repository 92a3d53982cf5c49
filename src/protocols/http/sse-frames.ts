import { Buffer } from "node:buffer";
import { formatPosition, type Position } from "../../domain/topics/position.ts";
import type { Encoding } from "../../domain/topics/subscription.ts";
import { toItemJson } from "./codec.ts";
import type { Problem } from "./errors.ts";

/**
 * Items as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). One object for all streams,
 * so that they share each frame. Items have the default type, so `onmessage` gets them; JSON has no line break, so each
 * is one `data` line.
 */
export const sseEncoding: Encoding = {
  items: (items) =>
    Buffer.from(
      items.map((item) => `id: ${formatPosition(item)}\ndata: ${JSON.stringify(toItemJson(item))}\n\n`).join(""),
    ),
  // With the id, a client that loses its line now does not hear of the same gap again.
  discontinuity: ({ after, now }) =>
    Buffer.from(
      `event: discontinuity\nid: ${formatPosition(now)}\ndata: ${JSON.stringify({ after: formatPosition(after), now: formatPosition(now) })}\n\n`,
    ),
};

/** A comment: clients skip it, proxies and clients see that the line lives. */
export const heartbeatFrame = Buffer.from(":\n\n");

/**
 * The first thing on a stream. An id without data fires no event, but the client keeps it: whoever loses the line before the
 * first item comes back to the right place.
 */
export function openingFrame(position: Position): Buffer {
  return Buffer.from(`:\nretry: 1000\nid: ${formatPosition(position)}\n\n`);
}

/** The last thing on a stream that the server ends. */
export function errorFrame(problem: Problem): Buffer {
  return Buffer.from(`event: error\ndata: ${JSON.stringify(problem)}\n\n`);
}
