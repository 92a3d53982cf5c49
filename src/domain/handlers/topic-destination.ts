import type { Clock } from "../../lib/clock.ts";
import { toTodokuError } from "../errors.ts";
import { snsSubscriptionIdOf } from "../event-topics/message-id.ts";
import { toLambdaRecord, toSnsMessage, unknownPlace } from "../event-topics/notification.ts";
import type { Delivery, Destination, Outcome } from "../subscriptions/destination.ts";
import type { DurableSubscription } from "../subscriptions/subscription.ts";
import { errorOf } from "./batch-result.ts";
import { functionArn } from "./handler.ts";
import type { Handlers } from "./handlers.ts";
import { isOfSource } from "./topic-source.ts";

/** Gives the items of a topic to a handler, each as an event of SNS with one record, as Lambda gets them. */
export function createTopicDestination(
  handlers: () => Pick<Handlers, "invoke">,
  clock: Pick<Clock, "monotonicMs">,
): Destination {
  return {
    async deliver(delivery): Promise<Outcome> {
      const { destination, environment } = delivery.subscription;
      const sinceMs = clock.monotonicMs();
      const latencyMs = () => clock.monotonicMs() - sinceMs;
      if (destination.kind !== "handler") {
        return { verdict: "dead", isOutage: false, error: "its destination is no handler", latencyMs: 0 };
      }
      try {
        const result = await handlers().invoke(environment, destination.handler, topicEvent(delivery));
        if (result.kind === "success") return { verdict: "delivered", latencyMs: latencyMs() };
        return { verdict: "retry", isOutage: false, error: errorOf(result.payload), latencyMs: latencyMs() };
      } catch (caught) {
        // It never began: not there, not started, or too busy.
        const { message, retryAfterMs } = toTodokuError(caught);
        const failed = { verdict: "retry", isOutage: true, error: message, latencyMs: latencyMs() } as const;
        return retryAfterMs === undefined ? failed : { ...failed, retryAfterMs };
      }
    },
  };
}

/** JSON text. */
function topicEvent({ subscription, topic, item }: Pick<Delivery, "subscription" | "topic" | "item">): string {
  const message = toSnsMessage({
    ...{ environment: subscription.environment, topic, item, protocol: "lambda", place: unknownPlace },
    subscriptionId: subscriptionIdOf(subscription),
  });
  return JSON.stringify({ Records: [toLambdaRecord(message)] });
}

/** The last part of its ARN: what SNS made has it as its name. */
function subscriptionIdOf({ environment, topic, name, destination }: DurableSubscription): string {
  if (!isOfSource(name) || destination.kind !== "handler") return name;
  return snsSubscriptionIdOf(environment, topic, "lambda", functionArn(destination.handler));
}
