import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import { createCaches } from "../../src/domain/cache/caches.ts";
import type { TodokuError } from "../../src/domain/errors.ts";
import { limits } from "../../src/domain/limits.ts";
import { createQueueMessages } from "../../src/domain/queues/messages.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import { createDeliveryWorker } from "../../src/domain/subscriptions/delivery-worker.ts";
import type { Destination } from "../../src/domain/subscriptions/destination.ts";
import { QueueBatches } from "../../src/domain/subscriptions/queue-batches.ts";
import { createDeadLetterQueues, createQueueDestination } from "../../src/domain/subscriptions/queue-destination.ts";
import { createSubscriptionRegistry } from "../../src/domain/subscriptions/subscription-registry.ts";
import { createTopics } from "../../src/domain/topics/topics.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { createClock } from "../../src/lib/clock.ts";
import { silentLog } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";

const [environment, cacheName, topic, queue] = ["dev", "c", "t", "q"];
const never: Destination = { deliver: () => Promise.reject(new Error("no such subscription here")) };

/** A topic whose even numbers go to a queue, over a data directory that may have been left by a crash. */
export async function openTopicToQueue(dataDir: string) {
  const clock = createClock();
  const engine = await openEmbeddedEngine({ dataDir, wallMs: clock.wallMs, steadyMs: clock.steadyMs });
  const wheel = new TimerWheel(clock);
  wheel.start();
  const caches = createCaches(engine, { defaultDurability: "disk", wallMs: clock.wallMs });
  const queues = createQueues(engine, clock.wallMs);
  await Promise.all([caches.start(), queues.start()]);
  await caches.create(openPrincipal, cacheName).catch(ignoreExisting);
  await queues.create(openPrincipal, queue).catch(ignoreExisting);
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes });
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log: silentLog });
  const registry = createSubscriptionRegistry({ engine, caches });
  await registry.start();
  const toQueues = { batches: new QueueBatches(queueMessages), monotonicMs: clock.monotonicMs };
  const worker = createDeliveryWorker({
    ...{ engine, registry, topics, caches, clock, wheel, log: silentLog },
    webhooks: { pauseGone: async () => {} },
    destinations: { queue: createQueueDestination(toQueues), webhook: never, "sns-http": never, handler: never },
    deadLetterQueues: createDeadLetterQueues(toQueues),
  });
  await worker.start();
  const kept = await registry.change({ environment, cache: cacheName, name: "s" }, async (was) => {
    if (was) return undefined;
    const start = await registry.places.head(await caches.get(environment, cacheName), topic);
    const filter = { scope: "body" as const, policy: { isEven: [true] } };
    const document = { kind: "queue" as const, topic, queue, isRaw: true, filter, createdAtMs: clock.wallMs() };
    return { document, onStored: (now) => registry.places.open(now, start) };
  });
  const id = kept?.subscription.id ?? 0;
  let after = 0;

  return {
    worker,
    async publish(numbers: readonly number[]): Promise<void> {
      const published = numbers.map((n) => {
        const value = { isText: true, bytes: Buffer.from(JSON.stringify({ n, isEven: n % 2 === 0 })) };
        return topics.publish(openPrincipal, cacheName, topic, { value });
      });
      await Promise.all(published);
    },
    /** What was published so far. */
    async published(): Promise<number[]> {
      const { cacheId } = await caches.get(environment, cacheName);
      const key = { cache: { environment, cache: cacheName, cacheId }, topic };
      const bounds = { maxItems: 1e6, maxBytes: 1e9 };
      const { items } = await engine.topics.disk.read(key, { page: 0, sequence: 0 }, bounds);
      return items.map(({ value }) => JSON.parse(Buffer.from(value.bytes).toString()).n);
    },
    /** Resolves when nothing waits any more and all of it is stored. */
    async settled(): Promise<void> {
      while (worker.waitingOf(id) !== 0) await new Promise(setImmediate);
      await worker.runOnce(clock.steadyMs());
    },
    /** What lies in the queue, behind what was asked for before. */
    async queued(): Promise<number[]> {
      const found: number[] = [];
      for (;;) {
        const some = await queueMessages.peek(openPrincipal, queue, after, limits.queue.peekMaxMessages);
        if (some.length === 0) return found;
        after = some.at(-1)?.sequence ?? after;
        found.push(...some.map(({ body }) => JSON.parse(body).n));
      }
    },
    state: () => engine.subscriptions.state({ environment, id }),
    async close(): Promise<void> {
      await worker.stop();
      wheel.stop();
      await engine.close();
    },
  };
}

function ignoreExisting(error: TodokuError): void {
  if (error.code !== "already_exists") throw error;
}
