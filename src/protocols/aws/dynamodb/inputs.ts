import { z } from "zod";
import { limits } from "../../../domain/limits.ts";

const text = z.strictObject({ S: z.string() });
const number = z.strictObject({ N: z.string() });
const TableName = z.string();
const placeholders = {
  ExpressionAttributeNames: z.record(z.string(), z.string()).optional(),
  ExpressionAttributeValues: z.record(z.string(), z.union([text, number])).optional(),
};
/** What changes nothing of an answer that is always of this moment. */
const indifferent = {
  ConsistentRead: z.boolean().optional(),
  ReturnConsumedCapacity: z.string().optional(),
  Select: z.literal("ALL_ATTRIBUTES").optional(),
};
const key = z.strictObject({ user_id: text, connection_id: text });

export const scanSchema = z.strictObject({
  TableName,
  FilterExpression: z.string().optional(),
  ExclusiveStartKey: key.optional(),
  ...placeholders,
  ...indifferent,
});

export const querySchema = z.strictObject({
  TableName,
  KeyConditionExpression: z.string(),
  ...placeholders,
  ...indifferent,
});

const deletions = z
  .array(z.strictObject({ DeleteRequest: z.strictObject({ Key: key }) }))
  .min(1)
  .max(limits.aws.dynamodb.batchMax);

export const batchWriteSchema = z.strictObject({
  RequestItems: z
    .record(z.string(), deletions)
    .refine((tables) => Object.keys(tables).length === 1, "must name one table"),
  ReturnConsumedCapacity: z.string().optional(),
  ReturnItemCollectionMetrics: z.string().optional(),
});

export const describeTableSchema = z.strictObject({ TableName });
