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
export function endOneByOne(
  subscriptions: readonly Subscription[],
  overMs: number,
  wheel: Pick<TimerWheel, "schedule">,
): Promise<void> {
  return oneByOne(subscriptions, overMs, wheel, (subscription) => subscription.fail(stoppingError()));
}

/** Calls `end` for each, in random order, evenly spread over `overMs`; resolves after the last. */
export async function oneByOne<T>(
  things: readonly T[],
  overMs: number,
  wheel: Pick<TimerWheel, "schedule">,
  end: (thing: T) => void,
): Promise<void> {
  if (overMs <= 0) {
    for (const thing of things) end(thing);
    return;
  }
  const stepMs = overMs / things.length;
  const ended = shuffle(things).map((thing, n) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wheel.schedule(n * stepMs, () => {
      resolve();
      end(thing);
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
