import type { IncomingMessage, ServerResponse } from "node:http";
import { commonHeaders } from "../../lib/response.ts";

// Chromium keeps a preflight's answer for two hours at most.
const maxAgeSeconds = "7200";

// For answers that carry the status in the head instead of the body's last frame.
const grpcWebExposed = "grpc-status, grpc-message, err";

/**
 * Headers of every answer to HTTP, grpc-web or not; `exposed` are those that a page may read. A browser may call from any page: what it may do is decided by the token it carries (and the empty credential of dev
 * mode looks at the origin by itself). No cookies are involved, so nothing is allowed that the page could not do anyway.
 */
export function setWebHeaders(request: IncomingMessage, response: ServerResponse, exposed = grpcWebExposed): void {
  for (const [name, value] of Object.entries(commonHeaders)) response.setHeader(name, value);
  response.setHeader("access-control-allow-origin", request.headers.origin ?? "*");
  response.setHeader("vary", "Origin");
  response.setHeader("access-control-expose-headers", exposed);
}

/** Answers a preflight: the web SDK asks for up to nine headers, so the asked list is allowed as it is. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, methods = "POST, OPTIONS"): void {
  setWebHeaders(request, response);
  response.setHeader("access-control-allow-methods", methods);
  response.setHeader("access-control-allow-headers", request.headers["access-control-request-headers"] ?? "*");
  response.setHeader("access-control-max-age", maxAgeSeconds);
  response.writeHead(204).end();
}
