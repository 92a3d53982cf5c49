/** The account that all ARNs and URLs of queues name. */
export const accountId = "000000000000";
/** Where nobody has said another. */
export const defaultRegion = "us-east-1";

export function topicArnOf(region: string, topic: string): string {
  return `arn:aws:sns:${region}:${accountId}:${topic}`;
}

export function subscriptionArnOf(region: string, topic: string, id: string): string {
  return `${topicArnOf(region, topic)}:${id}`;
}

export function queueArnOf(region: string, queue: string): string {
  return `arn:aws:sqs:${region}:${accountId}:${queue}`;
}

export function handlerArnOf(region: string, handler: string): string {
  return `arn:aws:lambda:${region}:${accountId}:function:${handler}`;
}

/**
 * What stands behind region and account, which are not compared: `orders` of `arn:aws:sns:eu-west-1:123456789012:orders`.
 * @param service such as `sns`. Undefined: it is no ARN of that service.
 */
export function arnParts(service: string, arn: string): readonly string[] | undefined {
  const [head, partition, name, , , ...parts] = arn.split(":");
  if (head !== "arn" || !partition?.startsWith("aws") || name !== service) return undefined;
  return parts.length > 0 && !parts.includes("") ? parts : undefined;
}
