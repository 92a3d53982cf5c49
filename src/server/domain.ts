import type { Config } from "../config/schema.ts";
import { type Auth, createAuth } from "../domain/auth/auth.ts";
import { createKeys, type Keys } from "../domain/auth/keys.ts";
import { createTokens, type Tokens } from "../domain/auth/tokens.ts";
import { type Caches, createCaches } from "../domain/cache/caches.ts";
import { createItems, type Items } from "../domain/cache/items.ts";
import type { Engine } from "../domain/engine.ts";
import { createQueueMessages, type QueueMessages } from "../domain/queues/messages.ts";
import { createQueues, type Queues } from "../domain/queues/queues.ts";
import { createTopics, type Topics } from "../domain/topics/topics.ts";
import { UpkeepWorker } from "../domain/upkeep-worker.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";

/** What the services of the domain are made of. */
export interface DomainParts {
  readonly config: Config;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  /** Of `--dev-key`. */
  readonly devKey: string | undefined;
}

/** All services of the domain, started. */
export interface Domain {
  readonly auth: Auth;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly caches: Caches;
  readonly items: Items;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  /** Started too. */
  readonly upkeep: UpkeepWorker;
}

/** Puts the services together, reads what they know from the store, and starts their upkeep. */
export async function createDomain({ config, engine, clock, wheel, log, devKey }: DomainParts): Promise<Domain> {
  const keys = createKeys(engine, clock.wallMs);
  const tokens = createTokens(engine.records, clock.wallMs);
  const access = { isOpen: !config.devKey, devOrigins: config.devOrigins, devKey };
  const auth = createAuth({ keys, tokens }, access, clock.wallMs);
  const caches = createCaches(engine, { defaultDurability: config.cacheDurability, wallMs: clock.wallMs });
  await caches.start();
  const items = createItems(engine, caches, clock.wallMs);
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: config.messageMaxBytes });
  const queues = createQueues(engine, clock.wallMs);
  await queues.start();
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log });
  const looksAfter = { engine, keys, caches, topics, queues, queueMessages };
  const upkeep = new UpkeepWorker({ ...looksAfter, log, wallMs: clock.wallMs });
  upkeep.start();
  return { auth, keys, tokens, caches, items, topics, queues, queueMessages, upkeep };
}
