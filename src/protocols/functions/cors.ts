// The answers to browsers: who may call is decided by what a call carries, so origins guard nothing but what a page may read.
import type { IncomingHttpHeaders } from "node:http";

type Headers = Readonly<Record<string, string>>;

/** What AWS's own templates allow, and no more: `*` would not cover Authorization. */
const allowedHeaders = "Authorization, Content-Type, X-Amz-Date, X-Amz-Security-Token, X-Api-Key";
const exposedHeaders = "Location, Retry-After, x-amzn-ErrorType, x-amzn-RequestId";
/** Chromium keeps a preflight's answer for two hours at most. */
const maxAgeSeconds = "7200";

/** Of every answer, refusals too: without them a page could not tell a 401 from a broken line. None where no origin may call. */
export function corsHeaders({ origin }: IncomingHttpHeaders, origins: readonly string[]): Headers {
  if (origins.length === 0) return {};
  const allowed = origins.includes("*") ? "*" : origins.find((one) => one === origin);
  if (allowed === undefined) return { vary: "Origin" };
  return { vary: "Origin", "access-control-allow-origin": allowed, "access-control-expose-headers": exposedHeaders };
}

/** Is it a browser asking whether a page may call? */
export function isPreflight(method: string, headers: IncomingHttpHeaders): boolean {
  return method === "OPTIONS" && headers.origin !== undefined && headers["access-control-request-method"] !== undefined;
}

/** Beside those of every answer. */
export function preflightHeaders(methods: readonly string[]): Headers {
  return {
    "access-control-allow-methods": [...methods.filter((method) => method !== "OPTIONS"), "OPTIONS"].join(", "),
    "access-control-allow-headers": allowedHeaders,
    "access-control-max-age": maxAgeSeconds,
  };
}
