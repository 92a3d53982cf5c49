import { randomBytes } from "node:crypto";
import { serverPrincipal } from "../../src/domain/auth/principal.ts";
import { createCaches } from "../../src/domain/cache/caches.ts";
import { createConnections } from "../../src/domain/connections/connections.ts";
import { createPresence } from "../../src/domain/connections/presence.ts";
import { Populations } from "../../src/domain/connections/users.ts";
import { createEnvironments } from "../../src/domain/environments/environments.ts";
import { limits } from "../../src/domain/limits.ts";
import type { OfflineTarget } from "../../src/domain/notifications/offline-messages.ts";
import { createQueueMessages } from "../../src/domain/queues/messages.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import type { HistoryBounds } from "../../src/domain/topics/store.ts";
import { createTopics } from "../../src/domain/topics/topics.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { createNotificationDelivery } from "../../src/server/notifications.ts";
import { capturedLog } from "./captured-logs.ts";
import { aConnection } from "./connections.ts";
import { anEngine, type TestEngine } from "./engine.ts";
import { aReceiver } from "./queues.ts";

/** How long a user without connections is ONLINE here. */
export const graceMs = 5000;

/** A real embedded engine for notifications of one domain after the other, each in an environment of its own, with a clock that tests move. */
export async function aNotificationStore(history?: HistoryBounds) {
  const time = { startMs: Date.now(), elapsedMs: 0 };
  const nowMs = () => time.startMs + time.elapsedMs;
  const store = await anEngine({ wallMs: nowMs, steadyMs: nowMs, ...(history ? { history } : {}) });
  return {
    store,
    /** A server that has started, but for its worker. */
    domain: (options: DomainOptions = {}) => aDomain(store, time, options),
    [Symbol.asyncDispose]: store[Symbol.asyncDispose],
  };
}

interface DomainOptions {
  readonly offline?: OfflineTarget;
  readonly strictAudience?: boolean;
  /** Default: a new one. */
  readonly environment?: string;
}

async function aDomain(
  { engine }: TestEngine,
  time: { startMs: number; elapsedMs: number },
  { offline = "none", strictAudience = false, environment = `e-${randomBytes(6).toString("hex")}` }: DomainOptions,
) {
  const nowMs = () => time.startMs + time.elapsedMs;
  const clock = { monotonicMs: () => time.elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  const wheel = new TimerWheel(clock);
  const log = capturedLog;
  const environments = createEnvironments(engine, clock.wallMs);
  await environments.start();
  const caches = createCaches(engine, { defaultDurability: "disk", environments, wallMs: clock.wallMs });
  await caches.start();
  const { messageMaxBytes } = limits;
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes, environments });
  const queues = createQueues(engine, clock.wallMs);
  await queues.start();
  environments.onFilled(async () => {
    await caches.refresh();
    await queues.refresh();
  });
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log });
  const populations = new Populations(clock.wallMs());
  const output = { destinations: () => [], tell: async () => [] };
  const presence = createPresence({
    ...{ store: engine.presence, populations, output, environments, clock, wheel, log },
    graceMs: () => graceMs,
  });
  const connections = createConnections({ populations, presence, clock, wheel, userConnectionsMax: () => 0 });
  environments.onGone((name) => {
    for (const part of [notificationWorker, caches, queues, topics, queueMessages, connections])
      part.forgetEnvironment(name);
  });
  const config = { gateway: { offline, strictAudience } };
  const { notifier, notificationWorker } = createNotificationDelivery({
    ...{ config, engine, caches, topics, queues, queueMessages, connections, clock, wheel, log },
  });
  await environments.ensure(environment);

  return {
    ...{ engine, caches, topics, queues, queueMessages, connections, environments, clock, environment },
    ...{ notifier, notificationWorker },
    principal: serverPrincipal(environment),
    /** A connection of the user. */
    connect: (userId: string, of = environment) => aConnection(connections, userId, { environment: of }),
    /** Sends requests to the queue `notifications`. */
    async send(...bodies: (object | string)[]) {
      const messages = bodies.map((body) => ({ body: typeof body === "string" ? body : JSON.stringify(body) }));
      await queueMessages.send(serverPrincipal(environment), "notifications", messages);
    },
    /** Publishes requests to the topic `notifications`. */
    async publish(...texts: (object | string)[]) {
      const published = texts.map((text) => {
        const bytes = Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
        return topics.publish(serverPrincipal(environment), "events", "notifications", {
          value: { isText: true, bytes },
        });
      });
      await Promise.all(published);
    },
    /** Takes what lies in a queue, for good. */
    async take(queue: string) {
      const me = serverPrincipal(environment);
      const { messages } = await queueMessages.receive(me, queue, { maxMessages: 10, waitMs: 0 }, aReceiver());
      const receipts = messages.map(({ receiptHandle }) => receiptHandle);
      if (receipts.length > 0) await queueMessages.delete(me, queue, receipts);
      return messages.map(({ body, attributes = {} }) => {
        return { body, ...Object.fromEntries(Object.entries(attributes).map(([name, { value }]) => [name, value])) };
      });
    },
    /** How many lie in a queue, and are not being worked on. */
    async ready(queue: string) {
      return (await queueMessages.counts(serverPrincipal(environment), queue)).ready;
    },
    /** Resolves when what the worker asked the store for has been answered. */
    async settled(): Promise<void> {
      for (let n = 0; n < 3; n++) {
        await engine.queues.giveBack({ environment: "none", queue: "", queueId: 0 }, []);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    /** Moves both clocks and fires what is due. */
    advance(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        time.elapsedMs += Math.min(left, 1000);
        wheel.runOnce();
      }
    },
  };
}

/** What `domain` of {@link aNotificationStore} answers. */
export type NotificationDomain = Awaited<ReturnType<typeof aDomain>>;

/** Resolves when `isTrue` is, looking again behind each turn of the loop. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setImmediate(resolve));
}
