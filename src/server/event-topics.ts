import type { Caches } from "../domain/cache/caches.ts";
import type { Sealer } from "../domain/encryption/sealer.ts";
import type { Engine } from "../domain/engine.ts";
import type { Environments } from "../domain/environments/environments.ts";
import { createEventTopics, type EventTopics } from "../domain/event-topics/event-topics.ts";
import type { Queues } from "../domain/queues/queues.ts";
import { createEventSubscriptions, type EventSubscriptions } from "../domain/subscriptions/event-subscriptions.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";
import type { WebhookDelivery } from "./webhooks.ts";

/** What SNS is in the domain. */
export interface EventTopicService {
  readonly eventTopics: EventTopics;
  readonly eventSubscriptions: EventSubscriptions;
  /** PEM of what verifies SNS's signatures, if it is at this path. */
  readonly snsCertificate: (path: string) => Promise<string | undefined>;
}

/** Started. `delivery`: its registry is. */
export async function createEventTopicService(parts: {
  readonly engine: Engine;
  readonly environments: Environments;
  readonly sealer: Sealer;
  readonly caches: Caches;
  readonly queues: Queues;
  readonly delivery: WebhookDelivery;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
}): Promise<EventTopicService> {
  const { engine, environments, sealer, caches, queues, clock, wheel, log } = parts;
  const { registry, client, snsHttp, reportParts } = parts.delivery;
  const eventTopics = createEventTopics(engine, clock.wallMs);
  await eventTopics.start();
  environments.onFilled((environment) => eventTopics.refresh(environment));
  environments.onGone((environment) => eventTopics.forgetEnvironment(environment));
  const eventSubscriptions = createEventSubscriptions({
    ...{ engine, sealer, caches, queues, eventTopics, registry, reportParts, wheel, log, wallMs: clock.wallMs },
    confirmations: snsHttp,
    refusal: (url) => client.refusal(url),
  });
  await eventSubscriptions.start();
  return { eventTopics, eventSubscriptions, snsCertificate: (path) => snsHttp.certificate(path) };
}
