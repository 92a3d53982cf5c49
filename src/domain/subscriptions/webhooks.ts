import type { Principal } from "../auth/principal.ts";
import type { Caches } from "../cache/caches.ts";
import type { Sealer } from "../encryption/sealer.ts";
import type { Engine } from "../engine.ts";
import type { Destination, Outcome } from "./destination.ts";
import type { DeadLetter, DeliveryEntry, FailureEntry, Numbered, SubscriptionState } from "./store.ts";
import type { DurableSubscription } from "./subscription.ts";
import { WebhookService } from "./webhook-service.ts";

/** What a webhook is made of, or changed to. */
export interface WebhookRequest {
  readonly topic: string;
  readonly url: string;
  /** Default: as it was; true for a new one. */
  readonly isOrdered?: boolean | undefined;
}

/** A webhook, and how it is. */
export interface WebhookInfo extends Omit<SubscriptionState, "cursor"> {
  readonly webhook: DurableSubscription;
  /** `open`: its destination does not work; one attempt is made at a time. */
  readonly circuit: "closed" | "open";
  readonly cursor: SubscriptionState["cursor"];
  /** Until when former secrets sign too, on the wall clock, and whether its receiver is known to verify with one; undefined when only the current one signs. */
  readonly overlap: { readonly endsAtMs: number; readonly receiverIsBehind: boolean } | undefined;
  /** Items of the topic's page behind the cursor, and those that are pending; undefined while the topic cannot be read. */
  readonly waiting: number | undefined;
}

/** What webhooks are made of. */
export interface WebhookParts {
  readonly engine: Pick<Engine, "records" | "topics" | "subscriptions" | "bus" | "isSingleNode">;
  readonly sealer: Pick<Sealer, "seal" | "open">;
  /** Started. */
  readonly caches: Pick<Caches, "get" | "current" | "onChange">;
  /** For tests of a webhook; asked for at each, for it is made with `signingSecrets`. */
  readonly destination: () => Pick<Destination, "deliver" | "usesFormerSecret">;
  /** Why a URL may not be called; undefined when it may. It never repeats the URL's query. */
  readonly refusal: (url: string) => string | undefined;
  /** What the delivery worker knows of a subscription, by its id. */
  readonly circuitOf: (id: number) => WebhookInfo["circuit"];
  readonly waitingOf: (id: number) => WebhookInfo["waiting"];
  /** The clock of creation times, pauses, and the ends of secrets. */
  readonly wallMs: () => number;
}

export function createWebhooks(parts: WebhookParts): Webhooks {
  return new WebhookService(parts);
}

/** Webhooks of all environments: durable subscriptions of topics to URLs. */
export interface Webhooks {
  /** Reads the store; the server calls it before it listens. */
  start(): Promise<void>;
  /** Compares with the store, where other nodes write too. */
  refresh(): Promise<void>;
  /**
   * Makes it, from the topic's next item on; or changes it: its secret stays, and so does its place, unless the topic changes.
   * @throws TodokuError `permission_denied` (`webhook.write`, and `topic.subscribe` on the topic; for another URL also on those of its dead letters), `not_found` (the cache), `invalid_argument`, `limit_exceeded`.
   */
  put(
    principal: Principal,
    cache: string,
    name: string,
    request: WebhookRequest,
  ): Promise<{ readonly webhook: DurableSubscription; readonly secret: string; readonly isNew: boolean }>;
  /** @throws TodokuError `not_found` with subject `webhook`, `permission_denied`: as all that follow. */
  get(principal: Principal, cache: string, name: string): Promise<WebhookInfo>;
  /** Of one cache, or of all; by cache, then name. @throws TodokuError `not_found`: the cache. */
  list(principal: Principal, cache?: string): Promise<readonly DurableSubscription[]>;
  delete(principal: Principal, cache: string, name: string): Promise<void>;
  /**
   * What it signs with: `whsec_` and base64 of 32 bytes. Momento's signature takes all of the text as its key, Standard Webhooks the bytes.
   * Needs `webhook.write`: whoever knows it can send in the webhook's name.
   */
  secret(principal: Principal, cache: string, name: string): Promise<string>;
  /** A new secret; the one before signs too for `overlapMs` (default `limits.webhook.rotationOverlapMs.default`; 0: no longer). */
  rotate(principal: Principal, cache: string, name: string, overlapMs?: number): Promise<string>;
  /** Nothing is delivered any more; the topic's log keeps what is due, as long as it can. */
  pause(principal: Principal, cache: string, name: string): Promise<DurableSubscription>;
  /** Goes on where it was; a circuit that is open tries at once. */
  resume(principal: Principal, cache: string, name: string): Promise<DurableSubscription>;
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
  /** Secrets that it signs with now, the current one first; for `outbound`. @throws TodokuError `not_found`, `internal`. */
  signingSecrets(subscription: DurableSubscription): Promise<readonly string[]>;
  /** The receiver answered 410. */
  pauseGone(subscription: DurableSubscription): Promise<void>;
  /** All of this server. */
  all(): readonly DurableSubscription[];
  /** `now` undefined: it is gone. `was` undefined: it is new. `wake`: there is something to replay. */
  onChange(listener: (change: WebhookChange) => void): void;
  forgetEnvironment(environment: string): void;
}

/**
 * What happened to a subscription that a pump runs for. Both may be alike: somebody resumed it, or its secret is another one.
 * When the topic changed, its cursor is moved already: from now on nobody may store one of the old topic.
 */
export type WebhookChange =
  | {
      readonly kind: "changed";
      readonly was: DurableSubscription | undefined;
      readonly now: DurableSubscription | undefined;
    }
  | { readonly kind: "replay"; readonly subscription: DurableSubscription };
