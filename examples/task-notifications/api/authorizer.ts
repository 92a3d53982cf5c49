import { errors, type JWTPayload, jwtVerify } from "jose";
import type { Logger } from "pino";
import { userIdPattern } from "../shared/task.ts";
import { ApiError, unavailable } from "./api-error.ts";
import type { Issuer } from "./issuer.ts";

/** Who is calling. */
export interface User {
  readonly sub: string;
  /** As the identity provider says it. */
  readonly name: string | undefined;
}

/** Signatures that only the owner of a private key can make. `none` proves nothing, and HS256 would take the public key as its secret. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

/** Clocks differ. */
const leewaySeconds = 5;

/** Accepts the ID tokens that one issuer made for one client. */
export class Authorizer {
  readonly #issuer: Issuer;
  readonly #clientId: string;
  readonly #log: Pick<Logger, "warn">;

  constructor(issuer: Issuer, clientId: string, log: Pick<Logger, "warn">) {
    this.#issuer = issuer;
    this.#clientId = clientId;
    this.#log = log;
  }

  /** The user of an `Authorization: Bearer` header. @throws ApiError 401; 503: the issuer cannot be asked for its keys. */
  async authorize(header: string | undefined): Promise<User> {
    const token = /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
    if (token === undefined) throw new ApiError(401, "Unauthorized", { "www-authenticate": "Bearer" });
    const { keys } = await this.#issuer.discover().catch((error: unknown) => this.#unreachable(error));
    const { payload, protectedHeader } = await jwtVerify(token, keys, {
      issuer: this.#issuer.url,
      audience: this.#clientId,
      algorithms,
      clockTolerance: leewaySeconds,
      requiredClaims: ["sub", "exp"],
    }).catch((error: unknown) => this.#refuse(error));
    if (!isIdToken(payload, protectedHeader.typ, this.#clientId)) throw invalidToken();
    return { sub: payload.sub, name: typeof payload.name === "string" ? payload.name : undefined };
  }

  #refuse(error: unknown): never {
    if (error instanceof errors.JWTExpired) throw invalidToken("The incoming token has expired");
    const isAboutKeys = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid;
    // jose has no class of its own for a key set that answers with an error; a network failure is no error of jose at all.
    const isGeneric = error instanceof errors.JOSEError && error.code === errors.JOSEError.code;
    if (isAboutKeys || isGeneric || !(error instanceof errors.JOSEError)) this.#unreachable(error);
    throw invalidToken();
  }

  #unreachable(error: unknown): never {
    this.#log.warn({ issuer: this.#issuer.url, err: error }, "the identity provider cannot be asked");
    throw unavailable("The identity provider cannot be reached", 5);
  }
}

/** An issuer signs other things for the same audience too (RFC 8725 3.11): logout tokens, access tokens; and ID tokens that were made for another client (`azp`). */
function isIdToken(
  payload: JWTPayload,
  type: string | undefined,
  clientId: string,
): payload is JWTPayload & { sub: string } {
  if (type !== undefined && type.toUpperCase() !== "JWT") return false;
  if (payload.azp !== undefined && payload.azp !== clientId) return false;
  return typeof payload.sub === "string" && userIdPattern.test(payload.sub);
}

function invalidToken(message = "Unauthorized"): ApiError {
  return new ApiError(401, message, {
    "www-authenticate": `Bearer error="invalid_token", error_description="${message}"`,
  });
}
