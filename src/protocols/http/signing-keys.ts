import { z } from "zod";
import type { SigningKey } from "../../domain/auth/signing-keys.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const rotateSchema = z
  .strictObject({
    overlapSeconds: z.number().optional().meta({
      description:
        "How long tokens of the older keys are still good: 0 to 2,592,000 (30 days), default 90,000 (25 hours)",
    }),
  })
  .meta({ id: "SigningKeyRotation" });
const signingKeySchema = z
  .object({
    kid: z.string(),
    createdAtMs: z.number().meta({ description: "Epoch milliseconds" }),
    retiresAtMs: z.number().nullable().meta({ description: "Its tokens are refused from then on; null: not set" }),
    isCurrent: z.boolean().meta({ description: "New tokens are signed with it" }),
  })
  .meta({ id: "SigningKey" });

/** `/v1/signing-keys`. */
export const signingKeyRoutes: Routes = {
  "/v1/signing-keys": {
    GET: operation({
      id: "listSigningKeys",
      tag: "tokens",
      summary: "List the keys that tokens of the environment are signed with, the oldest first",
      answers: {
        200: {
          description: "The keys, without their secrets",
          schema: z.object({ signingKeys: z.array(signingKeySchema) }),
        },
      },
      async handle({ principal, context, parts }) {
        return context.json({ signingKeys: (await parts.signingKeys.list(principal)).map(toJson) });
      },
    }),
    POST: operation({
      id: "rotateSigningKey",
      tag: "tokens",
      summary: "Sign tokens with a new key, and let the older ones retire",
      body: rotateSchema,
      answers: { 201: { description: "The new key", schema: signingKeySchema } },
      async handle({ principal, body: { overlapSeconds }, context, parts }) {
        const options = overlapSeconds === undefined ? {} : { overlapMs: overlapSeconds * 1000 };
        return context.json(toJson(await parts.signingKeys.rotate(principal, options)), 201);
      },
    }),
  },
};

function toJson({ kid, createdAtMs, retiresAtMs, isCurrent }: SigningKey): z.output<typeof signingKeySchema> {
  return { kid, createdAtMs, retiresAtMs: retiresAtMs ?? null, isCurrent };
}
