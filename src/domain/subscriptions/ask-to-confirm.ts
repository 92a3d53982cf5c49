import { randomUUID } from "node:crypto";
import { topicArnOf } from "../event-topics/arns.ts";
import type { SnsConfirmation } from "../event-topics/confirmation.ts";
import type { EventSubscription } from "./event-subscription.ts";
import type { EventSubscriptionParts } from "./event-subscriptions.ts";

/** As SNS does: 20 s apart, four attempts in all. Who subscribes again is asked again. */
const attemptsMax = 4;
const retryMs = 20_000;

/**
 * Asks whoever answers at the subscription's URL, in the background, until somebody there takes the question.
 * @param isWaiting does its token still confirm something that is not confirmed? Asked before it is asked about again.
 */
export function askToConfirm(
  parts: Pick<EventSubscriptionParts, "confirmations" | "wheel" | "log" | "wallMs">,
  { environment, topic, target, place }: EventSubscription,
  token: string,
  isWaiting: () => Promise<boolean>,
): void {
  const confirmation: SnsConfirmation = {
    ...{ environment, place, token, url: target.address },
    messageId: randomUUID(),
    topicArn: topicArnOf(place.region, topic),
    timestamp: new Date(parts.wallMs()).toISOString(),
  };
  const attempt = async (number: number): Promise<void> => {
    const outcome = await parts.confirmations.sendConfirmation(confirmation);
    if (outcome.verdict === "delivered") return;
    if (outcome.verdict === "retry" && number < attemptsMax) {
      parts.wheel.schedule(retryMs, () => void again(number + 1));
      return;
    }
    const about = { environment, topic, origin: new URL(target.address).origin, status: outcome.status };
    parts.log.warn(about, `a subscription cannot be confirmed: ${outcome.error}`);
  };
  const again = async (number: number): Promise<void> => {
    if (await isWaiting().catch(() => false)) await attempt(number);
  };
  void attempt(1);
}
