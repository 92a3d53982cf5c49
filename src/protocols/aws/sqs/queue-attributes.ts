import { isDeepStrictEqual } from "node:util";
import { limits } from "../../../domain/limits.ts";
import type { Queue } from "../../../domain/queues/queue.ts";
import type { QueueChanges } from "../../../domain/queues/settings.ts";
import type { QueueCounts } from "../../../domain/queues/store.ts";
import { invalidAttributeValue, invalidValue, unknownAttribute } from "./errors.ts";
import { arnOf, queueOfArn } from "./names.ts";

const { queue: bounds } = limits;
const secondMs = 1000;

/** Of FIFO queues, which are not offered. */
const fifoNames = new Set(["FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"]);
/** What can be said in AWS and not here; with an empty value, or `false`, there is nothing to say. */
const unofferedNames = new Set([
  ...["Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"],
]);

/** The settings that are whole seconds or bytes: what each means, and its bounds. */
const numbers = {
  VisibilityTimeout: { setting: "visibilityMs", unit: secondMs, min: 0, max: bounds.visibilityMs.max },
  DelaySeconds: { setting: "delayMs", unit: secondMs, min: 0, max: bounds.delayMs.max },
  MessageRetentionPeriod: { setting: "retentionMs", unit: secondMs, ...bounds.retentionMs },
  ReceiveMessageWaitTimeSeconds: { setting: "waitMs", unit: secondMs, min: 0, max: bounds.waitMaxMs },
  MaximumMessageSize: { setting: "messageMaxBytes", unit: 1, ...bounds.messageMaxBytes },
} as const;

type NumberName = keyof typeof numbers;

function isNumberName(name: string): name is NumberName {
  return Object.hasOwn(numbers, name);
}

/** Attributes of CreateQueue and SetQueueAttributes. @throws AwsError InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue. */
export function toQueueChanges(attributes: Readonly<Record<string, string>>): QueueChanges {
  const changes: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (isNumberName(name)) changes[numbers[name].setting] = toNumber(name, value);
    else if (name === "RedrivePolicy") changes.deadLetter = toDeadLetter(value);
    else if (name === "RedriveAllowPolicy") changes.deadLetterSources = toDeadLetterSources(value);
    else if (fifoNames.has(name)) {
      throw unknownAttributeOf(name, "it is one of FIFO queues, which are not offered");
    } else if (!unofferedNames.has(name)) throw unknownAttribute(name);
    else if (value !== "" && value !== "false") {
      throw invalidAttributeValue(
        `Invalid value for the parameter ${name}. Reason: it is not offered; keys carry grants, and what lies on disk is not encrypted by queue.`,
      );
    }
  }
  return changes as QueueChanges;
}

/** Does the queue have these settings already? */
export function hasSettings(queue: Queue, { tags: _, ...changes }: QueueChanges): boolean {
  return Object.entries(changes).every(([name, wanted]) =>
    isDeepStrictEqual(queue[name as keyof Queue], wanted ?? undefined),
  );
}

function toNumber(name: NumberName, value: string): number {
  const { unit, min, max } = numbers[name];
  const number = /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
  if (number * unit >= min && number * unit <= max) return number * unit;
  throw invalidAttributeValue(
    `Invalid value ${value.slice(0, 50)} for the parameter ${name}. Reason: Must be a whole number between ${min / unit} and ${max / unit}.`,
  );
}

function toDeadLetter(value: string): QueueChanges["deadLetter"] {
  if (value === "") return null;
  const policy = parsePolicy("RedrivePolicy", value, ["deadLetterTargetArn", "maxReceiveCount"]);
  const { deadLetterTargetArn: arn, maxReceiveCount } = policy;
  if (typeof arn !== "string") throw invalidPolicy("RedrivePolicy", value, "it must have the text deadLetterTargetArn");
  const text = String(maxReceiveCount);
  const maxReceives = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (maxReceives >= 1 && maxReceives <= bounds.maxReceives) {
    return { queue: queueOfArn("RedrivePolicy", arn), maxReceives };
  }
  throw invalidPolicy(
    "RedrivePolicy",
    value,
    `maxReceiveCount must be a whole number between 1 and ${bounds.maxReceives}`,
  );
}

