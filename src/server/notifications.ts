import type { Config } from "../config/schema.ts";
import type { Caches } from "../domain/cache/caches.ts";
import type { Connections } from "../domain/connections/connections.ts";
import type { Engine } from "../domain/engine.ts";
import { DeadRequests } from "../domain/notifications/dead-requests.ts";
import { NotificationCounts } from "../domain/notifications/notification-stats.ts";
import { NotificationWorker } from "../domain/notifications/notification-worker.ts";
import { createNotifier, type Notifier } from "../domain/notifications/notifier.ts";
import { OfflineMessages } from "../domain/notifications/offline-messages.ts";
import type { QueueMessages } from "../domain/queues/messages.ts";
import type { Queues } from "../domain/queues/queues.ts";
import type { Topics } from "../domain/topics/topics.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";

/** What brings notifications to users. */
export interface NotificationDelivery {
  readonly notifier: Notifier;
  /** Not started: users come back first, so the port is open first. */
  readonly notificationWorker: NotificationWorker;
}

/** Puts together those who hand notifications over, and those who read requests from queue and topic. */
export function createNotificationDelivery(parts: {
  readonly config: { readonly gateway: Pick<Config["gateway"], "offline" | "strictAudience"> };
  readonly engine: Engine;
  readonly caches: Caches;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly connections: Pick<Connections, "deliver">;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
}): NotificationDelivery {
  const { config, engine, caches, topics, queues, queueMessages, connections, clock, wheel, log } = parts;
  const { offline: target, strictAudience } = config.gateway;
  const counts = new NotificationCounts();
  const dead = new DeadRequests(queueMessages, counts);
  const offline = new OfflineMessages({ target, topics, queues, queueMessages });
  const notifier = createNotifier({ connections, offline, dead, counts, strictAudience, wheel, log });
  const notificationWorker = new NotificationWorker({
    ...{ engine, caches, topics, queues, queueMessages, offline, dead, notifier, strictAudience, clock, wheel, log },
  });
  return { notifier, notificationWorker };
}
