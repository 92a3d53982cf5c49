import type { IncomingMessage, ServerResponse } from "node:http";
import { commonHeaders } from "../../lib/response.ts";

// Chromium keeps a preflight's answer for two hours at most.
const maxAgeSeconds = "7200";

/**
 * Headers of every answer, errors and streams too. A browser may call /v1 from any page: what it may do is decided by the
 * token it carries, and the empty credential of dev mode looks at the origin by itself. There are no cookies.
 */
export function setCommonHeaders(request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  if (!request.url?.startsWith("/v1/")) return;
  response.setHeader("access-control-allow-origin", request.headers.origin ?? "*");
  response.setHeader("vary", "Origin");
  response.setHeader("access-control-expose-headers", "Allow, Retry-After, WWW-Authenticate");
}

/** Is it a browser asking whether it may call? */
export function isPreflight(request: IncomingMessage): boolean {
  return request.method === "OPTIONS" && request.url?.startsWith("/v1/") === true;
}

/** Answers it. The same for all paths: the call itself gets the 404 or 405. */
export function answerPreflight(response: ServerResponse): void {
  response.setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  response.setHeader("access-control-allow-headers", "Authorization, Content-Type, Last-Event-ID");
  response.setHeader("access-control-max-age", maxAgeSeconds);
  response.writeHead(204).end();
}
