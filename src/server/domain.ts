import type { Config, Mode } from "../config/schema.ts";
import { type Access, createAccess } from "../domain/auth/access.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";
import { type Caches, createCaches } from "../domain/cache/caches.ts";
import { createDictionaries, type Dictionaries } from "../domain/cache/dictionaries.ts";
import { createItems, type Items } from "../domain/cache/items.ts";
import { createLeaderboards, type Leaderboards } from "../domain/cache/leaderboards.ts";
import { createLists, type Lists } from "../domain/cache/lists.ts";
import { createSets, type Sets } from "../domain/cache/sets.ts";
import { createSortedSets, type SortedSets } from "../domain/cache/sorted-sets.ts";
import { type Connections, createConnections } from "../domain/connections/connections.ts";
import { createPresence, type Presence } from "../domain/connections/presence.ts";
import { createPresenceOutput } from "../domain/connections/presence-output.ts";
import { Populations } from "../domain/connections/users.ts";
import { checkMasterKey } from "../domain/encryption/data-keys.ts";
import type { MasterKey } from "../domain/encryption/master-key.ts";
import { createSealer, type Sealer } from "../domain/encryption/sealer.ts";
import type { Engine } from "../domain/engine.ts";
import { createEnvironments, type Environments } from "../domain/environments/environments.ts";
import type { Handlers } from "../domain/handlers/handlers.ts";
import { createTopicDestination } from "../domain/handlers/topic-destination.ts";
import { ConnectionGuard } from "../domain/limiting/connection-guard.ts";
import { RateLimiter } from "../domain/limiting/rate-limiter.ts";
import { createQueueMessages, type QueueMessages } from "../domain/queues/messages.ts";
import { createQueueMoves, type QueueMoves } from "../domain/queues/moves.ts";
import { createQueues, type Queues } from "../domain/queues/queues.ts";
import { createKeyRotation, type KeyRotation } from "../domain/secrets/key-rotation.ts";
import { createSecrets, type Secrets } from "../domain/secrets/secrets.ts";
import type { DeliveryWorker } from "../domain/subscriptions/delivery-worker.ts";
import type { SubscriptionRegistry } from "../domain/subscriptions/subscription-registry.ts";
import { createTopics, type Topics } from "../domain/topics/topics.ts";
import { UpkeepWorker } from "../domain/upkeep-worker.ts";
import type { Clock } from "../lib/clock.ts";
import { type Log, logWith } from "../lib/log.ts";
import type { TimerWheel } from "../lib/timer-wheel.ts";
import { plainAddress, type TrustedProxies } from "../lib/trusted-proxies.ts";
import { createEventTopicService, type EventTopicService } from "./event-topics.ts";
import { createHandlerService, type HandlerService } from "./handlers.ts";
import { createIdentityService, type IdentityService } from "./identity.ts";
import { createNotificationDelivery, type NotificationDelivery } from "./notifications.ts";
import { notInitialised } from "./production.ts";
import { createWebhookDelivery, type WebhookDelivery } from "./webhooks.ts";

/** What the services of the domain are made of. */
export interface DomainParts {
  readonly mode: Mode;
  readonly config: Config;
  /** With what was changed since the start. */
  readonly currentConfig: () => Config;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly proxies: TrustedProxies;
  readonly log: Log;
  /** Of `--dev-key`. */
  readonly devKey: string | undefined;
  readonly masterKey: MasterKey | undefined;
  /** http(s)://host:port of this server, as programs of this machine call it. */
  readonly localUrl: () => string;
}

