import { randomUUID } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { authorize } from "./authorize.ts";
import { covers } from "./coverage.ts";
import { checkGrants, type TokenGrant, tokenGrantSchema } from "./grants.ts";
import type { Principal } from "./principal.ts";
import type { Revocations } from "./revocations.ts";
import type { SigningKeys } from "./signing-keys.ts";
import { problemOfUserId } from "./user-id.ts";
import type { JudgedCredential, Verdict, Withdrawals } from "./withdrawal.ts";

const algorithm = "HS256";
const issuer = "todoku";

const claimsSchema = z.object({
  environment: z.string(),
  grants: z.array(tokenGrantSchema),
  tokenId: z.string(),
  /** Whom it is for. */
  user: z.string().optional(),
  /** The id of the API key that issued it. */
  key: z.string().optional(),
  /** The newest revocation that was known at its issue. Tokens of earlier releases have none: any is newer. */
  ver: z.number().int().default(0),
  iat: z.number().int(),
  exp: z.number().int(),
  jti: z.string(),
});

/** What a disposable token is to be. */
export interface TokenRequest {
  readonly grants: readonly TokenGrant[];
  /** At most `limits.tokenIdMaxLength` characters; "" for none. */
  readonly tokenId: string;
  /** Whom it is for: at most `limits.userIdMaxLength` characters. All tokens of a user can be revoked together. */
  readonly userId?: string | undefined;
  /** 1 ms .. `limits.disposableTokenMaxMs`; rounded up to whole seconds of wall time, the unit of JWT. */
  readonly validForMs: number;
}

/** A token, and what names it. */
interface IssuedToken {
  readonly token: string;
  /** Its own id: no secret. */
  readonly jti: string;
  readonly expiresAtMs: number;
}

/** Signs and verifies disposable tokens (JWT, HS256) with the signing keys of their environment. */
export interface Tokens {
  /**
   * A token of the principal's environment: a super user may issue any, others what a token grant of theirs covers.
   * @throws TodokuError `permission_denied` that names the first grant that is not covered; `invalid_argument`; `unauthenticated`: the principal's credential was taken back meanwhile.
   */
  issue(principal: Principal, request: TokenRequest): Promise<IssuedToken>;
  /** @throws TodokuError `unauthenticated`: forged, expired, revoked, of an unknown key, or no token at all. */
  verify(token: string): Promise<Principal>;
  /** What a genuine token is, though it may have ended. @throws TodokuError `unauthenticated`: forged, of an unknown key, or no token at all. */
  inspect(token: string): Promise<{ readonly principal: Principal; readonly verdict: Verdict | undefined }>;
}

/** What tokens are made of. */
export interface TokenParts {
  readonly signingKeys: Pick<SigningKeys, "current" | "find">;
  readonly revocations: Pick<Revocations, "version">;
  readonly withdrawals: Pick<Withdrawals, "admit" | "judge">;
  /** The clock that issue times and expiry are read from. */
  readonly wallMs: () => number;
}

