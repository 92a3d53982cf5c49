import { TodokuError } from "../errors.ts";
import { type EventQueue, eventsCache, isEventQueue } from "../names.ts";
import type { QueueSettings } from "../queues/queue.ts";
import { defaultSettings } from "../queues/settings.ts";
import type { RecordKey, RecordStore, StoredRecord } from "../records/store.ts";

const secondMs = 1000;
const dayMs = 24 * 3600 * secondMs;

/** The article's: whoever receives has two minutes for a batch, and six times that before others may try. */
const servedSettings = { ...defaultSettings, visibilityMs: 720 * secondMs, retentionMs: 4 * dayMs };
const maxReceives = 5;
/** An operator may be on holiday. The age counts on from when a message was sent, so these must be kept longer than where they come from. */
const deadLetterSettings = { ...defaultSettings, retentionMs: 14 * dayMs };

/** Queues that every environment has, with the settings that they begin with: what users send, and what is to be shown to them. */
export const builtInQueues: Readonly<Record<EventQueue, QueueSettings>> = {
  messages: { ...servedSettings, deadLetter: { queue: "messages-dlq", maxReceives } },
  notifications: { ...servedSettings, deadLetter: { queue: "notifications-dlq", maxReceives } },
  "messages-dlq": deadLetterSettings,
  "notifications-dlq": deadLetterSettings,
};

/** Is it one that every environment has? Its settings may be changed; it cannot be deleted. */
export function isBuiltInQueue(name: string): name is EventQueue {
  return isEventQueue(name);
}

/** The same for caches. */
export function isBuiltInCache(name: string): boolean {
  return name === eventsCache;
}

/** What a queue has that was made without a word. */
export function firstSettings(queue: string): QueueSettings {
  return isBuiltInQueue(queue) ? builtInQueues[queue] : defaultSettings;
}

/** @throws TodokuError `failed_precondition`. */
export function refuseDeletion(what: "cache" | "queue", name: string): never {
  throw new TodokuError("failed_precondition", `${what} "${name}" is built in: it cannot be deleted`);
}

/** Makes what is missing in a new environment. What is there under these names stays as it is. */
export async function makeBuiltIns(records: RecordStore, environment: string, nowMs: number): Promise<void> {
  await Promise.all(recordsOf(environment, nowMs).map((record) => make(records, record)));
}

/** The same for all of them, at a start; all in one turn of the loop, so that the embedded engine commits them together. */
export async function makeMissingBuiltIns(
  records: RecordStore,
  environments: readonly string[],
  nowMs: number,
): Promise<void> {
  const listed = await Promise.all(["cache", "queue"].map((kind) => records.list(kind)));
  const there = new Set(listed.flat().map(pathOf));
  const missing = environments
    .flatMap((environment) => recordsOf(environment, nowMs))
    .filter((record) => !there.has(pathOf(record)));
  await Promise.all(missing.map((record) => make(records, record)));
}

type NewRecord = Pick<StoredRecord, "kind" | "environment" | "name" | "document">;

function recordsOf(environment: string, createdAtMs: number): NewRecord[] {
  const queues = Object.entries(builtInQueues).map(([name, settings]) => {
    return { kind: "queue", environment, name, document: { ...settings, createdAtMs } };
  });
  return [{ kind: "cache", environment, name: eventsCache, document: { durability: "disk", createdAtMs } }, ...queues];
}

async function make(records: RecordStore, { document, ...key }: NewRecord): Promise<void> {
  await records.create(key, document).catch((error: unknown) => {
    if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
  });
}

// The names of environments have no slash.
function pathOf({ kind, environment, name }: RecordKey): string {
  return `${kind}/${environment}/${name}`;
}
