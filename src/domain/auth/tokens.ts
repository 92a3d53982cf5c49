import { Buffer } from "node:buffer";
import { randomBytes, randomUUID } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { RecordStore } from "../records/store.ts";
import { authorize } from "./authorize.ts";
import { covers } from "./coverage.ts";
import { checkGrants, type TokenGrant, tokenGrantSchema } from "./grants.ts";
import type { Principal } from "./principal.ts";

const recordKind = "signing-key";
const algorithm = "HS256";
const issuer = "todoku";

const claimsSchema = z.object({
  environment: z.string(),
  grants: z.array(tokenGrantSchema),
  tokenId: z.string(),
  exp: z.number().int(),
});
const keySchema = z.object({ secret: z.string() });

/** What a disposable token is to be. */
export interface TokenRequest {
  readonly grants: readonly TokenGrant[];
  /** At most `limits.tokenIdMaxLength` characters; "" for none. */
  readonly tokenId: string;
  /** 1 ms .. `limits.disposableTokenMaxMs`; rounded up to whole seconds of wall time, the unit of JWT. */
  readonly validForMs: number;
}

/** Signs and verifies disposable tokens (JWT, HS256) with a key kept in the store, one per environment. */
export interface Tokens {
  /**
   * A token of the principal's environment: a super user may issue any, others what a token grant of theirs covers.
   * @throws TodokuError `permission_denied` that names the first grant that is not covered; `invalid_argument`.
   */
  issue(principal: Principal, request: TokenRequest): Promise<{ token: string; expiresAtMs: number }>;
  /** @throws TodokuError `unauthenticated`: forged, expired, of an unknown key, or no token at all. */
  verify(token: string): Promise<Principal>;
}

/** @param wallMs the clock that issue times and expiry are read from. */
export function createTokens(records: RecordStore, wallMs: () => number): Tokens {
  const keys = new Map<string, Uint8Array>();

  async function key(environment: string, kid: string): Promise<Uint8Array | undefined> {
    const cached = keys.get(`${environment}/${kid}`);
    if (cached) return cached;
    const record = await records.read({ kind: recordKind, environment, name: kid });
    if (!record) return undefined;
    const secret = Buffer.from(keySchema.parse(record.document).secret, "base64url");
    keys.set(`${environment}/${kid}`, secret);
    return secret;
  }

  /** The key id new tokens are signed with; the first call for an environment makes it. */
  async function currentKid(environment: string): Promise<string> {
    const [newest] = [...(await records.list(recordKind, environment))].sort((a, b) => b.id - a.id);
    if (newest) return newest.name;
    const name = randomUUID();
    await records.create(
      { kind: recordKind, environment, name },
      { secret: randomBytes(32).toString("base64url"), createdAtMs: wallMs() },
    );
    return name;
  }
  const currentKids = new Map<string, Promise<string>>();

  return {
    async issue(principal, request) {
      authorize(principal, "token.create");
      checkRequest(request);
      checkCovered(principal, request.grants);
      const { environment } = principal;
      let kid = currentKids.get(environment);
      if (!kid) {
        kid = currentKid(environment);
        currentKids.set(environment, kid);
        kid.catch(() => currentKids.delete(environment));
      }
      const name = await kid;
      const secret = await key(environment, name);
      if (!secret) throw new TodokuError("internal", "the signing key has gone");
      const nowMs = wallMs();
      const expiresAtSeconds = Math.ceil((nowMs + request.validForMs) / 1000);
      const token = await new SignJWT({ environment, grants: request.grants, tokenId: request.tokenId })
        .setProtectedHeader({ alg: algorithm, kid: name })
        .setIssuer(issuer)
        .setIssuedAt(Math.floor(nowMs / 1000))
        .setExpirationTime(expiresAtSeconds)
        .setJti(randomUUID())
        .sign(secret);
      if (token.length > limits.credentialMaxBytes) {
        throw new TodokuError(
          "invalid_argument",
          `the token would have ${token.length} bytes; must be <= ${limits.credentialMaxBytes}: use shorter names or fewer grants`,
        );
      }
      return { token, expiresAtMs: expiresAtSeconds * 1000 };
    },

    async verify(token) {
      try {
        // Base64 decoders pass over white space and padding: without this, one token had endless spellings.
        if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) {
          throw new TodokuError("unauthenticated", "this credential is not valid");
        }
        // Which key to try is read before the signature is checked; a false environment or kid finds no key or a wrong one.
        const { environment } = decodeJwt(token);
        const { kid } = decodeProtectedHeader(token);
        const secret = typeof environment === "string" && kid ? await key(environment, kid) : undefined;
        if (!secret) throw new TodokuError("unauthenticated", "this credential is not known here");
        const options = { algorithms: [algorithm], issuer, currentDate: new Date(wallMs()) };
        const claims = claimsSchema.parse((await jwtVerify(token, secret, options)).payload);
        return {
          kind: "token",
          environment: claims.environment,
          isSuperUser: false,
          isOperator: false,
          grants: claims.grants,
          tokenId: claims.tokenId,
          expiresAtMs: claims.exp * 1000,
        };
      } catch (error) {
        throw toUnauthenticated(error);
      }
    },
  };
}

function checkRequest({ grants, tokenId, validForMs }: TokenRequest): void {
  checkGrants(grants);
  if (tokenId.length > limits.tokenIdMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `tokenId has ${tokenId.length} characters; must be <= ${limits.tokenIdMaxLength}`,
    );
  }
  if (!(validForMs >= 1 && validForMs <= limits.disposableTokenMaxMs)) {
    throw new TodokuError(
      "invalid_argument",
      `token lifetime ${validForMs} ms must be >= 1 and <= ${limits.disposableTokenMaxMs} (25 h)`,
    );
  }
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

function toUnauthenticated(error: unknown): TodokuError {
  if (error instanceof TodokuError) return error;
  if (error instanceof errors.JWTExpired) return new TodokuError("unauthenticated", "this token has expired");
  if (error instanceof errors.JOSEError || error instanceof z.ZodError || error instanceof TypeError) {
    return new TodokuError("unauthenticated", "this credential is not valid");
  }
  return new TodokuError("unavailable", "the credential could not be checked", { cause: error });
}
