import type { Auth } from "../../domain/auth/auth.ts";
import { toCaller } from "../../domain/auth/caller.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import type { Tickets } from "../../domain/auth/tickets.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { HttpContext } from "./operation.ts";

/**
 * Who calls, by the header `Authorization` or the query parameter `ticket`.
 * @throws TodokuError `unauthenticated`; `invalid_argument`: there are both, or two tickets.
 */
export function authenticate(
  { auth, tickets }: { readonly auth: Auth; readonly tickets: Tickets },
  { req, env: { incoming } }: HttpContext,
): Principal | Promise<Principal> {
  const { authorization } = incoming.headers;
  const caller = toCaller(incoming.socket.remoteAddress, incoming.headers);
  const [ticket, ...others] = req.queries("ticket") ?? [];
  if (ticket === undefined) return auth.authenticate(readCredential(authorization), caller);
  if (authorization !== undefined || others.length > 0) {
    throw new TodokuError("invalid_argument", 'there must be one credential: the Authorization header or one "ticket"');
  }
  const principal = tickets.redeem(ticket, req.method, new URL(req.url).pathname);
  // A ticket must not carry the empty credential of dev mode to where that is not accepted itself.
  return principal.kind === "open" ? auth.authenticate("", caller) : principal;
}

/**
 * The token of `Authorization: Bearer <token>`; "" when the header is missing. An empty token is an error, not the empty
 * credential: somebody meant to send one.
 * @throws TodokuError `unauthenticated`.
 */
function readCredential(authorization: string | undefined): string {
  if (authorization === undefined) return "";
  const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (token === undefined) {
    throw new TodokuError("unauthenticated", "the Authorization header must be: Bearer <API key or token>");
  }
  return token;
}
