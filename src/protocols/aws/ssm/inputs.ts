import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { parameterTypes } from "./parameter.ts";

const { namesMax, pageMax, describePageMax } = limits.aws.ssm;

const name = z.string().min(1);
const names = z.array(name).min(1).max(namesMax);
const withDecryption = z.boolean().default(false);
const page = (most: number) => ({
  MaxResults: z.int().min(1).max(most).optional(),
  NextToken: z.string().optional(),
});

export const getParameterSchema = z.strictObject({ Name: name, WithDecryption: withDecryption });

export const getParametersSchema = z.strictObject({ Names: names, WithDecryption: withDecryption });

export const getByPathSchema = z.strictObject({
  Path: z.string().regex(/^\//, "must begin with /"),
  Recursive: z.boolean().default(false),
  WithDecryption: withDecryption,
  ...page(pageMax),
});

/** What is accepted and not kept changes nothing of what a reader gets. */
export const putParameterSchema = z.strictObject({
  Name: name.regex(/^[^:]*$/, 'must not have a ":", which begins a version'),
  Value: z.string(),
  Type: z.enum(parameterTypes).optional(),
  Overwrite: z.boolean().default(false),
  DataType: z.literal("text").optional(),
  ...{ Description: z.string().optional(), KeyId: z.string().optional(), Tier: z.string().optional() },
  Tags: z.array(z.unknown()).optional(),
});

export const deleteParameterSchema = z.strictObject({ Name: name });

export const deleteParametersSchema = z.strictObject({ Names: names });

export const describeParametersSchema = z.strictObject(page(describePageMax));
