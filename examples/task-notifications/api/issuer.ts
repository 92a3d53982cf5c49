import { createRemoteJWKSet, type JWTVerifyGetKey } from "jose";
import { z } from "zod";

/** How long the issuer may take for each answer. */
const timeoutMs = 5000;

const documentSchema = z.object({
  issuer: z.string(),
  jwks_uri: z.url(),
  token_endpoint: z.url().optional(),
  userinfo_endpoint: z.url().optional(),
  revocation_endpoint: z.url().optional(),
});

/** What we know of an identity provider. */
export interface Discovered {
  /** Its public keys: fetched when first needed, again after ten minutes, and when a token names a key that is not among them. */
  readonly keys: JWTVerifyGetKey;
  /** Where a page talks to it. */
  readonly origins: readonly string[];
}

/** OpenID Connect discovery, when first needed: the API and its identity provider may start in any order. */
export class Issuer {
  readonly url: string;
  #discovered: Promise<Discovered> | undefined;

  constructor(url: string) {
    this.url = url;
  }

  /** @throws Error: it cannot be reached, or says that it is somebody else. The next call tries again. */
  discover(): Promise<Discovered> {
    this.#discovered ??= discover(this.url).catch((error: unknown) => {
      this.#discovered = undefined;
      throw error;
    });
    return this.#discovered;
  }
}

async function discover(issuer: string): Promise<Discovered> {
  const response = await fetch(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {
    headers: { accept: "application/json" },
    redirect: "error",
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!response.ok) throw new Error(`${issuer} answers its discovery with ${response.status}`);
  const document = documentSchema.parse(await response.json());
  // OpenID Connect Discovery 4.3: exactly the same text, or anybody's tokens could pass for this issuer's.
  if (document.issuer !== issuer) throw new Error(`${issuer} says that it is the issuer ${document.issuer}`);
  const urls = [document.token_endpoint, document.userinfo_endpoint, document.revocation_endpoint];
  return {
    keys: createRemoteJWKSet(new URL(document.jwks_uri), { timeoutDuration: timeoutMs }),
    origins: [...new Set([issuer, ...urls.filter((url) => url !== undefined)].map((url) => new URL(url).origin))],
  };
}
