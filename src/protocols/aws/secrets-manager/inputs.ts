import { Buffer } from "node:buffer";
import { z } from "zod";
import { limits } from "../../../domain/limits.ts";

const { secretsPageMax } = limits.aws;
const secretId = z.string().min(1);

/** SDKs make up one for each call and send it again with a repetition. */
const token = z.string().min(32).max(64).optional();
const base64 = z.string().refine((text) => Buffer.from(text, "base64").toString("base64") === text, "must be base64");
const value = { SecretString: z.string().min(1).optional(), SecretBinary: base64.min(1).optional() };
/** What is accepted and not kept changes nothing of what a reader gets. */
const unkept = { Description: z.string().optional(), KmsKeyId: z.string().optional() };

export const getValueSchema = z.strictObject({
  SecretId: secretId,
  VersionId: z.string().optional(),
  VersionStage: z.string().optional(),
});

export const putValueSchema = z.strictObject({
  SecretId: secretId,
  ClientRequestToken: token,
  ...value,
  VersionStages: z.tuple([z.literal("AWSCURRENT")]).optional(),
});

export const updateSchema = z.strictObject({ SecretId: secretId, ClientRequestToken: token, ...value, ...unkept });

export const createSchema = z.strictObject({
  Name: z.string().regex(/^(?!arn:)/, "must not begin with arn:"),
  ClientRequestToken: token,
  ...value,
  ...unkept,
  Tags: z.array(z.unknown()).optional(),
});

export const describeSchema = z.strictObject({ SecretId: secretId });

export const listSchema = z.strictObject({
  MaxResults: z.int().min(1).max(secretsPageMax).optional(),
  NextToken: z.string().optional(),
});

export const listVersionsSchema = z.strictObject({
  SecretId: secretId,
  IncludeDeprecated: z.boolean().default(false),
  MaxResults: z.int().min(limits.secret.versionsMax).max(secretsPageMax).optional(),
});

export const deleteSchema = z.strictObject({
  SecretId: secretId,
  ForceDeleteWithoutRecovery: z.literal(true, {
    error: "must be true: a deleted secret is gone at once, there is no time in which it can be restored",
  }),
});
