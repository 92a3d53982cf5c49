import { accountId } from "../call.ts";
import { invalidValue } from "./errors.ts";

/** `arn:aws:sqs:<region>:000000000000:<queue>`. */
export function arnOf(queue: string, region: string): string {
  return `arn:aws:sqs:${region}:${accountId}:${queue}`;
}

/** The queue that an ARN names; region and account say nothing here. @throws AwsError InvalidParameterValue. */
export function queueOfArn(parameter: string, arn: string): string {
  const parts = arn.split(":");
  const queue = parts[5];
  if (parts.length === 6 && parts[0] === "arn" && parts[2] === "sqs" && queue) return queue;
  throw invalidValue(
    `Value ${arn.slice(0, 200)} for parameter ${parameter} is invalid. Reason: must be arn:aws:sqs:<region>:<account>:<queue>.`,
  );
}

export function urlOf(queue: string, baseUrl: string): string {
  return `${baseUrl}/${accountId}/${queue}`;
}

/** The last part of a queue's URL, whatever host it names, or the bare name of a queue. */
export function queueOfUrl(url: string): string {
  return url.slice(url.lastIndexOf("/") + 1);
}
