import type { IncomingMessage } from "node:http";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Caller, Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import { isLoopbackAddress } from "../../lib/loopback.ts";

/** @throws TodokuError `unauthenticated`. */
export function authenticate(auth: Auth, request: IncomingMessage): Principal | Promise<Principal> {
  return auth.authenticate(readCredential(request.headers.authorization), toCaller(request));
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

function toCaller({ headers, socket }: IncomingMessage): Caller {
  return {
    isLoopbackPeer: isLoopbackAddress(socket.remoteAddress),
    host: headers.host ?? (headers[":authority"] as string | undefined),
    forwardedFor: headers["x-forwarded-for"] as string | undefined,
    origin: headers.origin,
    secFetchSite: headers["sec-fetch-site"] as string | undefined,
  };
}
