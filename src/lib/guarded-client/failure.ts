import { errors } from "undici";

/** The target may not be called. `message` is a sentence for whoever asked for the call. */
export class BlockedError extends Error {
  readonly code = "TODOKU_BLOCKED";
}

/** What happened, by the code of an error of Node or undici. Their own messages name addresses that a name resolved to. */
const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  UND_ERR_SOCKET: "the connection was closed before the answer was whole",
  ENOTFOUND: "the name of the host was not found",
  EAI_AGAIN: "the name of the host could not be looked up",
  EHOSTUNREACH: "there is no way to the host",
  ENETUNREACH: "there is no way to the host",
  UND_ERR_HEADERS_OVERFLOW: "the head of the answer is too large",
};

/** A result without its time, for an error that ended a call. */
export function failureOf(error: Error): { readonly kind: "blocked" | "network" | "timeout"; readonly error: string } {
  if (error instanceof BlockedError) return { kind: "blocked", error: error.message };
  const code = codeOf(error);
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT")
    return { kind: "timeout", error: "no connection in time" };
  if (error instanceof errors.HTTPParserError) return { kind: "network", error: "the answer is not HTTP/1.1" };
  return { kind: "network", error: sentences[code] ?? `the connection failed${code && `: ${code}`}` };
}

/** Like `DEPTH_ZERO_SELF_SIGNED_CERT`; "" when it has none. */
function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" && /^[A-Z0-9_]+$/.test(error.code) ? error.code : "";
}
