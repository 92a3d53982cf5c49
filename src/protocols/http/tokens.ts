import { z } from "zod";
import { tokenGrantSchema } from "../../domain/auth/grants.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const issueSchema = z
  .strictObject({
    grants: z.array(tokenGrantSchema),
    tokenId: z.string().optional().meta({ description: "At most 64 characters; items that it publishes carry it" }),
    validForSeconds: z.number().meta({ description: "More than 0, at most 90,000 (25 hours)" }),
  })
  .meta({ id: "NewToken" });
const issuedSchema = z.object({
  token: z.string(),
  expiresAtMs: z.number().meta({ description: "Epoch milliseconds" }),
});

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
      async handle({ principal, body: { grants, tokenId = "", validForSeconds }, context, parts }) {
        const validForMs = validForSeconds * 1000;
        return context.json(await parts.tokens.issue(principal, { grants, tokenId, validForMs }), 201);
      },
    }),
  },
};