function toDeadLetterSources(value: string): QueueChanges["deadLetterSources"] {
  if (value === "") return null;
  const policy = parsePolicy("RedriveAllowPolicy", value, ["redrivePermission", "sourceQueueArns"]);
  const { redrivePermission, sourceQueueArns: arns } = policy;
  if (redrivePermission === "byQueue") {
    const max = bounds.deadLetterSourcesMax;
    if (isTexts(arns) && arns.length >= 1 && arns.length <= max) {
      return arns.map((arn) => queueOfArn("RedriveAllowPolicy", arn));
    }
    throw invalidPolicy("RedriveAllowPolicy", value, `sourceQueueArns must have 1 to ${max} ARNs`);
  }
  if (arns !== undefined) {
    throw invalidPolicy("RedriveAllowPolicy", value, "sourceQueueArns goes with redrivePermission byQueue only");
  }
  if (redrivePermission === "allowAll") return null;
  if (redrivePermission === "denyAll") return [];
  throw invalidPolicy("RedriveAllowPolicy", value, "redrivePermission must be allowAll, denyAll or byQueue");
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function parsePolicy(name: string, value: string, known: readonly string[]): Readonly<Record<string, unknown>> {
  let policy: unknown;
  try {
    policy = JSON.parse(value);
  } catch {
    throw invalidPolicy(name, value, "it is not JSON");
  }
  if (typeof policy !== "object" || policy === null || Array.isArray(policy)) {
    throw invalidPolicy(name, value, "it is not a JSON object");
  }
  const unknown = Object.keys(policy).find((key) => !known.includes(key));
  if (unknown === undefined) return policy as Readonly<Record<string, unknown>>;
  throw invalidPolicy(name, value, `there is nothing called ${unknown.slice(0, 100)}`);
}

function invalidPolicy(name: string, value: string, reason: string) {
  return invalidValue(`Value ${value.slice(0, 300)} for parameter ${name} is invalid. Reason: ${reason}.`);
}

function unknownAttributeOf(name: string, reason: string) {
  const error = unknownAttribute(name);
  error.message = `${error.message} Reason: ${reason}.`;
  return error;
}

/** What a queue tells of itself; what it does not have is left out. */
const readers: Readonly<Record<string, (queue: Queue, counts: QueueCounts, region: string) => string | undefined>> = {
  QueueArn: ({ queue }, _, region) => arnOf(queue, region),
  ApproximateNumberOfMessages: (_, { ready }) => String(ready),
  ApproximateNumberOfMessagesNotVisible: (_, { inFlight }) => String(inFlight),
  ApproximateNumberOfMessagesDelayed: (_, { delayed }) => String(delayed),
  CreatedTimestamp: ({ createdAtMs }) => String(Math.floor(createdAtMs / secondMs)),
  LastModifiedTimestamp: ({ modifiedAtMs }) => String(Math.floor(modifiedAtMs / secondMs)),
  VisibilityTimeout: ({ visibilityMs }) => inSeconds(visibilityMs),
  MaximumMessageSize: ({ messageMaxBytes }) => String(messageMaxBytes),
  MessageRetentionPeriod: ({ retentionMs }) => inSeconds(retentionMs),
  DelaySeconds: ({ delayMs }) => inSeconds(delayMs),
  ReceiveMessageWaitTimeSeconds: ({ waitMs }) => inSeconds(waitMs),
  RedrivePolicy: ({ deadLetter }, _, region) =>
    deadLetter &&
    JSON.stringify({ deadLetterTargetArn: arnOf(deadLetter.queue, region), maxReceiveCount: deadLetter.maxReceives }),
  RedriveAllowPolicy: ({ deadLetterSources }, _, region) => deadLetterSources && allowPolicy(deadLetterSources, region),
  SqsManagedSseEnabled: () => "false",
};

/** Other doors set parts of a second, which SQS cannot say: rounded up. */
function inSeconds(ms: number): string {
  return String(Math.ceil(ms / secondMs));
}

function allowPolicy(sources: readonly string[], region: string): string {
  if (sources.length === 0) return JSON.stringify({ redrivePermission: "denyAll" });
  const sourceQueueArns = sources.map((queue) => arnOf(queue, region));
  return JSON.stringify({ redrivePermission: "byQueue", sourceQueueArns });
}

/** The attributes that are asked for by name or as `All`; undefined: none of them is there. @throws AwsError InvalidAttributeName. */
export function toQueueAttributes(
  wanted: readonly string[],
  queue: Queue,
  counts: QueueCounts,
  region: string,
): Readonly<Record<string, string>> | undefined {
  const names = wanted.includes("All") ? Object.keys(readers) : wanted;
  const entries = names.flatMap((name): [string, string][] => {
    const value = Object.hasOwn(readers, name) ? readers[name]?.(queue, counts, region) : undefined;
    if (value !== undefined) return [[name, value]];
    if (Object.hasOwn(readers, name) || unofferedNames.has(name)) return [];
    throw unknownAttribute(name);
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
