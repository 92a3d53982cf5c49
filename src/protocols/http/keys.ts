import { z } from "zod";
import type { ApiKey } from "../../domain/auth/api-key.ts";
import { wrapCredential } from "../../domain/auth/credential.ts";
import { grantSchema } from "../../domain/auth/grants.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const createSchema = z
  .strictObject({
    description: z.string().optional().meta({ description: "What it is for; at most 256 characters" }),
    superUser: z.literal(true).optional().meta({ description: "It may do everything in its environment" }),
    grants: z.array(grantSchema).optional().meta({ description: "What it may do when it is no super user: 1 to 20" }),
  })
  .meta({ id: "NewKey", description: "Either `superUser` or `grants`" });
const keySchema = z
  .object({
    keyId: z.string(),
    description: z.string(),
    createdAtMs: z.number().meta({ description: "Epoch milliseconds" }),
    superUser: z.boolean(),
    grants: z.array(grantSchema),
  })
  .meta({ id: "Key" });
const createdSchema = keySchema
  .extend({ apiKey: z.string().meta({ description: "The key itself, in Momento's v1 form; it is never shown again" }) })
  .meta({ id: "CreatedKey" });

/** `/v1/keys`. */
export const keyRoutes: Routes = {
  "/v1/keys": {
    GET: operation({
      id: "listKeys",
      tag: "keys",
      summary: "List the API keys of the environment, the oldest first",
      answers: { 200: { description: "The keys", schema: z.object({ keys: z.array(keySchema) }) } },
      async handle({ principal, context, parts }) {
        return context.json({ keys: (await parts.keys.list(principal)).map(toJson) });
      },
    }),
    POST: operation({
      id: "createKey",
      tag: "keys",
      summary: "Create an API key",
      body: createSchema,
      answers: { 201: { description: "The new key", schema: createdSchema } },
      async handle({ principal, body: { description = "", superUser = false, grants = [] }, context, parts }) {
        const { key, secret } = await parts.keys.create(principal, { description, isSuperUser: superUser, grants });
        return context.json({ ...toJson(key), apiKey: wrapCredential(parts.endpoint(), secret) }, 201);
      },
    }),
  },
  "/v1/keys/:keyId": {
    DELETE: operation({
      id: "deleteKey",
      tag: "keys",
      summary: "Delete an API key: its calls are refused and its open streams end",
      path: z.object({ keyId: z.string().meta({ description: "The key's id, not the key" }) }),
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path: { keyId }, context, parts }) {
        await parts.keys.delete(principal, keyId);
        return context.body(null, 204);
      },
    }),
  },
};

function toJson({ isSuperUser, ...key }: ApiKey) {
  return { ...key, superUser: isSuperUser };
}
