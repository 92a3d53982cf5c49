import { z } from "zod";
import { grantSchema, tokenGrantSchema } from "../../domain/auth/grants.ts";
import type { Inspection } from "../../domain/auth/inspection.ts";
import { limits } from "../../domain/limits.ts";
import { callerOf } from "./caller.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const issueSchema = z
  .strictObject({
    grants: z.array(tokenGrantSchema),
    tokenId: z.string().optional().meta({ description: "At most 64 characters; items that it publishes carry it" }),
    userId: z.string().optional().meta({
      description: "Whom it is for, 1 to 128 characters: all tokens of a user can be revoked together",
    }),
    validForSeconds: z.number().meta({ description: "More than 0, at most 90,000 (25 hours)" }),
  })
  .meta({ id: "NewToken" });
const issuedSchema = z.object({
  token: z.string(),
  jti: z.string().meta({ description: "The token's own id: no secret. It can be revoked by it" }),
  expiresAtMs: z.number().meta({ description: "Epoch milliseconds" }),
});
// The longest credential, wrapped: nobody has to be known who sends this.
const inspectBodyMaxBytes = 2 * limits.credentialMaxBytes;
const inspectSchema = z
  .strictObject({
    credential: z.string().meta({ description: "A token or API key, bare or in one of Momento's forms" }),
  })
  .meta({ id: "CredentialToInspect" });
const inspectedSchema = z
  .object({
    kind: z.enum(["open", "key", "token", "user"]),
    status: z
      .enum(["valid", "expired", "revoked", "unknown"])
      .meta({ description: "`unknown`: its environment is not here" }),
    environment: z.string(),
    keyId: z.string().optional().meta({ description: "The API key it is, or the one that issued it" }),
    name: z.string().optional().meta({ description: "Of an API key that has one" }),
    tokenId: z.string(),
    userId: z.string().optional(),
    jti: z.string().optional(),
    issuedAtMs: z.number().optional().meta({ description: "Epoch milliseconds" }),
    expiresAtMs: z.number().nullable().meta({ description: "Epoch milliseconds; null: it does not expire" }),
    superUser: z.boolean(),
    operator: z.boolean(),
    grants: z.array(grantSchema),
  })
  .meta({ id: "InspectedCredential" });

/** `/v1/tokens`. */
export const tokenRoutes: Routes = {
  "/v1/tokens": {
    POST: operation({
      id: "issueToken",
      tag: "tokens",
      summary: "Issue a disposable token",
      description: "Its expiry ends its open streams too.",
      body: issueSchema,
      answers: { 201: { description: "The token", schema: issuedSchema } },
      async handle({ principal, body: { grants, tokenId = "", userId, validForSeconds }, context, parts }) {
        const request = { grants, tokenId, userId, validForMs: validForSeconds * 1000 };
        return context.json(await parts.tokens.issue(principal, request), 201);
      },
    }),
  },
  "/v1/tokens/inspect": {
    POST: operation({
      id: "inspectCredential",
      tag: "tokens",
      summary: "Say what a token or API key is, until when, and what it may do",
      description: "The credential itself is what lets one see this. 401 for what was not issued here, or is deleted.",
      caller: "none",
      body: inspectSchema,
      bodyMaxBytes: () => inspectBodyMaxBytes,
      answers: { 200: { description: "What it is", schema: inspectedSchema } },
      async handle({ body: { credential }, context, parts }) {
        return context.json(toInspectedJson(await parts.auth.inspect(credential, callerOf(context, parts))));
      },
    }),
  },
};

function toInspectedJson({ isSuperUser, isOperator, expiresAtMs, ...rest }: Inspection) {
  return { ...rest, expiresAtMs: expiresAtMs ?? null, superUser: isSuperUser, operator: isOperator };
}
