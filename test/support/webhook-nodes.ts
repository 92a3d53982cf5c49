// Webhooks over an embedded engine that the tests of a file share; each test has an environment of its own, with a cache "c".
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import type { Principal } from "../../src/domain/auth/principal.ts";
import { type Caches, createCaches } from "../../src/domain/cache/caches.ts";
import { MasterKey } from "../../src/domain/encryption/master-key.ts";
import { createSealer } from "../../src/domain/encryption/sealer.ts";
import type { Engine } from "../../src/domain/engine.ts";
import type { Delivery } from "../../src/domain/subscriptions/destination.ts";
import { type DurableSubscription, keyOf } from "../../src/domain/subscriptions/subscription.ts";
import { subscriptionKeyOf } from "../../src/domain/subscriptions/subscription-document.ts";
import {
  createSubscriptionRegistry,
  type RegistryChange,
  type SubscriptionRegistry,
} from "../../src/domain/subscriptions/subscription-registry.ts";
import { createWebhooks, type Webhooks } from "../../src/domain/subscriptions/webhooks.ts";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../src/engines/embedded/index.ts";

const masterKey = new MasterKey(randomBytes(32));
let directory: string;
let lastEnvironment = 0;

/** When each test begins. */
export const startMs = 1_800_000_000_000;
/** The wall clock of all nodes. */
export const clock = { nowMs: startMs };
/** What webhooks are made of here. */
export const hook = { topic: "t", url: "https://example.com/hook" };

export let engine: EmbeddedEngine;
export let node: WebhookNode;
/** A super user of the test's own environment. */
export let me: Principal;

/** One server's webhooks: what they told, and what their tests sent. */
export interface WebhookNode {
  readonly caches: Caches;
  readonly webhooks: Webhooks;
  readonly registry: SubscriptionRegistry;
  readonly changes: RegistryChange[];
  readonly delivered: Delivery[];
}

export async function aNode(of: Engine = engine): Promise<WebhookNode> {
  const wallMs = () => clock.nowMs;
  const caches = createCaches(of, { defaultDurability: "disk", wallMs });
  await caches.start();
  const delivered: Delivery[] = [];
  const registry = createSubscriptionRegistry({ engine: of, caches });
  const webhooks = createWebhooks({
    ...{ engine: of, registry, caches, wallMs, sealer: createSealer(of.records, masterKey) },
    destination: () => ({
      async deliver(delivery) {
        delivered.push(delivery);
        return { verdict: "delivered", status: 204, latencyMs: 3 };
      },
      usesFormerSecret: () => true,
    }),
    refusal: (wanted) => (wanted.includes("10.0.0.1") ? "this address is private" : undefined),
    circuitOf: () => "closed",
    waitingOf: () => 7,
  });
  const changes: RegistryChange[] = [];
  await registry.start();
  registry.onChange((change) => changes.push(change));
  return { caches, registry, webhooks, changes, delivered };
}

async function open(): Promise<void> {
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: () => clock.nowMs });
  node = await aNode();
}

export async function restart(): Promise<void> {
  await engine.close();
  await open();
}

/** For the head of a file of tests. */
export function useWebhooks(): void {
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "todoku-webhooks-"));
    await open();
  });
  afterAll(async () => {
    await engine.close();
    await rm(directory, { recursive: true });
  });
  beforeEach(async () => {
    clock.nowMs = startMs;
    me = { ...openPrincipal, environment: `e${++lastEnvironment}` };
    await node.caches.create(me, "c");
    node.changes.length = 0;
  });
}

/** Appends one message to a topic of a cache of this environment. */
export async function publish(topic: string, durability: "disk" | "memory" = "disk", name = "c"): Promise<void> {
  const { environment, cache, cacheId } = await node.caches.get(me.environment, name);
  const value = { isText: true, bytes: Buffer.from("hello") };
  const rest = { attributes: undefined, tokenId: "", publishedAtMs: clock.nowMs, messageId: undefined };
  await engine.topics[durability].append([{ key: { cache: { environment, cache, cacheId }, topic }, value, ...rest }]);
}

/** What is stored of a webhook of cache "c". */
export async function storedDocument(name = "w") {
  const record = await engine.records.read(subscriptionKeyOf(me.environment, "c", name));
  return record?.document as { secrets: { sealed: string; number: number }[] } | undefined;
}

/** As if its receiver had answered 404. Answers the dead letter's id. */
export async function addDeadLetter(webhook: DurableSubscription, topic = "t") {
  const value = { isText: true, bytes: Buffer.from("dead") };
  const item = { page: 1, sequence: 1, value, attributes: undefined, tokenId: "u1", publishedAtMs: startMs };
  const dead = { topic, item, reason: "refused", diedAtMs: startMs, attempts: 1, error: "404", status: 404 } as const;
  const failure = { page: 1, sequence: 1, topic, atMs: startMs, attempt: 1, status: 404, latencyMs: 1, error: "404" };
  const failures = [{ ...failure, answer: "no such hook" }];
  const delivery = { page: 1, sequence: 1, topic, outcome: "dead", atMs: startMs, attempts: 1, status: 404 } as const;
  const deliveries = [{ ...delivery, latencyMs: 1, isReplay: false }];
  await engine.subscriptions.save([{ key: keyOf(webhook), dead: [dead], failures, deliveries }]);
  const letters = await engine.subscriptions.deadLetters(keyOf(webhook), { maxItems: 1000, maxBytes: 1e6 });
  return letters.at(-1)?.id ?? Number.NaN;
}

/** All that a server knows of. */
export function subscriptionsOf({ registry }: Pick<WebhookNode, "registry">): readonly DurableSubscription[] {
  return registry.all().map(({ subscription }) => subscription);
}