/** All services of the domain, started but for deliveries. */
export interface Domain
  extends Pick<Access, "auth" | "keys" | "tokens" | "users" | "revocations" | "signingKeys">,
    WebhookDelivery,
    NotificationDelivery,
    EventTopicService {
  readonly environments: Environments;
  readonly sealer: Sealer;
  readonly rates: RateLimiter;
  readonly connectionGuard: ConnectionGuard;
  /** WebSockets. */
  readonly connections: Connections;
  /** To be started once the doors are open. */
  readonly presence: Presence;
  /** Reads the keys of identity providers meanwhile. */
  readonly identity: IdentityService;
  readonly secrets: Secrets;
  readonly keyRotation: KeyRotation;
  readonly caches: Caches;
  readonly items: Items;
  readonly dictionaries: Dictionaries;
  readonly lists: Lists;
  readonly sortedSets: SortedSets;
  readonly leaderboards: Leaderboards;
  readonly sets: Sets;
  readonly topics: Topics;
  readonly queues: Queues;
  readonly queueMessages: QueueMessages;
  readonly queueMoves: QueueMoves;
  /** To be started once the doors are open. */
  readonly handlers: Handlers;
  readonly handlerService: Pick<HandlerService, "permit" | "close">;
  /** Started too. */
  readonly upkeep: UpkeepWorker;
}

/** Puts the services together, reads what they know from the store, and starts their upkeep. */
export async function createDomain(parts: DomainParts): Promise<Domain> {
  const { mode, config, engine, clock, wheel, proxies, log, devKey, masterKey } = parts;
  await checkMasterKey(engine.records, masterKey);
  const sealer = createSealer(engine.records, masterKey);
  const environments = createEnvironments(engine, clock.wallMs);
  await environments.start();
  if (mode === "production" && environments.list(openPrincipal).length === 0) throw notInitialised(config.dataDir);
  const settingsOf = (environment: string) => environments.known(environment)?.settings.rates;
  const rates = new RateLimiter({ clock, wheel, settings: config.rates, settingsOf });
  const connectionsMax = () => rates.connectionsMax;
  const isTrustedProxy = (address: string) => proxies.has(plainAddress(address));
  const connectionGuard = new ConnectionGuard({ clock, connectionsMax, isTrustedProxy });
  const options = { isOpen: mode === "dev" && !config.devKey, devOrigins: config.devOrigins, devKey };
  if (options.isOpen || devKey !== undefined) await environments.ensure(openPrincipal.environment);
  const identity = createIdentityService({ mode, config, clock, log });
  const access = createAccess({
    ...{ engine, sealer, wallMs: clock.wallMs, access: options, rates, environments },
    identity: identity.tokens,
  });
  await access.start();
  const { auth, keys, tokens, users, revocations, signingKeys } = access;
  const secrets = createSecrets({ records: engine.records, sealer, environments, wallMs: clock.wallMs });
  const keyRotation = createKeyRotation({ records: engine.records, sealer, keys, wallMs: clock.wallMs });
  await keyRotation.resume().catch((error: unknown) => {
    log.warn(
      { area: "secrets", err: error },
      "the rotation of a key was not finished; the next one of its secret finishes it",
    );
  });
  const caches = createCaches(engine, {
    defaultDurability: config.cacheDurability,
    environments,
    wallMs: clock.wallMs,
  });
  await caches.start();
  const items = createItems(engine, caches, clock.steadyMs);
  const dictionaries = createDictionaries(engine, caches, clock.steadyMs);
  const lists = createLists(engine, caches, clock.steadyMs);
  const sortedSets = createSortedSets(engine, caches, clock.steadyMs);
  const leaderboards = createLeaderboards(engine, caches, clock.steadyMs);
  const sets = createSets(engine, caches, clock.steadyMs);
  const { messageMaxBytes } = config;
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes, environments, rates });
  const queues = createQueues(engine, clock.wallMs);
  await queues.start();
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log, rates });
  const queueMoves = createQueueMoves({ engine, queues, queueMessages, wallMs: clock.wallMs });
  await queueMoves.start();
  environments.onGone((environment) => queueMoves.forgetEnvironment(environment));
  const delivery = createWebhookDelivery({
    ...{ mode, config, engine, sealer, caches, topics, queueMessages, clock, wheel, log },
    handlerDestination: () => topicDestination,
  });
  const { registry, deliveries } = delivery;
  const handlerService = createHandlerService({
    ...{ mode, config, engine, keys, secrets, caches, queues, queueMessages, registry, clock, wheel, log },
    url: parts.localUrl,
  });
  const { handlers } = handlerService;
  const topicDestination = createTopicDestination(() => handlers, clock);
  environments.onGone((environment) => handlers.forgetEnvironment(environment));
  await registry.start();
  const eventTopicService = await createEventTopicService({
    ...{ engine, environments, sealer, caches, queues, delivery, clock, wheel, log },
  });
  const { eventTopics } = eventTopicService;
  const { connections, presence } = createUsers(parts, { environments, topics, queueMessages });
  const notifications = createNotificationDelivery({
    ...{ config, engine, caches, topics, queues, queueMessages, connections, clock, wheel, log },
  });
  environments.onGone((environment) => notifications.notificationWorker.forgetEnvironment(environment));
  followEnvironments(environments, { sealer, rates, caches, topics, queues, queueMessages, registry, deliveries });
  const looksAfter = { engine, environments, access, caches, topics, queues, queueMessages, registry, deliveries };
  const upkeep = new UpkeepWorker({
    ...looksAfter,
    queueMoves,
    eventTopics,
    log: logWith(log, { area: "server" }),
    clock,
  });
  upkeep.start();
  identity.start();
  return {
    environments,
    sealer,
    rates,
    connectionGuard,
    connections,
    presence,
    auth,
    keys,
    tokens,
    users,
    identity,
    revocations,
    signingKeys,
    secrets,
    keyRotation,
    caches,
    items,
    dictionaries,
    lists,
    sortedSets,
    leaderboards,
    sets,
    topics,
    queues,
    queueMessages,
    queueMoves,
    handlers,
    handlerService,
    ...delivery,
    ...eventTopicService,
    ...notifications,
    upkeep,
  };
}

