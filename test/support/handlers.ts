import { randomBytes } from "node:crypto";
import { createAccess } from "../../src/domain/auth/access.ts";
import { type Principal, serverPrincipal } from "../../src/domain/auth/principal.ts";
import { createCaches } from "../../src/domain/cache/caches.ts";
import { MasterKey } from "../../src/domain/encryption/master-key.ts";
import { createSealer } from "../../src/domain/encryption/sealer.ts";
import { createEnvironments } from "../../src/domain/environments/environments.ts";
import type { HandlerDefinition, InvocationResult } from "../../src/domain/handlers/handler.ts";
import { createHandlers } from "../../src/domain/handlers/handler-service.ts";
import type { HandlerRuntime, Invocation, RunningHandler, RuntimeParts } from "../../src/domain/handlers/runtime.ts";
import { createQueueMessages } from "../../src/domain/queues/messages.ts";
import { createQueues } from "../../src/domain/queues/queues.ts";
import type { QueueChanges } from "../../src/domain/queues/settings.ts";
import { createSecrets } from "../../src/domain/secrets/secrets.ts";
import { createSubscriptionRegistry } from "../../src/domain/subscriptions/subscription-registry.ts";
import type { Log } from "../../src/lib/log.ts";
import { TimerWheel } from "../../src/lib/timer-wheel.ts";
import { capturedLog } from "./captured-logs.ts";
import { anEngine, type TestEngine } from "./engine.ts";
import { aReceiver } from "./queues.ts";

/** A result of a function. */
export function success(value: unknown): InvocationResult {
  return { kind: "success", payload: JSON.stringify(value) ?? "null" };
}

/** What a function threw. */
export function thrown(errorMessage: string, errorType = "Error"): InvocationResult {
  return { kind: "error", isHandled: true, payload: JSON.stringify({ errorMessage, errorType }) };
}

/** What a test says of an invocation. `event` is parsed. */
type Answer = (
  event: { readonly Records: readonly Record<string, never>[] },
  invocation: Invocation,
) => InvocationResult | Promise<InvocationResult>;

/** The port as a test plays it: the functions are the test's. */
class PlayedRuntime implements HandlerRuntime {
  readonly starts: { readonly definition: HandlerDefinition; readonly parts: RuntimeParts; stops: number }[] = [];
  readonly invocations: Invocation[] = [];
  answer: Answer = () => success(null);
  /** Set: a start is refused with it. */
  refusal: Error | undefined;

  async start(definition: HandlerDefinition, parts: RuntimeParts): Promise<RunningHandler> {
    if (this.refusal) throw this.refusal;
    const start = { definition, parts, stops: 0 };
    this.starts.push(start);
    return {
      invoke: async (invocation) => {
        this.invocations.push(invocation);
        return this.answer(JSON.parse(invocation.event), invocation);
      },
      stop: async () => void start.stops++,
    };
  }

  /** What the records of each invocation so far say. */
  bodies(): string[][] {
    return this.invocations.map(({ event }) => {
      return (JSON.parse(event) as { Records: { body: string }[] }).Records.map(({ body }) => body);
    });
  }
}

/** A real embedded engine for handlers of one domain after the other, each in an environment of its own, with a clock that tests move. */
export async function aHandlerStore() {
  const time = { startMs: Date.now(), elapsedMs: 0 };
  const nowMs = () => time.startMs + time.elapsedMs;
  const store = await anEngine({ wallMs: nowMs, steadyMs: nowMs });
  const masterKey = new MasterKey(randomBytes(32));
  return {
    store,
    domain: (options: DomainOptions = {}) => aDomain(store, masterKey, time, options),
    [Symbol.asyncDispose]: store[Symbol.asyncDispose],
  };
}

interface DomainOptions {
  readonly definitions?: readonly Partial<HandlerDefinition>[];
  /** Default: a new one. */
  readonly environment?: string;
  readonly hasFunctionUrls?: () => boolean;
}

