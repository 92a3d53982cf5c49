import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAccess } from "../../src/domain/auth/access.ts";
import type { AccessOptions } from "../../src/domain/auth/auth.ts";
import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import { createTickets } from "../../src/domain/auth/tickets.ts";
import type { TokenRequest } from "../../src/domain/auth/tokens.ts";
import { createCaches } from "../../src/domain/cache/caches.ts";
import { createConnections } from "../../src/domain/connections/connections.ts";
import { createPresence } from "../../src/domain/connections/presence.ts";
import { Populations } from "../../src/domain/connections/users.ts";
import { MasterKey } from "../../src/domain/encryption/master-key.ts";
import { createSealer } from "../../src/domain/encryption/sealer.ts";
import { createEnvironments } from "../../src/domain/environments/environments.ts";
import { createHandlers } from "../../src/domain/handlers/handler-service.ts";
import { limits } from "../../src/domain/limits.ts";
import { createQueueMessages } from "../../src/domain/queues/messages.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import { createKeyRotation } from "../../src/domain/secrets/key-rotation.ts";
import { createSecrets } from "../../src/domain/secrets/secrets.ts";
import { createTopics } from "../../src/domain/topics/topics.ts";
import { openEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { createCommandRuntime } from "../../src/outbound/handlers/command-runtime.ts";
import { createHttpDoor, type HttpOptions } from "../../src/protocols/http/index.ts";
import { followEnvironments } from "../../src/server/domain.ts";
import { createNotificationDelivery } from "../../src/server/notifications.ts";
import { createWebhookDelivery } from "../../src/server/webhooks.ts";
import { capturedLog } from "./captured-logs.ts";
import { AnswerCheck } from "./http-answers.ts";

/** What a test may set; the rest is real. */
export type DoorOverrides = Partial<Pick<HttpOptions, "health" | "isReady" | "isDraining" | "metrics" | "log">> & {
  readonly access?: Partial<AccessOptions>;
  /** The wall clock's start; it stands still until `advance`. Default: now. */
  readonly wallMs?: number;
};

/**
 * The HTTP door over the real domain and the embedded engine, on a port of its own, with a clock that the test moves.
 * The memory cache `c` is there. When it is disposed of, it fails if an answer was not as the OpenAPI document says.
 */
export async function anHttpDoor(overrides: DoorOverrides = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "todoku-door-"));
  let elapsedMs = 0;
  const startMs = overrides.wallMs ?? Date.now();
  const nowMs = () => startMs + elapsedMs;
  const clock = { monotonicMs: () => elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  const wheel = new TimerWheel(clock);
  const engine = await openEmbeddedEngine({ dataDir, wallMs: clock.wallMs });
  const sealer = createSealer(engine.records, new MasterKey(randomBytes(32)));
  const environments = createEnvironments(engine, clock.wallMs);
  await environments.ensure(openPrincipal.environment);
  const access = { isOpen: true, devOrigins: [], devKey: undefined, ...overrides.access };
  const { auth, keys, tokens, revocations, signingKeys, start } = createAccess({
    engine,
    sealer,
    access,
    environments,
    wallMs: nowMs,
  });
  await start();
  const secrets = createSecrets({ records: engine.records, sealer, environments, wallMs: nowMs });
  const keyRotation = createKeyRotation({ records: engine.records, sealer, keys, wallMs: nowMs });
  const caches = createCaches(engine, { defaultDurability: "disk", environments, wallMs: clock.wallMs });
  await caches.start();
  await caches.create(openPrincipal, "c", "memory");
  const messageMaxBytes = limits.messageMaxBytes;
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes, environments });
  const queues = createQueues(engine, clock.wallMs);
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log: overrides.log ?? capturedLog });
  // Nothing is delivered but what is asked for: tests put into the store what a delivery worker would have stored.
  const { registry, webhooks, deliveries, client } = createWebhookDelivery({
    ...{
      mode: "dev",
      config: { host: "127.0.0.1", outbound: { allow: [] } },
      engine,
      sealer,
      caches,
      topics,
      queueMessages,
      clock,
      wheel,
    },
    log: overrides.log ?? capturedLog,
  });
  await registry.start();
  const log = overrides.log ?? capturedLog;
  const populations = new Populations(clock.wallMs());
  const output = { destinations: () => [], tell: async () => [] };
  const presence = createPresence({
    ...{ store: engine.presence, populations, output, environments, clock, wheel, log, graceMs: () => 5000 },
  });
  await presence.start();
  const connections = createConnections({ populations, presence, clock, wheel, userConnectionsMax: () => 0 });
  const { notifier } = createNotificationDelivery({
    ...{
      config: { gateway: { offline: "queue", strictAudience: false } },
      engine,
      caches,
      topics,
      queues,
      queueMessages,
    },
    ...{ connections, clock, wheel, log },
  });
  const rates = { forget() {} };
  followEnvironments(environments, { sealer, rates, caches, topics, queues, queueMessages, registry, deliveries });
  // Those that tests attach; none is configured.
  const runtime = createCommandRuntime({ url: () => "http://127.0.0.1:8080", wallMs: nowMs, env: process.env });
  const handlers = createHandlers({
    ...{ secrets, queues, queueMessages, registry, caches, clock, wheel, log, keys },
    ...{ records: engine.records, definitions: [], runtimes: { command: runtime, endpoint: runtime } },
  });
  const door = createHttpDoor({
    ...{
      auth,
      environments,
      keys,
      tokens,
      tickets: createTickets(clock, wheel),
      revocations,
      signingKeys,
      secrets,
      keyRotation,
      caches,
      topics,
      clock,
      wheel,
      version: "0.0.0-test",
    },
    ...{ connections, presence, notifier, handlers },
    ...{ queues, queueMessages, webhooks, endpoint: () => "127.0.0.1:8080" },
    health: overrides.health ?? engine.health,
    isReady: overrides.isReady ?? (() => true),
    ...(overrides.isDraining ? { isDraining: overrides.isDraining } : {}),
    metrics: overrides.metrics ?? (async () => ({ contentType: "text/plain; version=0.0.4", text: "todoku_up 1\n" })),
    log: overrides.log ?? capturedLog,
  });
  const answers = new AnswerCheck();
  const handle = answers.wrap(door.handle);
  const server = createServer(handle);
  const url = await listen(server);
  return {
    ...{
      url,
      door: { ...door, handle },
      answers,
      server,
      engine,
      auth,
      environments,
      keys,
      caches,
      topics,
      queues,
      queueMessages,
      registry,
      webhooks,
      connections,
      presence,
    },
    principal: openPrincipal,
    /** Moves both clocks in steps of the wheel's turn and fires what is due. */
    advance(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        elapsedMs += Math.min(left, 1000);
        wheel.runOnce();
      }
    },
    /** A disposable token of the environment `dev`. */
    token: async (request: Partial<TokenRequest> = {}) =>
      (await tokens.issue(openPrincipal, { grants: allTopics, tokenId: "", validForMs: 60_000, ...request })).token,
    async [Symbol.asyncDispose]() {
      door.close();
      await handlers.stop(0);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await client.close();
      await engine.close();
      await rm(dataDir, { recursive: true, force: true });
      answers.verify();
    },
  };
}

/** A started door. */
export type TestDoor = Awaited<ReturnType<typeof anHttpDoor>>;

/** Publish and subscribe everywhere. */
export const allTopics: TokenRequest["grants"] = [
  { resource: "topic", role: "publish-subscribe", cache: { all: true }, topic: { all: true } },
];

/** Listens on a free port of the loopback address. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
