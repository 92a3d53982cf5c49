import { z } from "zod";
import { limits } from "../domain/limits.ts";

const { clockSkewMs, acceptedHostsMax } = limits.aws;

/** The group `aws`: the door for AWS clients. */
export const awsSchema = z.strictObject({
  enabled: z.boolean().default(true).describe("AWS clients are let in: the SDKs, boto3, the AWS CLI."),
  clockSkewSeconds: z
    .number()
    .min(clockSkewMs.min / 1000)
    .max(clockSkewMs.max / 1000)
    .default(clockSkewMs.default / 1000)
    .describe("By how much the date of a signature may differ from the time here, in either direction."),
  acceptedHosts: z
    .array(z.string().regex(/^[^\s/,]{1,255}$/, "must be a host, and :port where clients write one"))
    .max(acceptedHostsMax)
    .default([])
    .describe(
      "Values of the header Host that clients may have signed, besides the one that comes here: for a proxy that changes it.",
    ),
  connectionsTable: z
    .string()
    .regex(/^[\w.-]{3,255}$/, "must be the name of a DynamoDB table: 3 to 255 of A-Z, a-z, 0-9, _, . and -")
    .optional()
    .describe("Name of the DynamoDB table by which the open connections can be read; without it there is none."),
});
