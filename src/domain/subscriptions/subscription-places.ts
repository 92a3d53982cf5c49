import type { Cache } from "../cache/cache.ts";
import type { Engine } from "../engine.ts";
import type { Cursor } from "./store.ts";
import { type DurableSubscription, keyOf } from "./subscription.ts";

/** Where durable subscriptions begin in the logs of their topics. */
export class SubscriptionPlaces {
  readonly #engine: Pick<Engine, "subscriptions" | "topics">;

  constructor(engine: Pick<Engine, "subscriptions" | "topics">) {
    this.#engine = engine;
  }

  /** Before the next item of a topic. */
  async head(cache: Cache, topic: string): Promise<Cursor> {
    const { environment, cache: name, cacheId, durability } = cache;
    const key = { cache: { environment, cache: name, cacheId }, topic };
    return { key, position: await this.#engine.topics[durability].head(key), pending: [] };
  }

  /** Gives it a cursor; moves the one it has, if that is of another topic. */
  async open(subscription: DurableSubscription, start: Cursor): Promise<void> {
    const { cursor } = await this.#engine.subscriptions.open(keyOf(subscription), start);
    if (cursor.key.topic !== subscription.topic) await this.move(subscription, start);
  }

  /** Both are asked for at once: the pump, which hears of the change next, must not find the old place nor store it again. */
  async move(subscription: DurableSubscription, start: Cursor): Promise<void> {
    const { subscriptions } = this.#engine;
    const key = keyOf(subscription);
    await Promise.all([subscriptions.open(key, start), subscriptions.save([{ key, cursor: start }])]);
  }
}
