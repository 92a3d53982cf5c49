import { z } from "zod";
import { TodokuError } from "../errors.ts";
import type { RecordKey, RecordStore, StoredRecord } from "../records/store.ts";
import type { DurableSubscription } from "./subscription.ts";

/** The kind of the records that durable subscriptions are kept in. */
export const subscriptionRecordKind = "subscription";

const secretSchema = z.strictObject({
  /** Never used twice for the same webhook: it is part of what the text is sealed as. */
  number: z.int(),
  sealed: z.string(),
  createdAtMs: z.number(),
  /** Of the one before the current one: wall time from which it signs no longer. */
  expiresAtMs: z.number().exactOptional(),
});

/** What is stored of a webhook. Strict: a later release may keep more restrictions here, and an older one must not pass over them. */
const documentSchema = z.strictObject({
  topic: z.string(),
  url: z.string(),
  isOrdered: z.boolean(),
  pause: z.strictObject({ reason: z.enum(["asked", "gone"]), atMs: z.number() }).exactOptional(),
  createdAtMs: z.number(),
  /** The current one last. */
  secrets: z.array(secretSchema).min(1),
});

/** One secret of a webhook, sealed. */
export type StoredSecret = z.infer<typeof secretSchema>;

/** What is stored of a webhook, its secrets sealed. */
export type WebhookDocument = z.infer<typeof documentSchema>;

/** A webhook as its record was last seen. */
export interface Kept {
  readonly subscription: DurableSubscription;
  readonly version: number;
  readonly document: WebhookDocument;
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
  const { topic, url, isOrdered, pause, createdAtMs } = document;
  const subscription: DurableSubscription = {
    ...{ id, environment, cache, name, topic, isOrdered, pause, createdAtMs },
    destination: { kind: "webhook", url },
  };
  return { subscription, version, document };
}

/** The records of a cache's subscriptions: they go with it. */
export async function subscriptionsOf(records: RecordStore, environment: string, cache: string): Promise<RecordKey[]> {
  const stored = await records.list(subscriptionRecordKind, environment);
  return stored.filter(({ name }) => partsOf(name)[0] === cache).map(({ kind, name }) => ({ kind, environment, name }));
}

function partsOf(recordName: string): readonly [string, string] {
  return JSON.parse(recordName);
}

/** The error that every call about a missing webhook gives. */
export function webhookNotFound(cache: string, name: string): TodokuError {
  return new TodokuError("not_found", `webhook "${name}" of cache "${cache}" does not exist`, { subject: "webhook" });
}