/** Who is connected, and so ONLINE. */
function createUsers(
  { config, currentConfig, engine, clock, wheel, log: serverLog }: DomainParts,
  { environments, topics, queueMessages }: Pick<Domain, "environments" | "topics" | "queueMessages">,
) {
  const populations = new Populations(clock.wallMs());
  const log = logWith(serverLog, { area: "gateway" });
  const { to, graceSeconds } = config.gateway.presence;
  const output = createPresenceOutput({ topics, queueMessages, log, destinations: () => to });
  const graceMs = () => graceSeconds * 1000;
  const { presence: store } = engine;
  const presence = createPresence({ store, populations, output, environments, clock, wheel, log, graceMs });
  const userConnectionsMax = () => currentConfig().gateway.userConnectionsMax;
  const connections = createConnections({ populations, presence, clock, wheel, userConnectionsMax });
  environments.onGone((environment) => connections.forgetEnvironment(environment));
  return { connections, presence };
}

/** Lets those who hold something of environments know what becomes of them. */
export function followEnvironments(
  environments: Environments,
  parts: Pick<Domain, "sealer" | "caches" | "topics" | "queues" | "queueMessages"> & {
    readonly rates: Pick<RateLimiter, "forget">;
    readonly registry: Pick<SubscriptionRegistry, "forgetEnvironment">;
    readonly deliveries: Pick<DeliveryWorker, "forgetEnvironment">;
  },
): void {
  const { sealer, rates, caches, topics, queues, queueMessages, registry, deliveries } = parts;
  environments.onFilled(async (environment) => {
    await caches.refresh(environment);
    await queues.refresh(environment);
  });
  environments.onGone((environment) => {
    const parts = [deliveries, registry, caches, queues, topics, queueMessages];
    for (const part of parts) part.forgetEnvironment(environment);
    rates.forget(environment);
    sealer.forget(environment);
  });
}
