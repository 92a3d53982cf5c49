import type { TopicItem } from "../topics/store.ts";
import type { DurableSubscription, SubscriptionDestination, Webhook } from "./subscription.ts";

/** One item on its way to a subscription, of one kind where that is known. */
export interface Delivery<S extends DurableSubscription = DurableSubscription> {
  readonly subscription: S;
  /** The item's topic: of a dead letter that is replayed it may be another than the subscription has now. */
  readonly topic: string;
  readonly item: TopicItem;
  /** From 1 on. */
  readonly attempt: number;
  /** Asked for by somebody who tries the destination: the item is made up, and is in no log. */
  readonly isTest: boolean;
}

/**
 * What became of one attempt.
 * `retry`: it may work later. `dead`: it never will, for this item. `gone`: the destination wants nothing any more.
 */
export type Outcome =
  | { readonly verdict: "delivered"; readonly status?: number; readonly latencyMs: number }
  | {
      readonly verdict: "retry" | "dead" | "gone";
      /** The destination does not work at all (no connection, no answer in time, 429, 502, 503, 504): says nothing about the item. */
      readonly isOutage: boolean;
      readonly status?: number;
      /** A sentence for those who manage the subscription; never with a secret, nor with an address that a name resolved to. */
      readonly error: string;
      readonly latencyMs: number;
      /** The destination's own wish. */
      readonly retryAfterMs?: number;
      /** The first kilobyte of what it answered, as text; of public destinations only. */
      readonly answer?: string;
    };

/** Where items of one kind of subscription are handed over. */
export interface Destination {
  /** Makes one attempt, within `limits.webhook.timeoutMs` (a handler: within its own time). Never rejects. */
  deliver(delivery: Delivery): Promise<Outcome>;
}

/** The one of each kind. */
export type Destinations = Readonly<Record<SubscriptionDestination["kind"], Destination>>;

/** What `outbound` implements for webhooks. */
export interface WebhookDestination {
  deliver(delivery: Delivery<Webhook>): Promise<Outcome>;
  /** Is its receiver known to verify with a secret that was rotated? */
  usesFormerSecret(webhook: Webhook): boolean;
  /** Frees connections; calls that are under way come to an end. */
  close(): Promise<void>;
}
