import { toCaller } from "../../domain/auth/caller.ts";
import type { Caller, Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { HttpContext } from "./operation.ts";
import type { HttpParts } from "./options.ts";

/**
 * Who calls, by the header `Authorization` or the query parameter `ticket`.
 * @throws TodokuError `unauthenticated`; `invalid_argument`: there are both, or two tickets.
 */
export function authenticate(
  parts: Pick<HttpParts, "auth" | "tickets" | "proxies">,
  context: HttpContext,
): Principal | Promise<Principal> {
  const { auth, tickets } = parts;
  const { req } = context;
  const { authorization } = context.env.incoming.headers;
  const caller = callerOf(context, parts);
  const [ticket, ...others] = req.queries("ticket") ?? [];
  if (ticket === undefined) return auth.authenticate(readCredential(authorization), caller);
  if (authorization !== undefined || others.length > 0) {
    throw new TodokuError("invalid_argument", 'there must be one credential: the Authorization header or one "ticket"');
  }
  const redeemed = auth.identify(caller, async () => tickets.redeem(ticket, req.method, new URL(req.url).pathname));
  // A ticket must not carry the empty credential of dev mode to where that is not accepted itself.
  return redeemed.then((principal) => (principal.kind === "open" ? auth.authenticate("", caller) : principal));
}

/** What the transport knows of who calls. */
export function callerOf({ env: { incoming } }: HttpContext, { proxies }: Pick<HttpParts, "proxies">): Caller {
  return toCaller(incoming.socket.remoteAddress, incoming.headers, proxies);
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