async function aDomain(
  { engine }: TestEngine,
  masterKey: MasterKey,
  time: { startMs: number; elapsedMs: number },
  { definitions = [], environment = `e-${randomBytes(6).toString("hex")}`, ...rest }: DomainOptions,
) {
  const nowMs = () => time.startMs + time.elapsedMs;
  const clock = { monotonicMs: () => time.elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  const wheel = new TimerWheel(clock);
  const warnings: string[] = [];
  const log: Log = {
    ...capturedLog,
    warn: (fields, text) => {
      warnings.push(text);
      capturedLog.warn(fields, text);
    },
  };
  const sealer = createSealer(engine.records, masterKey);
  const environments = createEnvironments(engine, clock.wallMs);
  await environments.start();
  const access = createAccess({ engine, sealer, wallMs: clock.wallMs, environments });
  await access.start();
  const caches = createCaches(engine, { defaultDurability: "disk", environments, wallMs: clock.wallMs });
  await caches.start();
  const queues = createQueues(engine, clock.wallMs);
  await queues.start();
  environments.onFilled(async () => {
    await caches.refresh();
    await queues.refresh();
  });
  const queueMessages = createQueueMessages({ engine, queues, clock, wheel, log });
  const secrets = createSecrets({ records: engine.records, sealer, environments, wallMs: clock.wallMs });
  const registry = createSubscriptionRegistry({ engine, caches });
  await registry.start();
  await environments.ensure(environment);
  const runtime = new PlayedRuntime();
  const handlers = createHandlers({
    ...{
      clock,
      wheel,
      log,
      keys: access.keys,
      records: engine.records,
      secrets,
      queues,
      queueMessages,
      registry,
      caches,
    },
    definitions: definitions.map((changes) => aDefinition({ environment, ...changes })),
    runtimes: { command: runtime, endpoint: runtime },
    ...rest,
  });
  environments.onGone((name) => {
    for (const part of [handlers, registry, caches, queues, queueMessages]) part.forgetEnvironment(name);
  });
  const principal: Principal = serverPrincipal(environment);

  return {
    ...{ engine, access, caches, queues, queueMessages, secrets, registry, environments, clock, wheel, environment },
    ...{ runtime, handlers, principal, warnings: () => warnings },
    /** Moves the clock, in steps of the wheel's turn, and fires what is due. */
    advance(ms: number) {
      for (let left = ms; left > 0; left -= 1000) {
        time.elapsedMs += Math.min(left, 1000);
        wheel.runOnce();
      }
    },
    queue: (name: string, settings?: QueueChanges) => queues.create(principal, name, settings),
    async send(queue: string, ...bodies: string[]) {
      for (let first = 0; first < bodies.length; first += 10) {
        const messages = bodies.slice(first, first + 10).map((body) => ({ body }));
        await queueMessages.send(principal, queue, messages);
      }
    },
    counts: (queue: string) => queueMessages.counts(principal, queue),
    /** Bodies and receive counts of what lies there. */
    async peek(queue: string) {
      const messages = await queueMessages.peek(principal, queue, 0, 100);
      return messages.map(({ body, receiveCount }) => `${body} ${receiveCount}`);
    },
    async take(queue: string) {
      return (await queueMessages.receive(principal, queue, { maxMessages: 10, waitMs: 0 }, aReceiver())).messages;
    },
    /** Names of the API keys that are there. */
    async keys() {
      return (await access.keys.list(principal)).map(({ name }) => name ?? "");
    },
  };
}

/** What {@link aHandlerStore} makes. */
export type HandlerDomain = Awaited<ReturnType<typeof aDomain>>;

/** A handler of a command, fed by nothing. */
export function aDefinition(changes: Partial<HandlerDefinition> = {}): HandlerDefinition {
  return {
    ...{ environment: "dev", name: "tasks", run: { kind: "command", command: ["a-program"] }, sources: [] },
    ...{ timeoutMs: 30_000, concurrency: 1, grants: [], variables: {}, secrets: {}, functionUrl: undefined },
    ...changes,
  };
}

/** A source of a queue. */
export function fromQueue(queue: string, changes: { batchSize?: number; windowMs?: number } = {}) {
  return { kind: "queue" as const, queue, batchSize: 10, windowMs: 0, ...changes };
}

/** Work of a function that ends when the test says so. */
export function aGate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: () => resolve() };
}
