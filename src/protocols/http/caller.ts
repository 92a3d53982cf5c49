import type { IncomingMessage } from "node:http";
import type { Auth } from "../../domain/auth/auth.ts";
import { toCaller } from "../../domain/auth/caller.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";

/** @throws TodokuError `unauthenticated`. */
export function authenticate(auth: Auth, request: IncomingMessage): Principal | Promise<Principal> {
  return auth.authenticate(
    readCredential(request.headers.authorization),
    toCaller(request.socket.remoteAddress, request.headers),
  );
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
