import { Buffer } from "node:buffer";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { StoredRecord } from "../records/store.ts";

/** The kind of the records that event topics are kept in. */
export const eventTopicRecordKind = "event-topic";

/** Topics of the reserved cache `events` that every environment has. */
const builtIn: readonly string[] = ["messages", "notifications", "presence"];

export function isBuiltInEventTopic(name: string): boolean {
  return builtIn.includes(name);
}

/** What is stored of an event topic. Strict: a later release may keep more restrictions here, and an older one must not pass over them. */
const documentSchema = z.strictObject({
  createdAtMs: z.number(),
  /** What SNS's clients have set, by SNS's names. */
  attributes: z.record(z.string(), z.string()),
  tags: z.record(z.string(), z.string()),
});

export type EventTopicDocument = z.infer<typeof documentSchema>;

/** A topic of the cache `events` that SNS may name. */
export interface EventTopic extends EventTopicDocument {
  readonly environment: string;
  readonly name: string;
  /** Of its record; 0 when it is built in and nothing was set. */
  readonly id: number;
  readonly version: number;
}

/** Those that are there without a record. */
export function builtInEventTopics(environment: string): EventTopic[] {
  return builtIn.map((name) => {
    return { environment, name, id: 0, version: 0, createdAtMs: 0, attributes: {}, tags: {} };
  });
}

/** @throws TodokuError `failed_precondition`: there is something in it that this release does not know. */
export function toEventTopic({ environment, name, id, version, document: stored }: StoredRecord): EventTopic {
  const { data: document, error } = documentSchema.safeParse(stored);
  if (document) return { environment, name, id, version, ...document };
  const message = `event topic "${name}" was written by a later release, with what this one does not know`;
  throw new TodokuError("failed_precondition", message, { cause: error });
}

/** What names a record of them. */
export function eventTopicKeyOf(environment: string, name: string) {
  return { kind: eventTopicRecordKind, environment, name };
}

/** SNS's own rule, but for its last character: `limits.nameMaxBytes`. @throws TodokuError `invalid_argument`. */
export function checkEventTopicName(name: string): void {
  if (name.endsWith(".fifo")) {
    throw new TodokuError(
      "invalid_argument",
      `topic "${name.slice(0, limits.nameMaxBytes)}": FIFO topics are not offered`,
    );
  }
  if (/^[\w-]+$/.test(name) && name.length <= limits.nameMaxBytes) return;
  const text = `topic name must be 1 to ${limits.nameMaxBytes} of A-Z, a-z, 0-9, "_" and "-"`;
  throw new TodokuError("invalid_argument", text);
}

/** The values of those that only one value makes true here. */
const onlyValues: Readonly<Record<string, string>> = { SignatureVersion: "2", TracingConfig: "PassThrough" };
const displayNameMaxLength = 100;

/** @throws TodokuError `invalid_argument` that names the attribute. */
export function checkTopicAttribute(name: string, value: string): void {
  if (name === "FifoTopic" && value === "false") return;
  const only = Object.hasOwn(onlyValues, name) ? onlyValues[name] : undefined;
  if (only !== undefined && value === only) return;
  if (only !== undefined) throw invalid(name, `must be "${only}"`);
  if (name !== "DisplayName" && name !== "Policy" && name !== "DeliveryPolicy") {
    throw invalid(name.slice(0, displayNameMaxLength), "is not offered");
  }
  if (name === "DisplayName" && value.length > displayNameMaxLength) {
    throw invalid(name, `has ${value.length} characters; must be <= ${displayNameMaxLength}`);
  }
  checkShownAttribute(name, value);
}

/** Of topics and subscriptions: what is kept and shown. @throws TodokuError `invalid_argument`. */
export function checkShownAttribute(name: string, value: string): void {
  const bytes = Buffer.byteLength(value);
  const { attributeMaxBytes } = limits.eventTopic;
  if (bytes > attributeMaxBytes) throw invalid(name, `has ${bytes} bytes; must be <= ${attributeMaxBytes}`);
  if (!value.isWellFormed()) throw invalid(name, "is not well-formed Unicode");
}

function invalid(name: string, problem: string): TodokuError {
  return new TodokuError("invalid_argument", `attribute ${name} ${problem}`);
}

/** The error that every call about a missing topic gives. */
export function eventTopicNotFound(name: string): TodokuError {
  const text = `topic "${name.slice(0, limits.nameMaxBytes)}" does not exist`;
  return new TodokuError("not_found", text, { subject: "topic" });
}