export function createTokens({ signingKeys, revocations, withdrawals, wallMs }: TokenParts): Tokens {
  /** @throws TodokuError `unauthenticated`: it is not genuine. Its expiry is not looked at. */
  async function read(token: string): Promise<{ principal: Principal; judged: JudgedCredential }> {
    try {
      // Base64 decoders pass over white space and padding: without this, one token had endless spellings.
      if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw refused("this credential is not valid");
      // Which key to try is read before the signature is checked; a false environment or kid finds no key or a wrong one.
      const { environment } = decodeJwt(token);
      const { kid } = decodeProtectedHeader(token);
      const secret = typeof environment === "string" && kid ? await signingKeys.find(environment, kid) : undefined;
      if (!secret || !kid) throw refused("this credential is not known here");
      // At that time no token has expired: jose has no other way to leave expiry to its caller.
      const options = { algorithms: [algorithm], issuer, currentDate: new Date(0) };
      const claims = claimsSchema.parse((await jwtVerify(token, secret, options)).payload);
      const principal = toPrincipal(claims);
      return { principal, judged: { ...principal, version: claims.ver, kid } };
    } catch (error) {
      throw toUnauthenticated(error);
    }
  }

  return {
    async issue(principal, request) {
      authorize(principal, "token.create");
      checkRequest(request);
      checkCovered(principal, request.grants);
      const { environment, keyId, withdrawal } = principal;
      const { grants, tokenId, userId, validForMs } = request;
      const { kid, secret } = await signingKeys.current(environment);
      // In one step with reading the version: whatever takes the issuer's credential back later is newer than the token.
      if (withdrawal?.error) throw withdrawal.error;
      const version = revocations.version(environment);
      const nowMs = wallMs();
      const expiresAtSeconds = Math.ceil((nowMs + validForMs) / 1000);
      const jti = randomUUID();
      const token = await new SignJWT({
        ...{ environment, grants, tokenId, ver: version },
        ...(userId !== undefined && { user: userId }),
        ...(keyId !== undefined && { key: keyId }),
      })
        .setProtectedHeader({ alg: algorithm, kid })
        .setIssuer(issuer)
        .setIssuedAt(Math.floor(nowMs / 1000))
        .setExpirationTime(expiresAtSeconds)
        .setJti(jti)
        .sign(secret);
      checkLength("the token", token, limits.credentialMaxBytes, ": use shorter names or fewer grants");
      return { token, jti, expiresAtMs: expiresAtSeconds * 1000 };
    },

    async verify(token) {
      const { principal, judged } = await read(token);
      if ((principal.expiresAtMs ?? 0) <= wallMs()) throw refused("this token has expired");
      return { ...principal, withdrawal: withdrawals.admit(judged) };
    },

    async inspect(token) {
      const { principal, judged } = await read(token);
      return { principal, verdict: withdrawals.judge(judged) };
    },
  };
}

function toPrincipal({
  environment,
  grants,
  tokenId,
  user,
  key,
  iat,
  exp,
  jti,
}: z.infer<typeof claimsSchema>): Principal {
  return {
    ...{ kind: "token", environment, isSuperUser: false, isOperator: false, grants, tokenId, jti },
    ...(key !== undefined && { keyId: key }),
    ...(user !== undefined && { userId: user }),
    ...{ issuedAtMs: iat * 1000, expiresAtMs: exp * 1000 },
  };
}

function checkRequest({ grants, tokenId, userId, validForMs }: TokenRequest): void {
  checkGrants(grants);
  checkLength("tokenId", tokenId, limits.tokenIdMaxLength);
  const problem = userId === undefined ? undefined : problemOfUserId(userId);
  if (problem !== undefined) throw new TodokuError("invalid_argument", `userId ${problem}`);
  // JSON in UTF-8 would change it: a revocation of it would then not find the token.
  if (!tokenId.isWellFormed()) throw new TodokuError("invalid_argument", "tokenId must be well-formed Unicode");
  if (!(validForMs >= 1 && validForMs <= limits.disposableTokenMaxMs)) {
    throw new TodokuError(
      "invalid_argument",
      `token lifetime ${validForMs} ms must be >= 1 and <= ${limits.disposableTokenMaxMs} (25 h)`,
    );
  }
}

function checkLength(what: string, text: string, maxLength: number, advice = ""): void {
  if (text.length <= maxLength) return;
  throw new TodokuError("invalid_argument", `${what} has ${text.length} characters; must be <= ${maxLength}${advice}`);
}

function checkCovered({ isSuperUser, grants }: Principal, wanted: readonly TokenGrant[]): void {
  if (isSuperUser) return;
  const issuable = grants.flatMap((grant) => (grant.resource === "token" ? grant.grants : []));
  const uncovered = wanted.find((inner) => !issuable.some((outer) => covers(outer, inner)));
  if (!uncovered) return;
  throw new TodokuError(
    "permission_denied",
    `this credential may not issue a token with the grant ${JSON.stringify(uncovered)}`,
  );
}

function refused(reason: string): TodokuError {
  return new TodokuError("unauthenticated", reason);
}

function toUnauthenticated(error: unknown): TodokuError {
  if (error instanceof TodokuError) return error;
  if (error instanceof errors.JOSEError || error instanceof z.ZodError || error instanceof TypeError) {
    return refused("this credential is not valid");
  }
  return new TodokuError("unavailable", "the credential could not be checked", { cause: error });
}
