import { setTimeout as wait } from "node:timers/promises";
import type { Config } from "../config/schema.ts";
import type { Connections } from "../domain/connections/connections.ts";
import type { Handlers } from "../domain/handlers/handlers.ts";
import type { NotificationWorker } from "../domain/notifications/notification-worker.ts";
import type { Notifier } from "../domain/notifications/notifier.ts";
import type { QueueMessages } from "../domain/queues/messages.ts";
import type { DeliveryWorker } from "../domain/subscriptions/delivery-worker.ts";
import type { Topics } from "../domain/topics/topics.ts";
import type { Listener } from "./listener.ts";

/** What a stop has to do with. */
interface DrainParts {
  readonly topics: Pick<Topics, "drain">;
  readonly connections: Pick<Connections, "drain">;
  readonly queueMessages: Pick<QueueMessages, "closeAll">;
  readonly deliveries: Pick<DeliveryWorker, "stop">;
  readonly handlers: Pick<Handlers, "stop">;
  readonly notificationWorker: Pick<NotificationWorker, "stop">;
  readonly notifier: Pick<Notifier, "idle">;
  readonly listener: Pick<Listener, "stopAccepting" | "close">;
  /** Called when nobody new is let in any more. */
  readonly onLeaving: () => void;
  /** Ends what the doors do by themselves, like heartbeats. */
  readonly closeDoors: () => void;
}

/**
 * Stops without hurting anybody. Webhooks deliver nothing new. Readiness says 503 already: balancers get the time to notice; then handlers get
 * nothing new, and those that are at work may still call; then nobody new is let in, waiting receives are answered, and streams and WebSockets are
 * told to reconnect one after the other; calls that run are finished; at last everything is cut.
 */
export async function drain(
  parts: DrainParts,
  { delaySeconds, seconds, graceSeconds }: Config["drain"],
): Promise<void> {
  const { topics, connections, queueMessages, deliveries, handlers, notificationWorker, notifier } = parts;
  const { listener, onLeaving, closeDoors } = parts;
  const delivered = deliveries.stop();
  if (delaySeconds > 0) await wait(delaySeconds * 1000);
  // What they do calls this server: it ends while calls are still taken.
  await handlers.stop(graceSeconds * 1000);
  onLeaving();
  listener.stopAccepting();
  // Whom it would reach from now on is being sent away: what comes waits for the next start.
  await notificationWorker.stop();
  queueMessages.closeAll();
  await Promise.all([topics.drain(seconds * 1000), connections.drain(seconds * 1000)]);
  // What was held for users who do not come back to this process; a storage that refuses is not waited for without end.
  await Promise.race([notifier.idle(), wait(graceSeconds * 1000, undefined, { ref: false })]);
  await delivered;
  closeDoors();
  await listener.close(graceSeconds * 1000);
}
