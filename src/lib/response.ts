import type { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";

/** Of every answer: no cache keeps it, no link takes its address along (which may hold a ticket), no browser guesses what it is. */
export const commonHeaders: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Has the client left? `close` may have been emitted before anybody listened, and Node's HTTP/2 response has no `destroyed`
 * that would tell: its stream does.
 */
export function isGone(response: ServerResponse): boolean {
  const { stream } = response as unknown as Partial<Http2ServerResponse>;
  return stream ? stream.closed || stream.destroyed : response.destroyed;
}
