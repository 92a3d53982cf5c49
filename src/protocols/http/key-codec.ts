import { z } from "zod";
import type { ApiKey, KeyRequest, MadeKey } from "../../domain/auth/api-key.ts";
import { toV2, wrapCredential } from "../../domain/auth/credential.ts";
import { grantSchema } from "../../domain/auth/grants.ts";

/** The body that makes a key. */
export const newKeySchema = z
  .strictObject({
    name: z.string().optional().meta({ description: "1 to 255 bytes; no other key of the environment has it" }),
    description: z.string().optional().meta({ description: "What it is for; at most 256 characters" }),
    superUser: z.literal(true).optional().meta({ description: "It may do everything in its environment" }),
    operator: z
      .literal(true)
      .optional()
      .meta({ description: "It may also make and destroy environments: a super user; only operators make one" }),
    grants: z.array(grantSchema).optional().meta({ description: "What it may do when it is no super user: 1 to 20" }),
    validForSeconds: z.number().optional().meta({ description: "1 or more; default: it does not expire" }),
    accessKey: z
      .boolean()
      .optional()
      .meta({ description: "AWS clients may sign with it: the answer has an access key too. Default: false" }),
  })
  .meta({ id: "NewKey", description: "One of `superUser`, `operator` and `grants`" });

/** What is shown of a key. */
export const keySchema = z
  .object({
    keyId: z.string(),
    name: z.string().optional(),
    description: z.string(),
    createdAtMs: z.number().meta({ description: "Epoch milliseconds" }),
    expiresAtMs: z.number().nullable().meta({ description: "Epoch milliseconds; null: it does not expire" }),
    superUser: z.boolean(),
    operator: z.boolean(),
    grants: z.array(grantSchema),
    hasAccessKey: z.boolean().meta({ description: "AWS clients may sign with it: `keyId` is their access key id" }),
  })
  .meta({ id: "Key" });

/** Of a key that AWS clients may sign with. */
export const accessKeyFields = {
  accessKeyId: z.string().optional().meta({ description: "`AWS_ACCESS_KEY_ID`: the key's id" }),
  secretAccessKey: z.string().optional().meta({ description: "`AWS_SECRET_ACCESS_KEY`; it is never shown again" }),
};

/** A key that was just made: the one time that it is shown itself. */
export const createdKeySchema = keySchema
  .extend({
    apiKey: z.string().meta({ description: "The key itself, in Momento's v1 form; it is never shown again" }),
    apiKeyV2: z.string().meta({ description: "The same key in Momento's v2 form, for `fromApiKeyV2`" }),
    ...accessKeyFields,
  })
  .meta({ id: "CreatedKey" });

export function toKeyRequest(body: z.output<typeof newKeySchema>): KeyRequest {
  const { name, description = "", superUser, operator = false, grants = [], validForSeconds, accessKey } = body;
  return {
    ...(name === undefined ? {} : { name }),
    ...{ description, isSuperUser: superUser ?? operator, isOperator: operator, grants },
    ...(validForSeconds === undefined ? {} : { validForMs: validForSeconds * 1000 }),
    ...(accessKey !== undefined && { withAccessKey: accessKey }),
  };
}

export function toKeyJson({ isSuperUser, isOperator, expiresAtMs, ...key }: ApiKey) {
  return { ...key, expiresAtMs: expiresAtMs ?? null, superUser: isSuperUser, operator: isOperator };
}

/** `endpoint` is what clients of the key dial. */
export function toCreatedKeyJson({ key, secret, accessKey }: MadeKey, endpoint: string) {
  return { ...toKeyJson(key), apiKey: wrapCredential(endpoint, secret), apiKeyV2: toV2(secret), ...accessKey };
}
