import { z } from "zod";
import { accessKeyFields } from "./key-codec.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const rotateSchema = z
  .strictObject({
    secret: z.string().meta({ description: "Name of the secret that holds the API key" }),
    overlapSeconds: z.number().meta({ description: "How long the old key goes on: 0 to 604,800 (7 days)" }),
  })
  .meta({ id: "KeyRotation" });
const rotatedSchema = z
  .object({
    keyId: z.string().meta({ description: "Of the new key, which only the secret holds" }),
    secretVersion: z.int(),
    oldKeyId: z.string(),
    oldExpiresAtMs: z.number().meta({ description: "Epoch milliseconds" }),
    ...accessKeyFields,
  })
  .meta({ id: "RotatedKey" });

/** `/v1/keys/rotate`. */
export const keyRotationRoutes: Routes = {
  "/v1/keys/rotate": {
    POST: operation({
      id: "rotateKey",
      tag: "keys",
      summary: "Put a new API key in the place of the one that a secret holds",
      description:
        "It has the name, description, rights and lifetime of the old one, and is written in the same form. May be called again when no " +
        "answer came: a rotation that is half done is finished, and none is begun beside it. A key with an access key gets a new one, which the " +
        "answer shows this once: the secret holds the API key only.",
      body: rotateSchema,
      answers: { 200: { description: "It is done", schema: rotatedSchema } },
      async handle({ principal, body: { secret, overlapSeconds }, context, parts }) {
        const { accessKey, ...rotated } = await parts.keyRotation.rotate(principal, secret, overlapSeconds * 1000);
        return context.json({ ...rotated, ...accessKey });
      },
    }),
  },
};
