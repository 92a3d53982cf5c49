import type { Config, Mode } from "../config/schema.ts";
import type { Caches } from "../domain/cache/caches.ts";
import type { Sealer } from "../domain/encryption/sealer.ts";
import type { Engine } from "../domain/engine.ts";
import { limits } from "../domain/limits.ts";
import type { QueueMessages } from "../domain/queues/messages.ts";
import { createDeliveryWorker, type DeliveryWorker } from "../domain/subscriptions/delivery-worker.ts";
import type { Destination, WebhookDestination } from "../domain/subscriptions/destination.ts";
import { QueueBatches } from "../domain/subscriptions/queue-batches.ts";
import { createDeadLetterQueues, createQueueDestination } from "../domain/subscriptions/queue-destination.ts";
import {
  createSubscriptionRegistry,
  type SubscriptionRegistry,
} from "../domain/subscriptions/subscription-registry.ts";
import type { ReportParts } from "../domain/subscriptions/subscription-reports.ts";
import { createWebhooks, type Webhooks } from "../domain/subscriptions/webhooks.ts";
import type { Topics } from "../domain/topics/topics.ts";
import type { Clock } from "../lib/clock.ts";
import { createGuardedClient, type GuardedClient } from "../lib/guarded-client/guarded-client.ts";
import type { Log } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";
import { createSnsHttp, type SnsHttp } from "../outbound/sns-http/destination.ts";
import { createSigningKeys } from "../outbound/sns-http/signing-key.ts";
import { createWebhookDestination } from "../outbound/webhooks/destination.ts";
import { isLoopbackHost } from "./production.ts";
import { version } from "./version.ts";

/** What delivers the items of durable subscriptions. */
export interface WebhookDelivery {
  /** Of all kinds; not started. */
  readonly registry: SubscriptionRegistry;
  readonly webhooks: Webhooks;
  /** For `reportOf`. */
  readonly reportParts: ReportParts;
  /** Not started: receivers may call back, so the port is open first. */
  readonly deliveries: DeliveryWorker;
  /** Calls URLs as SNS does, and serves what its signatures are verified with. */
  readonly snsHttp: SnsHttp;
  /** For everything that is called at somebody's request. */
  readonly client: GuardedClient;
}

/** Of a server that has none. */
const noHandlers: Destination = {
  deliver: async () => ({ verdict: "retry", isOutage: true, error: "this server runs no handlers", latencyMs: 0 }),
};

/** Puts together those who keep durable subscriptions, those who deliver for them, and the client that calls. */
export function createWebhookDelivery(parts: {
  readonly mode: Mode;
  readonly config: Pick<Config, "host" | "outbound">;
  readonly engine: Engine;
  readonly sealer: Sealer;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly queueMessages: Pick<QueueMessages, "send">;
  /** Asked for at each delivery, for handlers are made behind this. */
  readonly handlerDestination?: () => Destination | undefined;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
}): WebhookDelivery {
  const { mode, config, engine, sealer, caches, topics, queueMessages, clock, wheel, log } = parts;
  // Whoever may come from another machine must not reach what listens on this one alone.
  const client = createGuardedClient({
    ...{ allowed: config.outbound.allow, permitsLoopback: mode === "dev" && isLoopbackHost(config.host) },
    connectionsPerOrigin: limits.webhook.originInFlightMax,
  });
  const registry = createSubscriptionRegistry({ engine, caches });
  const reportParts: ReportParts = {
    ...{ engine, caches },
    circuitOf: (id) => deliveries.circuitOf(id),
    waitingOf: (id) => deliveries.waitingOf(id),
  };
  const webhooks: Webhooks = createWebhooks({
    ...{ ...reportParts, registry, sealer, caches, wallMs: clock.wallMs },
    destination: () => destination,
    refusal: (url) => client.refusal(url),
  });
  const destination: WebhookDestination = createWebhookDestination({
    ...{ client, wallMs: clock.wallMs, version },
    signingSecrets: (subscription) => webhooks.signingSecrets(subscription),
  });
  const snsHttp = createSnsHttp({
    ...{ client, wallMs: clock.wallMs, version },
    keys: createSigningKeys({ records: engine.records, sealer, wallMs: clock.wallMs }),
    signingSecrets: (subscription) => webhooks.signingSecrets(subscription),
  });
  const toQueues = { batches: new QueueBatches(queueMessages), monotonicMs: clock.monotonicMs };
  const deliveries: DeliveryWorker = createDeliveryWorker({
    ...{ engine, registry, webhooks, topics, caches, clock, wheel, log },
    destinations: {
      webhook: destination,
      queue: createQueueDestination(toQueues),
      "sns-http": snsHttp,
      handler: { deliver: (delivery) => (parts.handlerDestination?.() ?? noHandlers).deliver(delivery) },
    },
    deadLetterQueues: createDeadLetterQueues(toQueues),
  });
  return { registry, webhooks, reportParts, deliveries, client, snsHttp };
}
