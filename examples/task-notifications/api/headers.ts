import { randomUUID } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { Logger } from "pino";
import { ApiError } from "./api-error.ts";

/** What a request carries on its way through the API. */
export interface ApiEnvironment {
  readonly Variables: { requestId: string };
}

/** Which methods a path has; what is not here is a page or nothing. */
const apiMethods: Readonly<Record<string, readonly string[]>> = {
  "/task": ["POST"],
  "/token": ["GET", "HEAD"],
  "/config.json": ["GET", "HEAD"],
};
const pageMethods = ["GET", "HEAD"];

/** Methods of a path, with the one that every path has. */
function methodsOf(path: string): string {
  return [...(apiMethods[path] ?? pageMethods), "OPTIONS"].join(", ");
}

/**
 * Headers that every answer has, errors included: a browser shows a 401 without CORS headers as a failure of CORS, and the page could
 * not tell its user to sign in again. Set before the handlers run, so that no path through them can forget.
 */
export function commonHeaders(allowedOrigins: readonly string[]): MiddlewareHandler<ApiEnvironment> {
  return async (context, next) => {
    context.set("requestId", randomUUID());
    context.header("x-request-id", context.get("requestId"));
    context.header("x-content-type-options", "nosniff");
    context.header("referrer-policy", "no-referrer");
    context.header("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    context.header("cache-control", "no-store");
    context.header("vary", "Origin");
    const origin = context.req.header("origin");
    const isAllowed = origin !== undefined && allowedOrigins.includes(origin);
    if (isAllowed) {
      context.header("access-control-allow-origin", origin);
      context.header("access-control-expose-headers", "location, retry-after, www-authenticate, x-request-id");
    }
    if (context.req.method !== "OPTIONS") return next();
    if (isAllowed) {
      context.header("access-control-allow-methods", methodsOf(context.req.path));
      context.header("access-control-allow-headers", "authorization, content-type, idempotency-key");
      context.header("access-control-max-age", "600");
    }
    context.header("allow", methodsOf(context.req.path));
    return context.body(null, 204);
  };
}

/** 405 for what a path does not have. */
export function refuseMethods(): MiddlewareHandler<ApiEnvironment> {
  return async (context, next) => {
    const methods = apiMethods[context.req.path] ?? pageMethods;
    if (!methods.includes(context.req.method)) {
      throw new ApiError(405, `Method ${context.req.method} is not allowed here`, {
        allow: methodsOf(context.req.path),
      });
    }
    return next();
  };
}

/** A line for each request. The path without its query: an identity provider's answer comes in the query of the page. */
export function logRequests(log: Pick<Logger, "info">): MiddlewareHandler<ApiEnvironment> {
  return async (context, next) => {
    const startMs = performance.now();
    await next();
    const { method, path } = context.req;
    const durationMs = Math.round(performance.now() - startMs);
    log.info({ requestId: context.get("requestId"), method, path, status: context.res.status, durationMs }, "request");
  };
}
