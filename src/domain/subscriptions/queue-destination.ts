import { hash } from "node:crypto";
import { attributesInto } from "../auth/reserved-attributes.ts";
import type { TodokuError } from "../errors.ts";
import { uuidOf } from "../event-topics/message-id.ts";
import { toNotification, toSnsMessage, unknownPlace } from "../event-topics/notification.ts";
import type { SentMessage } from "../queues/sent-message.ts";
import type { Delivery, Destination, Outcome } from "./destination.ts";
import type { QueueBatches } from "./queue-batches.ts";
import type { SubscriptionDestination } from "./subscription.ts";

/** What queues are delivered to with. */
export interface QueueDestinationParts {
  readonly batches: Pick<QueueBatches, "send">;
  readonly monotonicMs: () => number;
}

/** Sends items to queues. What is sent twice, after a crash or an answer that was lost, is in the queue once, within `limits.messageIdWindowMs`. */
export function createQueueDestination(parts: QueueDestinationParts): Destination {
  return {
    async deliver(delivery) {
      const { destination, deadLetterQueue } = delivery.subscription;
      const queue = destination.kind === "queue" ? destination.queue : "";
      const { error, latencyMs } = await sendTo(queue, delivery, parts);
      if (!error) return { verdict: "delivered", latencyMs };
      // As SNS does: what was meant for a queue that is gone need not wait where there is another place for it.
      const waits = error.code === "not_found" && deadLetterQueue === undefined;
      return waits ? { verdict: "retry", isOutage: true, error: error.message, latencyMs } : failed(error, latencyMs);
    },
  };
}

/** Sends what is dead to the dead-letter queue of its subscription, as it would have come to a queue. */
export function createDeadLetterQueues(parts: QueueDestinationParts): Destination {
  return {
    async deliver(delivery) {
      const queue = delivery.subscription.deadLetterQueue ?? "";
      let { error, latencyMs } = await sendTo(queue, delivery, parts);
      // A queue may take as text what it does not take raw: more attributes than its messages have.
      if (error?.code === "invalid_argument") ({ error, latencyMs } = await sendTo(queue, delivery, parts, false));
      return error ? failed(error, latencyMs) : { verdict: "delivered", latencyMs };
    },
  };
}

async function sendTo(
  queue: string,
  delivery: Delivery,
  { batches, monotonicMs }: QueueDestinationParts,
  mayBeRaw = true,
) {
  const startMs = monotonicMs();
  const error = await batches.send(delivery.subscription.environment, queue, messageOf(delivery, queue, mayBeRaw));
  return { error, latencyMs: monotonicMs() - startMs };
}

function failed(error: TodokuError, latencyMs: number): Outcome {
  const { code, subject, message, retryAfterMs } = error;
  const mayWork =
    code === "unavailable" || code === "internal" || (code === "limit_exceeded" && subject !== "message_size");
  if (!mayWork) return { verdict: "dead", isOutage: false, error: message, latencyMs };
  const wish = retryAfterMs === undefined ? {} : { retryAfterMs };
  return { verdict: "retry", isOutage: true, error: message, latencyMs, ...wish };
}

function messageOf(delivery: Delivery, queue: string, mayBeRaw: boolean): SentMessage {
  const { subscription, topic, item } = delivery;
  const { environment, cache, name, destination, place = unknownPlace } = subscription;
  const protocol = protocolOf(destination);
  const message = toSnsMessage({ environment, topic, subscriptionId: name, item, protocol, place });
  const isRaw = mayBeRaw && "isRaw" in destination && destination.isRaw;
  const messageId = messageIdOf(delivery);
  if (!isRaw) return { messageId, body: toNotification(message) };
  return { messageId, body: message.message, attributes: attributesInto(queue, cache, topic, message.attributes) };
}

function protocolOf(destination: SubscriptionDestination) {
  if (destination.kind === "queue") return "sqs";
  if (destination.kind === "handler") return "lambda";
  return destination.url.startsWith("https:") ? "https" : "http";
}

/** The same for every attempt and replay of an item. */
function messageIdOf({ subscription: { id }, topic, item: { page, sequence } }: Delivery): string {
  return uuidOf(hash("sha256", JSON.stringify(["queue-message", id, topic, page, sequence])));
}
