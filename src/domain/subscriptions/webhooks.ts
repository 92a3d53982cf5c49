import type { Principal } from "../auth/principal.ts";
import type { Caches } from "../cache/caches.ts";
import type { Sealer } from "../encryption/sealer.ts";
import type { Outcome, WebhookDestination } from "./destination.ts";
import type { DeadLetter, DeliveryEntry, FailureEntry, Numbered } from "./store.ts";
import type { DurableSubscription, Webhook } from "./subscription.ts";
import type { SubscriptionRegistry } from "./subscription-registry.ts";
import type { ReportParts, SubscriptionReport } from "./subscription-reports.ts";
import { WebhookService } from "./webhook-service.ts";

/** What a webhook is made of, or changed to. */
export interface WebhookRequest {
  readonly topic: string;
  readonly url: string;
  /** Default: as it was; true for a new one. */
  readonly isOrdered?: boolean | undefined;
}

/** A webhook, and how it is. */
export interface WebhookInfo extends SubscriptionReport {
  readonly webhook: Webhook;
  /** Until when former secrets sign too, on the wall clock, and whether its receiver is known to verify with one; undefined when only the current one signs. */
  readonly overlap: { readonly endsAtMs: number; readonly receiverIsBehind: boolean } | undefined;
}

/** What webhooks are made of. */
export interface WebhookParts extends ReportParts {
  /** Started and refreshed by whoever made it; webhooks are those of one kind in it. */
  readonly registry: SubscriptionRegistry;
  readonly sealer: Pick<Sealer, "seal" | "open">;
  /** Started. */
  readonly caches: Pick<Caches, "get" | "current">;
  /** For tests of a webhook; asked for at each, for it is made with `signingSecrets`. */
  readonly destination: () => Pick<WebhookDestination, "deliver" | "usesFormerSecret">;
  /** Why a URL may not be called; undefined when it may. It never repeats the URL's query. */
  readonly refusal: (url: string) => string | undefined;
  /** The clock of creation times, pauses, and the ends of secrets. */
  readonly wallMs: () => number;
}

export function createWebhooks(parts: WebhookParts): Webhooks {
  return new WebhookService(parts);
}

/** Webhooks of all environments: durable subscriptions of topics to URLs. */
export interface Webhooks {
  /**
   * Makes it, from the topic's next item on; or changes it: its secret stays, and so does its place, unless the topic changes.
   * @throws TodokuError `permission_denied` (`webhook.write`, and `topic.subscribe` on the topic; for another URL also on those of its dead letters), `not_found` (the cache), `invalid_argument`, `limit_exceeded`.
   */
  put(
    principal: Principal,
    cache: string,
    name: string,
    request: WebhookRequest,
  ): Promise<{ readonly webhook: Webhook; readonly secret: string; readonly isNew: boolean }>;
  /** @throws TodokuError `not_found` with subject `webhook`, `permission_denied`: as all that follow. */
  get(principal: Principal, cache: string, name: string): Promise<WebhookInfo>;
  /** Of one cache, or of all; by cache, then name. @throws TodokuError `not_found`: the cache. */
  list(principal: Principal, cache?: string): Promise<readonly Webhook[]>;
  delete(principal: Principal, cache: string, name: string): Promise<void>;
  /**
   * What it signs with: `whsec_` and base64 of 32 bytes. Momento's signature takes all of the text as its key, Standard Webhooks the bytes.
   * Needs `webhook.write`: whoever knows it can send in the webhook's name.
   */
  secret(principal: Principal, cache: string, name: string): Promise<string>;
  /** A new secret; the one before signs too for `overlapMs` (default `limits.webhook.rotationOverlapMs.default`; 0: no longer). */
  rotate(principal: Principal, cache: string, name: string, overlapMs?: number): Promise<string>;
  /** Nothing is delivered any more; the topic's log keeps what is due, as long as it can. */
  pause(principal: Principal, cache: string, name: string): Promise<Webhook>;
  /** Goes on where it was; a circuit that is open tries at once. */
  resume(principal: Principal, cache: string, name: string): Promise<Webhook>;
  /** Delivers one made-up message now, once, whether it is paused or not. @throws TodokuError `limit_exceeded`: another test of it is under way. */
  test(principal: Principal, cache: string, name: string): Promise<Outcome>;
  /** The newest first, `maxItems` 1..`limits.webhook.logMax`, as in all these lists. Answers of destinations (`FailureEntry.answer`) are for those with `webhook.write`. */
  deliveries(
    principal: Principal,
    cache: string,
    name: string,
    maxItems: number,
    before?: number,
  ): Promise<readonly Numbered<DeliveryEntry>[]>;
  failures(
    principal: Principal,
    cache: string,
    name: string,
    maxItems: number,
    before?: number,
  ): Promise<readonly Numbered<FailureEntry>[]>;
  /** The oldest first, at most `limits.batchMaxBytes` of values. Needs `topic.subscribe` on their topics too: they are what was published. */
  deadLetters(
    principal: Principal,
    cache: string,
    name: string,
    maxItems: number,
    afterId?: number,
  ): Promise<readonly DeadLetter[]>;
  /** Delivers one dead letter, or all, again. Answers how many that were not on their way already. Needs `topic.subscribe` on their topics too. @throws TodokuError `not_found`: no dead letter with this id. */
  replay(principal: Principal, cache: string, name: string, id: number | "all"): Promise<number>;
  /** Drops one dead letter, or all; answers how many. @throws TodokuError `not_found`: no dead letter with this id. */
  drop(principal: Principal, cache: string, name: string, id: number | "all"): Promise<number>;
  /** Secrets that a webhook, or a subscription that calls as SNS does, signs with now, the current one first; for `outbound`. @throws TodokuError `not_found`, `internal`. */
  signingSecrets(subscription: DurableSubscription): Promise<readonly string[]>;
  /** The receiver answered 410. */
  pauseGone(subscription: Webhook): Promise<void>;
}
