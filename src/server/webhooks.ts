import type { Config, Mode } from "../config/schema.ts";
import type { Caches } from "../domain/cache/caches.ts";
import type { Sealer } from "../domain/encryption/sealer.ts";
import type { Engine } from "../domain/engine.ts";
import { limits } from "../domain/limits.ts";
import { createDeliveryWorker, type DeliveryWorker } from "../domain/subscriptions/delivery-worker.ts";
import type { Destination } from "../domain/subscriptions/destination.ts";
import { createWebhooks, type Webhooks } from "../domain/subscriptions/webhooks.ts";
import type { Topics } from "../domain/topics/topics.ts";
import type { Clock } from "../lib/clock.ts";
import { createGuardedClient, type GuardedClient } from "../lib/guarded-client/guarded-client.ts";
import type { Log } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";
import { createWebhookDestination } from "../outbound/webhooks/destination.ts";
import { isLoopbackHost } from "./production.ts";
import { version } from "./version.ts";

/** What delivers to URLs. */
export interface WebhookDelivery {
  readonly webhooks: Webhooks;
  /** Not started: receivers may call back, so the port is open first. */
  readonly deliveries: DeliveryWorker;
  /** For everything that is called at somebody's request. */
  readonly client: GuardedClient;
}

/** Puts together those who keep webhooks, those who deliver for them, and the client that calls. */
export function createWebhookDelivery(parts: {
  readonly mode: Mode;
  readonly config: Pick<Config, "host" | "outbound">;
  readonly engine: Engine;
  readonly sealer: Sealer;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
}): WebhookDelivery {
  const { mode, config, engine, sealer, caches, topics, clock, wheel, log } = parts;
  // Whoever may come from another machine must not reach what listens on this one alone.
  const client = createGuardedClient({
    ...{ allowed: config.outbound.allow, permitsLoopback: mode === "dev" && isLoopbackHost(config.host) },
    connectionsPerOrigin: limits.webhook.originInFlightMax,
  });
  const webhooks: Webhooks = createWebhooks({
    ...{ engine, sealer, caches, wallMs: clock.wallMs },
    destination: () => destination,
    refusal: (url) => client.refusal(url),
    circuitOf: (id) => deliveries.circuitOf(id),
    waitingOf: (id) => deliveries.waitingOf(id),
  });
  const destination: Destination = createWebhookDestination({
    ...{ client, wallMs: clock.wallMs, version },
    signingSecrets: (subscription) => webhooks.signingSecrets(subscription),
  });
  const deliveries: DeliveryWorker = createDeliveryWorker({
    ...{ engine, webhooks, topics, caches, destination, clock, wheel, log },
  });
  return { webhooks, deliveries, client };
}
