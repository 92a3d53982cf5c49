import { z } from "zod";
import type { Revocation, StoredRevocation } from "../../domain/auth/revocations.ts";

/** What a revocation names besides a single token. */
const others = [
  z.strictObject({ tokenId: z.string().meta({ description: "All tokens with this token id" }) }),
  z.strictObject({ userId: z.string().meta({ description: "All tokens that were issued for this user" }) }),
  z.strictObject({
    keyId: z.string().meta({ description: "An API key and all tokens that it issued; the key is deleted" }),
  }),
  z.strictObject({
    issuedBeforeMs: z.number().meta({ description: "Epoch milliseconds: all tokens that were issued before" }),
    keys: z.boolean().optional().meta({ description: "API keys that were made before, too, but for the caller's own" }),
  }),
] as const;

/** The body that revokes. */
export const newRevocationSchema = z
  .union([
    z.strictObject({ token: z.string().meta({ description: "The token's own id (`jti`), or the whole token" }) }),
    ...others,
  ])
  .meta({ id: "NewRevocation" });

/** An entry of the log. */
export const revocationSchema = z
  .object({
    version: z.int().meta({ description: "Grows with each revocation" }),
    jti: z.string().optional(),
    tokenId: z.string().optional(),
    userId: z.string().optional(),
    keyId: z.string().optional(),
    issuedBeforeMs: z.number().optional(),
    keys: z.boolean().optional(),
    atMs: z.number().meta({ description: "Epoch milliseconds" }),
    expiresAtMs: z.number().meta({ description: "The entry goes then: every token that it could match has expired" }),
  })
  .meta({ id: "Revocation" });

/** What a body says that does not name a single token: what names one may be a whole token. */
export function toRevocation(
  body: Exclude<z.output<typeof newRevocationSchema>, { readonly token: string }>,
): Revocation {
  if ("tokenId" in body) return { what: "token-id", tokenId: body.tokenId };
  if ("userId" in body) return { what: "user", userId: body.userId };
  if ("keyId" in body) return { what: "key", keyId: body.keyId };
  return { what: "before", beforeMs: body.issuedBeforeMs, keys: body.keys ?? false };
}

export function toRevocationJson({
  version,
  revocation,
  atMs,
  expiresAtMs,
}: StoredRevocation): z.output<typeof revocationSchema> {
  return { version, ...toNamed(revocation), atMs, expiresAtMs };
}

function toNamed(revocation: Revocation) {
  switch (revocation.what) {
    case "token":
      return { jti: revocation.jti };
    case "token-id":
      return { tokenId: revocation.tokenId };
    case "user":
      return { userId: revocation.userId };
    case "key":
      return { keyId: revocation.keyId };
    case "before":
      return { issuedBeforeMs: revocation.beforeMs, ...(revocation.keys ? { keys: true } : {}) };
  }
}
