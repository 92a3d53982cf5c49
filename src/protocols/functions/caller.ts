import { Buffer } from "node:buffer";
import { authorize } from "../../domain/auth/authorize.ts";
import type { Caller, Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import { isObject } from "../lambda-events.ts";
import type { FunctionsOptions } from "./options.ts";

/** What a credential says, as it came; `sub` is there. */
export type Claims = Readonly<Record<string, unknown>>;

/**
 * Who is signed in, by `Authorization: Bearer <token>` or the token alone: a user of an identity provider, or whom a token was issued for; or somebody
 * whose grants let them invoke the handler. The empty credential of dev mode is nobody: a handler asks for `sub`.
 * @throws TodokuError `unauthenticated`; `permission_denied`; `limit_exceeded`.
 */
export async function signIn(
  auth: Pick<FunctionsOptions["auth"], "authenticate">,
  { handler, environment }: { readonly handler: string; readonly environment: string },
  authorization: string | undefined,
  caller: Caller,
): Promise<Claims> {
  const credential = /^(?:bearer +)?(\S+) *$/i.exec(authorization ?? "")?.[1];
  if (credential === undefined) throw new TodokuError("unauthenticated", "a credential is needed");
  const principal = await auth.authenticate(credential, caller);
  if (principal.environment !== environment) {
    throw new TodokuError("permission_denied", "the credential is of another environment than the function");
  }
  if (principal.userId === undefined) authorize(principal, "handler.invoke", "", handler);
  return claimsOf(principal, credential);
}

/** Whoever calls a function that is for anybody: counted as those are who have a token. */
export function stranger(environment: string): Principal {
  return {
    ...{ kind: "token", environment, isSuperUser: false, isOperator: false, grants: [], tokenId: "" },
    expiresAtMs: undefined,
  };
}

/** Of a token that was verified just before; a credential that is none of an identity provider says what we know. */
function claimsOf(principal: Principal, credential: string): Claims {
  const { kind, userId, keyId, issuedAtMs, expiresAtMs, jti } = principal;
  const claims = kind === "user" ? readClaims(credential) : undefined;
  if (claims && claims.sub === userId) return claims;
  return {
    sub: userId ?? keyId ?? kind,
    iss: "todoku",
    ...(jti !== undefined && { jti }),
    ...(issuedAtMs !== undefined && { iat: Math.floor(issuedAtMs / 1000) }),
    ...(expiresAtMs !== undefined && { exp: Math.floor(expiresAtMs / 1000) }),
  };
}

function readClaims(token: string): Claims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Claims as texts; `list` writes one that is a list. */
export function claimTexts(claims: Claims, list: (values: readonly string[]) => string): Record<string, string> {
  const toText = (value: unknown): string => {
    if (Array.isArray(value)) return list(value.map(toText));
    return typeof value === "string" ? value : JSON.stringify(value);
  };
  return Object.fromEntries(Object.entries(claims).map(([name, value]) => [name, toText(value)]));
}
