import { problemOfUserId } from "../../domain/auth/user-id.ts";
import { endOfToken } from "../../domain/auth/users.ts";
import { limits } from "../../domain/limits.ts";

/** Why a token is refused: a word for the log, and a sentence for the caller, which never repeats what the token says. */
export class Refusal extends Error {
  readonly reason: string;

  constructor(reason: string, sentence: string) {
    super(sentence);
    this.reason = reason;
  }
}

/** What a token says, as it came. */
export type TokenClaims = Readonly<Record<string, unknown>>;

/** What counts of a token that may be used. */
export interface CheckedClaims {
  readonly userId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly jti: string | undefined;
}

/** `audiences`: of the authorizer; none: whoever it is for. A token is for those in `aud`; Cognito's access tokens have `client_id` in its place. */
export function isFor(audiences: readonly string[], { aud, client_id: clientId }: TokenClaims): boolean {
  if (audiences.length === 0) return true;
  const named = aud ?? clientId;
  return (Array.isArray(named) ? named : [named]).some((one) => audiences.includes(one));
}

/** @throws Refusal. */
export function checkAudience(audiences: readonly string[], claims: TokenClaims): void {
  if (isFor(audiences, claims)) return;
  const isMissing = claims.aud === undefined && claims.client_id === undefined;
  const what = isMissing ? "does not say whom it is for" : "is for another audience";
  throw new Refusal("audience", `this token ${what} (claim "aud"): it is not for this server`);
}

/** Times of the issuer's clock may differ from `nowMs` by `leewayMs`. @throws Refusal. */
export function checkClaims(claims: TokenClaims, nowMs: number, leewayMs: number): CheckedClaims {
  const expMs = toMs(claims, "exp");
  const issuedAtMs = toMs(claims, "iat");
  if (expMs === undefined) throw new Refusal("exp", 'this token has no expiry (claim "exp")');
  if (issuedAtMs === undefined) throw new Refusal("iat", 'this token has no time of issue (claim "iat")');
  if (expMs + leewayMs <= nowMs) throw new Refusal("expired", 'this token has expired (claim "exp")');
  const expiresAtMs = endOfToken(issuedAtMs, expMs + leewayMs);
  if (expiresAtMs <= nowMs) {
    const hours = limits.disposableTokenMaxMs / 3_600_000;
    throw new Refusal("age", `this token was issued more than ${hours} hours ago (claim "iat"): sign in again`);
  }
  if (issuedAtMs - leewayMs > nowMs) throw new Refusal("iat", 'this token was issued in the future (claim "iat")');
  const notBeforeMs = toMs(claims, "nbf");
  if (notBeforeMs !== undefined && notBeforeMs - leewayMs > nowMs) {
    throw new Refusal("nbf", 'this token may not be used yet (claim "nbf")');
  }
  return { userId: toUserId(claims.sub), issuedAtMs, expiresAtMs, jti: toJti(claims.jti) };
}

/** RFC 7519: seconds, not always whole. */
function toMs(claims: TokenClaims, name: "exp" | "iat" | "nbf"): number | undefined {
  const seconds = claims[name];
  if (seconds === undefined) return undefined;
  if (typeof seconds === "number" && Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  throw new Refusal(name, `this token's claim "${name}" is no number of seconds`);
}

function toUserId(sub: unknown): string {
  if (typeof sub !== "string" || sub === "")
    throw new Refusal("sub", 'this token does not say whose it is (claim "sub")');
  const problem = problemOfUserId(sub);
  if (problem !== undefined) throw new Refusal("sub", `this token's claim "sub" ${problem}`);
  return sub;
}

/** What is longer cannot be named to be revoked. */
function toJti(jti: unknown): string | undefined {
  return typeof jti === "string" && jti !== "" && jti.length <= limits.tokenIdMaxLength && jti.isWellFormed()
    ? jti
    : undefined;
}
