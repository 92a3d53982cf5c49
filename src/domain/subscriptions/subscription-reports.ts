import type { Caches } from "../cache/caches.ts";
import type { Engine } from "../engine.ts";
import type { SubscriptionState } from "./store.ts";
import { type DurableSubscription, keyOf } from "./subscription.ts";

/** How a durable subscription is. */
export interface SubscriptionReport extends SubscriptionState {
  /** `open`: its destination does not work; one attempt is made at a time. */
  readonly circuit: "closed" | "open";
  /** Items of the topic's page behind the cursor, and those that are pending; undefined while the topic cannot be read. */
  readonly waiting: number | undefined;
}

/** What reports are made of. */
export interface ReportParts {
  readonly engine: Pick<Engine, "topics" | "subscriptions">;
  readonly caches: Pick<Caches, "current">;
  /** What the delivery worker knows of a subscription, by its id. */
  readonly circuitOf: (id: number) => SubscriptionReport["circuit"];
  readonly waitingOf: (id: number) => SubscriptionReport["waiting"];
}

/** Asks the store and the delivery worker. @throws TodokuError `not_found`: it is gone; `unavailable`. */
export async function reportOf(parts: ReportParts, subscription: DurableSubscription): Promise<SubscriptionReport> {
  const state = await parts.engine.subscriptions.state(keyOf(subscription));
  return {
    ...state,
    circuit: parts.circuitOf(subscription.id),
    waiting: await waitingOf(parts, subscription.id, state),
  };
}

/** Without those behind the cursor that the history dropped: they are dead letters by now. */
async function waitingOf(
  { caches, engine, waitingOf: known }: ReportParts,
  id: number,
  { cursor }: SubscriptionState,
): Promise<number | undefined> {
  const waiting = known(id);
  if (!waiting) return waiting;
  const { key, position } = cursor;
  const cache = await caches.current(key.cache.environment, key.cache.cache);
  if (cache?.cacheId !== key.cache.cacheId) return waiting;
  const { items, head } = await engine.topics[cache.durability].read(key, position, { maxItems: 1, maxBytes: 1 });
  const next = items[0] ?? { page: head.page, sequence: head.sequence + 1 };
  const dropped = next.page === position.page ? next.sequence - 1 - position.sequence : 0;
  return Math.max(0, waiting - dropped);
}
