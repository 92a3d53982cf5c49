import type { Log } from "../../lib/log.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Principal } from "../auth/principal.ts";
import type { Caches } from "../cache/caches.ts";
import type { Sealer } from "../encryption/sealer.ts";
import type { Engine } from "../engine.ts";
import type { SnsConfirmations } from "../event-topics/confirmation.ts";
import type { EventTopics } from "../event-topics/event-topics.ts";
import type { SnsPlace } from "../event-topics/notification.ts";
import type { Queues } from "../queues/queues.ts";
import type { EventDelivery, EventSubscription } from "./event-subscription.ts";
import { EventSubscriptionService } from "./event-subscription-service.ts";
import type { SubscriptionRegistry } from "./subscription-registry.ts";
import type { ReportParts, SubscriptionReport } from "./subscription-reports.ts";

/** What a subscription is made of; `endpoint` is an ARN, or a URL. What is left out gets its default. */
export interface EventSubscriptionRequest extends Partial<EventDelivery> {
  readonly protocol: string;
  readonly endpoint: string;
  readonly place: SnsPlace;
}

/** What event subscriptions are made of. */
export interface EventSubscriptionParts {
  readonly engine: Pick<Engine, "records">;
  readonly sealer: Pick<Sealer, "seal" | "open">;
  /** Started. */
  readonly caches: Pick<Caches, "get">;
  readonly queues: Pick<Queues, "get">;
  readonly eventTopics: Pick<EventTopics, "known" | "get" | "onDelete">;
  readonly registry: SubscriptionRegistry;
  readonly confirmations: SnsConfirmations;
  /** Why a URL may not be called; undefined when it may. */
  readonly refusal: (url: string) => string | undefined;
  readonly reportParts: ReportParts;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly wallMs: () => number;
}

/**
 * Durable subscriptions of event topics that were made through SNS. What names one is its id, the last part of its ARN. Rights: `webhook.read` and
 * `webhook.write` on the webhook of that name in the cache `events`.
 */
export interface EventSubscriptions {
  /** Finishes what a stop of the server has left half done; the registry is started. */
  start(): Promise<void>;
  /**
   * Makes it, from the topic's next message on, or answers the one that is there. One of a URL waits until whoever answers there confirms it;
   * it is asked in the background, again each time that it is subscribed.
   * @throws TodokuError `permission_denied` (`topic.subscribe` on the topic, `webhook.write`; for a queue `queue.send`, for a handler `handler.invoke`),
   * `not_found` (the topic, a queue), `invalid_argument`, `unimplemented`, `limit_exceeded`; `already_exists`: with another delivery.
   */
  subscribe(principal: Principal, topic: string, request: EventSubscriptionRequest): Promise<EventSubscription>;
  /** Whoever has the token may. `principal`: who does, if it is known. @throws TodokuError `invalid_argument`: no such token, or it is over. */
  confirm(token: string, topic: string, principal?: Principal): Promise<EventSubscription>;
  /** Does nothing when there is none. @throws TodokuError `permission_denied`. */
  unsubscribe(principal: Principal, id: string): Promise<void>;
  /** @throws TodokuError `not_found`, `permission_denied`. */
  get(principal: Principal, id: string): Promise<EventSubscription>;
  /** Those that the principal may see, with those that wait to be confirmed; of a topic, or of all. By topic, then id. */
  list(principal: Principal, topic?: string): Promise<readonly EventSubscription[]>;
  /** Changes what stands in `changes`; undefined there takes it away. @throws TodokuError as `get`, `invalid_argument`. */
  change(principal: Principal, id: string, changes: Partial<EventDelivery>): Promise<void>;
  /** How many a topic has. Needs what `EventTopics.get` needs. */
  count(principal: Principal, topic: string): Promise<{ readonly confirmed: number; readonly pending: number }>;
  /** How its deliveries are; undefined while it is pending. @throws TodokuError as `get`. */
  report(principal: Principal, id: string): Promise<SubscriptionReport | undefined>;
  /** What its posts to a URL are signed with; undefined for others, and for principals without `webhook.write`. */
  signingSecret(principal: Principal, id: string): Promise<string | undefined>;
}

export function createEventSubscriptions(parts: EventSubscriptionParts): EventSubscriptions {
  return new EventSubscriptionService(parts);
}
