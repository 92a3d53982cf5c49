import type { Engine } from "../../src/domain/engine.ts";
import type { Cursor, SubscriptionKey } from "../../src/domain/subscriptions/store.ts";
import type { TopicKey } from "../../src/domain/topics/store.ts";

const environment = "dev";

/** One topic and three subscriptions of it, made when they are missing. */
export interface Opened {
  readonly topic: TopicKey;
  readonly saving: readonly SubscriptionKey[];
  readonly idle: SubscriptionKey;
  /** Of the first one that saves. */
  readonly cursor: Cursor;
}

export async function openAll({ records, subscriptions }: Engine): Promise<Opened> {
  const idOf = async (kind: string, name: string) => {
    const path = { kind, environment, name };
    return ((await records.read(path)) ?? (await records.create(path, {}))).id;
  };
  const topic = { cache: { environment, cache: "c", cacheId: await idOf("cache", "c") }, topic: "t" };
  const start = { key: topic, position: { page: topic.cache.cacheId, sequence: 0 }, pending: [] };
  const keys: SubscriptionKey[] = [];
  for (const name of ["first", "second", "idle"]) keys.push({ environment, id: await idOf("subscription", name) });
  const [first, second, idle] = keys as [SubscriptionKey, SubscriptionKey, SubscriptionKey];
  const states = [];
  for (const key of keys) states.push(await subscriptions.open(key, start));
  return { topic, saving: [first, second], idle, cursor: states[0]?.cursor ?? start };
}
