import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { TodokuError } from "../errors.ts";
import type { Subscription } from "./subscription.ts";

const subject = "stopping";

/** What who follows a topic, or wants to, is told when the server stops. */
export function stoppingError(): TodokuError {
  return new TodokuError("unavailable", "the server is stopping; reconnect", { subject });
}

/** Is it that? Many clients take any answer for the last word, and come back only when their line breaks: doors tell it apart. */
export function isStopping(error: TodokuError): boolean {
  return error.subject === subject;
}

/** Tells subscriptions that the server stops, in random order, evenly spread over `overMs`: they do not come back all at once. */
export async function endOneByOne(
  subscriptions: readonly Subscription[],
  overMs: number,
  wheel: Pick<TimerWheel, "schedule">,
): Promise<void> {
  const end = (subscription: Subscription) => subscription.fail(stoppingError());
  if (overMs <= 0) {
    for (const subscription of subscriptions) end(subscription);
    return;
  }
  const stepMs = overMs / subscriptions.length;
  const ended = shuffle(subscriptions).map((subscription, n) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wheel.schedule(n * stepMs, () => {
      resolve();
      end(subscription);
    });
    return promise;
  });
  await Promise.all(ended);
}

function shuffle<T>(things: readonly T[]): readonly T[] {
  const order = [...things];
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(Math.random() * (i + 1));
    [order[i], order[other]] = [order[other] as T, order[i] as T];
  }
  return order;
}
