import type { SubscriptionKey } from "./store.ts";

/** Where a durable subscription's items go. */
interface WebhookDestination {
  readonly kind: "webhook";
  /** http: or https:, without user name, password and fragment. */
  readonly url: string;
}

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
  /** True: one item after the other, and an item that cannot be delivered holds up those behind it until it is dead. */
  readonly isOrdered: boolean;
  readonly destination: WebhookDestination;
  readonly pause: Pause | undefined;
  /** Wall time. */
  readonly createdAtMs: number;
}

/** What is stored of it beside its record. */
export function keyOf({ environment, id }: DurableSubscription): SubscriptionKey {
  return { environment, id };
}
