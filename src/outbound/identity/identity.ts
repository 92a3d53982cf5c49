import { Buffer, isUtf8 } from "node:buffer";
import type { Identity } from "../../domain/auth/identity.ts";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Clock } from "../../lib/clock.ts";
import type { GuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import type { Log } from "../../lib/log.ts";
import { Authorizer, type AuthorizerSettings, type TokenHead } from "./authorizer.ts";
import { isFor, Refusal, type TokenClaims } from "./claims.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { discoverySource, fileSource, type KeySource, uriSource } from "./key-sources.ts";

/** What providers are asked with. */
export interface IdentityParts {
  readonly authorizers: readonly AuthorizerSettings[];
  /** May call what the operator names. */
  readonly client: Pick<GuardedClient, "call">;
  /** For addresses that a provider names. */
  readonly outside: Pick<GuardedClient, "call">;
  readonly clock: Pick<Clock, "monotonicMs" | "wallMs">;
  readonly log: Log;
}

/** {@link Identity} by JSON Web Tokens. */
export interface TokenIdentity extends Identity {
  /** Reads the keys of all providers; what cannot be read is in the log. Nobody has to wait for it. */
  start(): Promise<void>;
}

/** Nothing is read before it is started or asked. */
export function createIdentity(parts: IdentityParts): TokenIdentity {
  const { clock, log } = parts;
  const authorizers = parts.authorizers.map((settings) => {
    const keys = new IssuerKeys(sourceOf(settings, parts), settings.issuer, clock, log);
    return new Authorizer(settings, keys);
  });
  const byIssuer = Map.groupBy(authorizers, ({ settings }) => settings.issuer);
  const refusals = new Map<string, number>();

  /** Who is told nothing more than the sentence cannot find out why; the operator can, without anything of the token. */
  function toError(error: unknown, issuer: string): unknown {
    if (!(error instanceof Refusal)) return error;
    const { reason, message } = error;
    const count = (refusals.get(`${reason} ${issuer}`) ?? 0) + 1;
    refusals.set(`${reason} ${issuer}`, count);
    log.debug({ area: "auth", issuer, reason, count }, `a sign-in was refused: ${message}`);
    return new TodokuError("unauthenticated", message);
  }

  return {
    verify(token) {
      const read = readToken(token);
      if (!read) return undefined;
      const { head, claims } = read;
      const { iss } = claims;
      const candidates = typeof iss === "string" ? byIssuer.get(iss) : undefined;
      if (!candidates) {
        if (!isAsymmetric(head)) return undefined;
        throw toError(
          new Refusal("issuer", 'this token is of an issuer (claim "iss") whose users are not let in here'),
          "",
        );
      }
      const authorizer =
        candidates.find(({ settings }) => isFor(settings.audiences, claims)) ?? (candidates[0] as Authorizer);
      return authorizer.verify(token, head, claims, clock.wallMs()).catch((error: unknown) => {
        throw toError(error, authorizer.settings.issuer);
      });
    },
    async start() {
      await Promise.all(authorizers.map((authorizer) => authorizer.start()));
    },
  };
}

function sourceOf(
  { issuer, jwksUri, x509Uri, jwksFile }: AuthorizerSettings,
  { client, outside }: Pick<IdentityParts, "client" | "outside">,
): KeySource {
  if (jwksFile !== undefined) return fileSource(jwksFile);
  const uri = jwksUri ?? x509Uri;
  return uri === undefined ? discoverySource(client, outside, issuer) : uriSource(client, uri);
}

/** Nothing of it is believed yet. Undefined: it is no token that anybody but us could have made. */
function readToken(token: string): { readonly head: TokenHead; readonly claims: TokenClaims } | undefined {
  // Base64 decoders pass over white space and padding: without this, one token had endless spellings.
  if (token.length > limits.credentialMaxBytes || !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) return undefined;
  const [head, claims] = token.split(".", 2).map(readPart);
  return head && claims && { head, claims };
}

function readPart(part: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = Buffer.from(part, "base64url");
  try {
    const value: unknown = isUtf8(bytes) ? JSON.parse(bytes.toString()) : undefined;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Our own tokens are signed with a shared secret, so these are none of ours. */
function isAsymmetric({ alg }: TokenHead): boolean {
  return typeof alg === "string" && /^(RS|PS|ES|Ed)/.test(alg);
}
