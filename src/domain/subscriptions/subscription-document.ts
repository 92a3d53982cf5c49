import { z } from "zod";
import { TodokuError } from "../errors.ts";
import type { RecordKey, RecordStore, StoredRecord } from "../records/store.ts";
import { compileFilter, type StoredFilter } from "./filter.ts";
import type { DurableSubscription, SubscriptionDestination, Webhook } from "./subscription.ts";

/** The kind of the records that durable subscriptions are kept in. */
export const subscriptionRecordKind = "subscription";

const secretSchema = z.strictObject({
  /** Never used twice for the same subscription: it is part of what the text is sealed as. */
  number: z.int(),
  sealed: z.string(),
  createdAtMs: z.number(),
  /** Of the one before the current one: wall time from which it signs no longer. */
  expiresAtMs: z.number().exactOptional(),
});

/** The current one last. */
const secretsSchema = z.array(secretSchema).min(1);

const sharedShape = {
  topic: z.string(),
  pause: z.strictObject({ reason: z.enum(["asked", "gone"]), atMs: z.number() }).exactOptional(),
  createdAtMs: z.number(),
};

/** Of a webhook: the first kind there was, so it needs no name of its kind. */
const webhookSchema = z.strictObject({
  ...sharedShape,
  kind: z.undefined().optional(),
  url: z.string(),
  isOrdered: z.boolean(),
  secrets: secretsSchema,
});

/** Of what was subscribed through SNS. */
const snsSchema = z.strictObject({
  region: z.string(),
  baseUrl: z.string(),
  /** Kept and shown; how it is tried again is the server's to say. */
  deliveryPolicy: z.string().exactOptional(),
  /** Of the next filter, when it is not of attributes. */
  filterScope: z.enum(["attributes", "body"]).exactOptional(),
  isConfirmedWithCredentials: z.boolean(),
});

const eventShape = {
  ...sharedShape,
  filter: z
    .strictObject({ scope: z.enum(["attributes", "body"]), policy: z.record(z.string(), z.unknown()) })
    .refine(isReadable)
    .exactOptional(),
  deadLetterQueue: z.string().exactOptional(),
  sns: snsSchema.exactOptional(),
};

const queueSchema = z.strictObject({
  ...eventShape,
  kind: z.literal("queue"),
  queue: z.string(),
  isRaw: z.boolean(),
});

const snsHttpSchema = z.strictObject({
  ...eventShape,
  kind: z.literal("sns-http"),
  url: z.string(),
  isRaw: z.boolean(),
  secrets: secretsSchema,
});

const handlerSchema = z.strictObject({ ...eventShape, kind: z.literal("handler"), handler: z.string() });

/** What is stored of a durable subscription. Strict: a later release may keep more restrictions here, and an older one must not pass over them. */
const documentSchema = z.discriminatedUnion("kind", [webhookSchema, queueSchema, snsHttpSchema, handlerSchema]);

/** One secret of a subscription, sealed. */
export type StoredSecret = z.infer<typeof secretSchema>;

/** What is stored of a webhook, its secrets sealed. */
export type WebhookDocument = z.infer<typeof webhookSchema>;

/** What is stored of a durable subscription of any kind. */
export type SubscriptionDocument = z.infer<typeof documentSchema>;

/** A durable subscription as its record was last seen. */
export interface Kept {
  readonly subscription: DurableSubscription;
  readonly version: number;
  readonly document: SubscriptionDocument;
}

/** The same of a webhook. */
export interface KeptWebhook extends Kept {
  readonly subscription: Webhook;
  readonly document: WebhookDocument;
}

export function isKeptWebhook(kept: Kept): kept is KeptWebhook {
  return kept.document.kind === undefined;
}

/** The same of one that signs its calls. */
export interface KeptSigning extends Kept {
  readonly document: Extract<SubscriptionDocument, { secrets: unknown }>;
}

export function isKeptSigning(kept: Kept): kept is KeptSigning {
  return "secrets" in kept.document;
}

/** Cache and name in one, so that no two pairs share one: both may hold any character. */
export function recordNameOf(cache: string, name: string): string {
  return JSON.stringify([cache, name]);
}

export function subscriptionKeyOf(environment: string, cache: string, name: string): RecordKey {
  return { kind: subscriptionRecordKind, environment, name: recordNameOf(cache, name) };
}

/** @throws TodokuError `failed_precondition`: there is something in it that this release does not know. */
export function toKept({ id, environment, name: recordName, version, document: stored }: StoredRecord): Kept {
  const [cache, name] = partsOf(recordName);
  const { data: document, error } = documentSchema.safeParse(stored);
  if (!document) {
    const message = `webhook "${name}" of cache "${cache}" was written by a later release, with what this one does not know`;
    throw new TodokuError("failed_precondition", message, { cause: error });
  }
  const { topic, pause, createdAtMs } = document;
  const { filter, deadLetterQueue, sns } = document.kind ? document : {};
  const subscription: DurableSubscription = {
    ...{ id, environment, cache, name, topic, pause, createdAtMs, filter, deadLetterQueue },
    place: sns && { region: sns.region, baseUrl: sns.baseUrl },
    isOrdered: document.kind === undefined && document.isOrdered,
    destination: destinationOf(document),
  };
  return { subscription, version, document };
}

function destinationOf(document: SubscriptionDocument): SubscriptionDestination {
  const { kind } = document;
  if (kind === undefined) return { kind: "webhook", url: document.url };
  if (kind === "queue") return { kind, queue: document.queue, isRaw: document.isRaw };
  if (kind === "sns-http") return { kind, url: document.url, isRaw: document.isRaw };
  return { kind, handler: document.handler };
}

/** The records of a cache's subscriptions: they go with it. */
export async function subscriptionsOf(records: RecordStore, environment: string, cache: string): Promise<RecordKey[]> {
  const stored = await records.list(subscriptionRecordKind, environment);
  return stored.filter(({ name }) => partsOf(name)[0] === cache).map(({ kind, name }) => ({ kind, environment, name }));
}

/** A later release may know conditions that this one does not. */
function isReadable(filter: StoredFilter): boolean {
  try {
    compileFilter(filter);
    return true;
  } catch {
    return false;
  }
}

function partsOf(recordName: string): readonly [string, string] {
  return JSON.parse(recordName);
}

/** The error that every call about a missing webhook gives. */
export function webhookNotFound(cache: string, name: string): TodokuError {
  return new TodokuError("not_found", `webhook "${name}" of cache "${cache}" does not exist`, { subject: "webhook" });
}
