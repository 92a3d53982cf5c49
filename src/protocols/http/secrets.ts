import { z } from "zod";
import type { SecretInfo } from "../../domain/secrets/secret.ts";
import { operation } from "./operation.ts";
import { nameParameter } from "./parameters.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ secret: nameParameter("The secret's name") });
const shared = z.boolean().meta({ description: "Environments that read secrets from this one may read it" });
const createdAtMs = z.number().meta({ description: "Epoch milliseconds" });
const version = z.int().meta({ description: "From 1 on" });

const putSchema = z
  .strictObject({
    value: z.string().meta({ description: "Text of 1 to 65,536 bytes" }),
    shared: shared.optional().meta({ description: "Default: as it was; false for a new secret" }),
  })
  .meta({ id: "NewSecretVersion" });
const putAnswerSchema = z.object({ name: z.string(), version, shared });
const secretSchema = z
  .object({
    name: z.string(),
    shared,
    currentVersion: version,
    versions: z.array(z.object({ version, createdAtMs })).meta({ description: "The last ten, the oldest first" }),
  })
  .meta({ id: "Secret" });
const secretValueSchema = z
  .object({
    name: z.string(),
    environment: z.string().meta({ description: "Where it was found" }),
    version,
    value: z.string(),
    createdAtMs,
    shared,
  })
  .meta({ id: "SecretValue" });

/** `/v1/secrets`. */
export const secretRoutes: Routes = {
  "/v1/secrets": {
    GET: operation({
      id: "listSecrets",
      tag: "secrets",
      summary: "List the environment's own secrets that the credential may see, by name, without their values",
      answers: { 200: { description: "The secrets", schema: z.object({ secrets: z.array(secretSchema) }) } },
      async handle({ principal, context, parts }) {
        return context.json({ secrets: (await parts.secrets.list(principal)).map(toJson) });
      },
    }),
  },
  "/v1/secrets/:secret": {
    GET: operation({
      id: "readSecret",
      tag: "secrets",
      summary: "Read a secret",
      description:
        "The environment's own, else the first of this name that is shared by one of the environments it reads secrets from.",
      path,
      query: z.object({
        version: z.coerce.number<string>().int().min(1).optional().meta({ description: "Default: the current one" }),
      }),
      answers: { 200: { description: "The value", schema: secretValueSchema } },
      async handle({ principal, path: { secret }, query, context, parts }) {
        const { isShared, ...found } = await parts.secrets.get(principal, secret, query.version);
        return context.json({ ...found, shared: isShared });
      },
    }),
    POST: operation({
      id: "putSecret",
      tag: "secrets",
      summary: "Put a new version of a secret, which need not be there before",
      path,
      body: putSchema,
      answers: { 201: { description: "The new version", schema: putAnswerSchema } },
      async handle({ principal, path: { secret }, body: { value, shared }, context, parts }) {
        const { name, currentVersion, isShared } = await parts.secrets.put(principal, secret, value, {
          isShared: shared,
        });
        return context.json({ name, version: currentVersion, shared: isShared }, 201);
      },
    }),
    DELETE: operation({
      id: "deleteSecret",
      tag: "secrets",
      summary: "Delete a secret with all its versions",
      path,
      answers: { 204: { description: "It is gone" } },
      async handle({ principal, path: { secret }, context, parts }) {
        await parts.secrets.delete(principal, secret);
        return context.body(null, 204);
      },
    }),
  },
};

function toJson({ isShared, ...info }: SecretInfo) {
  return { ...info, shared: isShared };
}
