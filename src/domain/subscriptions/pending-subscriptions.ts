import { hash, randomBytes } from "node:crypto";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { RecordStore, StoredRecord } from "../records/store.ts";
import type { EventSubscription } from "./event-subscription.ts";

const recordKind = "pending-subscription";

/** What is stored, under the hash of its token. Strict, as all documents that rights depend on. */
const documentSchema = z.strictObject({
  id: z.string(),
  topic: z.string(),
  url: z.string(),
  isRaw: z.boolean(),
  filter: z
    .strictObject({ scope: z.enum(["attributes", "body"]), policy: z.record(z.string(), z.unknown()) })
    .exactOptional(),
  filterScope: z.enum(["attributes", "body"]),
  deadLetterQueue: z.string().exactOptional(),
  deliveryPolicy: z.string().exactOptional(),
  region: z.string(),
  baseUrl: z.string(),
  expiresAtMs: z.number(),
});

type PendingDocument = z.infer<typeof documentSchema>;

/** Subscriptions of URLs that nobody has confirmed yet. */
export class PendingSubscriptions {
  readonly #records: RecordStore;
  readonly #wallMs: () => number;
  /** The last one that is being added. */
  #adding: Promise<unknown> = Promise.resolve();

  constructor(records: RecordStore, wallMs: () => number) {
    this.#records = records;
    this.#wallMs = wallMs;
  }

  /**
   * Keeps one, in place of the one with its id: one after the other, for they count each other. Answers its token: 256 random bits, and the environment that it is of. Only its hash is stored.
   * @throws TodokuError `limit_exceeded`.
   */
  add(subscription: EventSubscription): Promise<string> {
    const added = this.#adding.then(() => this.#add(subscription));
    this.#adding = added.catch(() => {}); // whoever asked for it is told
    return added;
  }

  async #add(subscription: EventSubscription): Promise<string> {
    const { environment, id } = subscription;
    await this.remove(environment, id);
    const { pendingMax } = limits.eventSubscription;
    if ((await this.list(environment)).length >= pendingMax) {
      const text = `environment "${environment}" has ${pendingMax} subscriptions that wait to be confirmed, the most it may have`;
      throw new TodokuError("limit_exceeded", text, { subject: "subscriptions" });
    }
    const token = `${randomBytes(32).toString("hex")}.${environment}`;
    await this.#records.create(keyOf(environment, token), this.#documentOf(subscription));
    return token;
  }

  #documentOf(subscription: EventSubscription) {
    const { id, topic, target, place, isRaw, filter, filterScope, deadLetterQueue, deliveryPolicy } = subscription;
    return {
      ...{ id, topic, url: target.address, isRaw, filterScope, ...place },
      ...(filter && { filter }),
      ...(deadLetterQueue !== undefined && { deadLetterQueue }),
      ...(deliveryPolicy !== undefined && { deliveryPolicy }),
      expiresAtMs: this.#wallMs() + limits.eventSubscription.pendingKeptMs,
    };
  }

  /** The one that a token confirms; undefined: there is none, or its time is over. */
  async find(token: string): Promise<EventSubscription | undefined> {
    const [, environment] = /^[0-9a-f]{64}\.([^\s]{1,63})$/.exec(token) ?? [];
    if (environment === undefined) return undefined;
    const record = await this.#records.read(keyOf(environment, token));
    return record && this.#read(record);
  }

  /** Those of an environment that wait; forgets those whose time is over. */
  async list(environment: string): Promise<EventSubscription[]> {
    const records = await this.#records.list(recordKind, environment);
    const waiting: EventSubscription[] = [];
    for (const record of records) {
      const subscription = this.#read(record);
      if (subscription) waiting.push(subscription);
      else await this.#records.remove(record);
    }
    return waiting;
  }

  /** Their tokens are worth nothing from now on. */
  async remove(environment: string, id: string): Promise<void> {
    await this.#removeSome(environment, (document) => document.id === id);
  }

  async removeTopic(environment: string, topic: string): Promise<void> {
    await this.#removeSome(environment, (document) => document.topic === topic);
  }

  async #removeSome(environment: string, isMeant: (document: PendingDocument) => boolean) {
    for (const record of await this.#records.list(recordKind, environment)) {
      if (isMeant(documentOf(record))) await this.#records.remove(record);
    }
  }

  #read(record: StoredRecord): EventSubscription | undefined {
    const { environment } = record;
    const { url, region, baseUrl, expiresAtMs, filter, deadLetterQueue, deliveryPolicy, ...rest } = documentOf(record);
    if (expiresAtMs <= this.#wallMs()) return undefined;
    return {
      ...rest,
      ...{ environment, filter, deadLetterQueue, deliveryPolicy },
      protocol: url.startsWith("https:") ? "https" : "http",
      target: { kind: "sns-http", address: url },
      place: { region, baseUrl },
      ...{ isPending: true, isConfirmedWithCredentials: false },
    };
  }
}

function keyOf(environment: string, token: string) {
  return { kind: recordKind, environment, name: hash("sha256", token) };
}

function documentOf({ document: stored }: StoredRecord): PendingDocument {
  const { data: document, error } = documentSchema.safeParse(stored);
  if (document) return document;
  const message = "a pending subscription was written by a later release, with what this one does not know";
  throw new TodokuError("failed_precondition", message, { cause: error });
}
