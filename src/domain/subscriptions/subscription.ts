import type { SnsPlace } from "../event-topics/notification.ts";
import type { StoredFilter } from "./filter.ts";
import type { SubscriptionKey } from "./store.ts";

/** Where a durable subscription's items go. URLs are http: or https:, without user name, password and fragment. */
export type SubscriptionDestination =
  | { readonly kind: "webhook"; readonly url: string }
  /** A queue of the environment, as messages of SNS; `isRaw`: the message alone, its attributes as the queue's own. */
  | { readonly kind: "queue"; readonly queue: string; readonly isRaw: boolean }
  /** SNS's own way to call URLs; `isRaw`: the message alone is posted. */
  | { readonly kind: "sns-http"; readonly url: string; readonly isRaw: boolean }
  /** A handler of the environment. */
  | { readonly kind: "handler"; readonly handler: string };

/** Why nothing is delivered. `asked`: somebody paused it. `gone`: the receiver answered 410. */
export interface Pause {
  readonly reason: "asked" | "gone";
  /** Wall time. */
  readonly atMs: number;
}

/**
 * Kept by the server: it follows a topic with a cursor and hands each item to its destination, at least once. A cache has at most one of
 * each name; it goes with its cache, and lives on when the cache is flushed.
 */
export interface DurableSubscription {
  /** Of its record: never used again, so what is stored under it is never another one's. */
  readonly id: number;
  readonly environment: string;
  readonly cache: string;
  readonly name: string;
  readonly topic: string;
  /** True: one item after the other, and an item that cannot be delivered holds up those behind it until it is dead. Webhooks alone can be. */
  readonly isOrdered: boolean;
  readonly destination: SubscriptionDestination;
  /** Items that do not match are passed over: they are delivered nowhere, and nobody counts them as such. */
  readonly filter: StoredFilter | undefined;
  /** A queue of the environment that gets what dies, beside the dead letters. */
  readonly deadLetterQueue: string | undefined;
  /** How its client knew this server when it was subscribed through SNS. */
  readonly place?: SnsPlace | undefined;
  readonly pause: Pause | undefined;
  /** Wall time. */
  readonly createdAtMs: number;
}

/** A durable subscription whose destination is a URL. */
export interface Webhook extends DurableSubscription {
  readonly destination: Extract<SubscriptionDestination, { kind: "webhook" }>;
}

/** One that calls a URL as SNS does. */
export interface SnsHttpSubscription extends DurableSubscription {
  readonly destination: Extract<SubscriptionDestination, { kind: "sns-http" }>;
}

export function isWebhook(subscription: DurableSubscription): subscription is Webhook {
  return subscription.destination.kind === "webhook";
}

/** What is stored of it beside its record. */
export function keyOf({ environment, id }: DurableSubscription): SubscriptionKey {
  return { environment, id };
}
