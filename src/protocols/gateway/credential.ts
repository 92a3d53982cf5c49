import type { IncomingHttpHeaders } from "node:http";
import { TodokuError } from "../../domain/errors.ts";

/** What a handshake brings to show who connects: a credential ("" for none), or a ticket. */
export type Brought = { readonly credential: string } | { readonly ticket: string };

/** Browsers cannot set headers of a WebSocket, but they can offer subprotocols. */
const protocolPrefix = "bearer.";
const nothing: Brought = { credential: "" };

/**
 * Reads the one credential of a handshake, from `Authorization: Bearer`, the subprotocol `bearer.<token>`, or the query's `authorization`, `token` or `ticket`.
 * @throws TodokuError `invalid_argument`: there are several; `unauthenticated`: one is empty. No message repeats it.
 */
export function readCredential(
  headers: IncomingHttpHeaders,
  protocols: readonly string[],
  query: URLSearchParams,
): Brought {
  const { authorization } = headers;
  if (authorization === undefined && protocols.length === 0 && query.size === 0) return nothing;
  const offered = protocols.filter((protocol) => protocol.startsWith(protocolPrefix));
  const tokens = [
    ...(authorization === undefined ? [] : [fromHeader(authorization)]),
    ...offered.map((protocol) => protocol.slice(protocolPrefix.length)),
    // The article's own browser code sends it bare; others paste the whole header.
    ...query.getAll("authorization").map((value) => value.replace(/^bearer +/i, "")),
    ...query.getAll("token"),
  ];
  const tickets = query.getAll("ticket");
  if (tokens.length + tickets.length > 1) {
    throw new TodokuError("invalid_argument", "there must be one credential at most");
  }
  const [credential = tickets[0]] = tokens;
  if (credential === "") throw new TodokuError("unauthenticated", "the credential is empty");
  const [ticket] = tickets;
  return ticket === undefined ? { credential: credential ?? "" } : { ticket };
}

function fromHeader(authorization: string): string {
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token !== undefined) return token;
  throw new TodokuError("unauthenticated", "the Authorization header must be: Bearer <API key or token>");
}
