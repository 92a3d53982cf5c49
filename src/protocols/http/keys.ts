import { z } from "zod";
import { grantSchema } from "../../domain/auth/grants.ts";
import { createdKeySchema, keySchema, newKeySchema, toCreatedKeyJson, toKeyJson, toKeyRequest } from "./key-codec.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const changesSchema = z
  .strictObject({
    description: z.string().optional(),
    superUser: z.boolean().optional(),
    grants: z.array(grantSchema).optional().meta({ description: "1 to 20; none for a super user" }),
    expiresInSeconds: z
      .number()
      .min(0)
      .optional()
      .meta({ description: "From now; 0 or more, and not later than it ends already" }),
  })
  .meta({ id: "KeyChanges", description: "What is left out stays" });
const path = z.object({ keyId: z.string().meta({ description: "The key's id, not the key" }) });

/** `/v1/keys`. */
export const keyRoutes: Routes = {
  "/v1/keys": {
    GET: operation({
      id: "listKeys",
      tag: "keys",
      summary: "List the API keys of the environment, the oldest first",
      answers: { 200: { description: "The keys", schema: z.object({ keys: z.array(keySchema) }) } },
      async handle({ principal, context, parts }) {
        return context.json({ keys: (await parts.keys.list(principal)).map(toKeyJson) });
      },
    }),
    POST: operation({
      id: "createKey",
      tag: "keys",
      summary: "Create an API key",
      body: newKeySchema,
      answers: { 201: { description: "The new key", schema: createdKeySchema } },
      async handle({ principal, body, context, parts }) {
        const made = await parts.keys.create(principal, toKeyRequest(body));
        return context.json(toCreatedKeyJson(made, parts.endpoint()), 201);
      },
    }),
  },
  "/v1/keys/:keyId": {
    PATCH: operation({
      id: "updateKey",
      tag: "keys",
      summary: "Give an API key other rights, or let it end earlier than it would",
      description:
        "Other rights hold from the next call on; open streams of the key end, and clients come back with the new ones.",
      path,
      body: changesSchema,
      answers: { 200: { description: "The key as it is from now on", schema: keySchema } },
      async handle({ principal, path: { keyId }, body, context, parts }) {
        const { expiresInSeconds, superUser, description, grants } = body;
        const changes = {
          ...(superUser !== undefined && { isSuperUser: superUser }),
          ...(description !== undefined && { description }),
          ...(grants !== undefined && { grants }),
        };
        if (expiresInSeconds === undefined || Object.keys(changes).length > 0) {
          const key = await parts.keys.update(principal, keyId, changes);
          if (expiresInSeconds === undefined) return context.json(toKeyJson(key));
        }
        const atMs = parts.clock.wallMs() + Math.round(expiresInSeconds * 1000);
        return context.json(toKeyJson(await parts.keys.expireAt(principal, keyId, atMs)));
      },
    }),
    DELETE: operation({
      id: "deleteKey",
      tag: "keys",
      summary: "Delete an API key: its calls are refused, its open streams and the tokens that it issued end",
      path,
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path: { keyId }, context, parts }) {
        await parts.keys.delete(principal, keyId);
        return context.body(null, 204);
      },
    }),
  },
};
