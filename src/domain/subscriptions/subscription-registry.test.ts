// Durable subscriptions of every kind in one registry, beside webhooks.
import { describe, expect, it } from "vitest";
import {
  engine,
  hook,
  me,
  node,
  publish,
  restart,
  subscriptionsOf,
  useWebhooks,
} from "../../../test/support/webhook-nodes.ts";
import { type SubscriptionDocument, subscriptionKeyOf } from "./subscription-document.ts";
import { reportOf } from "./subscription-reports.ts";

useWebhooks();

const shared = { topic: "t", createdAtMs: 1 };
const filter = { scope: "attributes" as const, policy: { kind: ["a", { prefix: "b" }] } };
const secrets = [{ number: 1, sealed: "x", createdAtMs: 1 }];
const toQueue: SubscriptionDocument = { ...shared, kind: "queue", queue: "q", isRaw: true };

async function add(name: string, document: SubscriptionDocument) {
  const start = await node.registry.places.head(await node.caches.get(me.environment, "c"), document.topic);
  const key = { environment: me.environment, cache: "c", name };
  const onStored = (now: Parameters<typeof node.registry.places.open>[0]) => node.registry.places.open(now, start);
  const kept = await node.registry.change(key, async () => ({ document, onStored }));
  return kept?.subscription ?? expect.fail("it was not made");
}

describe("a subscription", () => {
  it.each([
    [toQueue, { kind: "queue", queue: "q", isRaw: true }],
    [
      { ...shared, kind: "sns-http", url: "https://a.example/", isRaw: false, secrets },
      { kind: "sns-http", url: "https://a.example/", isRaw: false },
    ],
    [
      { ...shared, kind: "handler", handler: "h" },
      { kind: "handler", handler: "h" },
    ],
  ] as const)("of each kind is kept over a restart: %j", async (document, destination) => {
    const rest = { filter, deadLetterQueue: "dead" };
    const made = await add("s", { ...document, ...rest } as SubscriptionDocument);
    expect(made).toMatchObject({ cache: "c", name: "s", topic: "t", isOrdered: false, destination, ...rest });
    await restart();
    expect(subscriptionsOf(node)).toContainEqual(made);
  });

  it("begins at the topic's next item, and tells how it is", async () => {
    await publish("t");
    const made = await add("s", toQueue);
    const parts = { engine, caches: node.caches, circuitOf: () => "open" as const, waitingOf: () => 3 };
    expect(await reportOf(parts, made)).toMatchObject({
      ...{ circuit: "open", waiting: 3, cursor: { position: { sequence: 1 } }, counters: { delivered: 0 } },
    });
  });

  it("is no webhook: nobody who asks for webhooks sees or changes it", async () => {
    await add("s", toQueue);
    const { webhooks } = node;
    await webhooks.put(me, "c", "w", hook);
    expect((await webhooks.list(me)).map(({ name }) => name)).toEqual(["w"]);
    const missing = { code: "not_found", subject: "webhook" };
    await expect(webhooks.get(me, "c", "s")).rejects.toMatchObject(missing);
    await expect(webhooks.pause(me, "c", "s")).rejects.toMatchObject(missing);
    await expect(webhooks.delete(me, "c", "s")).rejects.toMatchObject(missing);
    await expect(webhooks.put(me, "c", "s", hook)).rejects.toMatchObject({ code: "failed_precondition" });
    expect(subscriptionsOf(node).filter(({ environment }) => environment === me.environment)).toHaveLength(2);
  });

  it.each([
    { ...toQueue, kind: "carrier-pigeon" },
    { ...toQueue, onlyOnSundays: true },
    { ...toQueue, filter: { scope: "attributes", policy: { kind: [{ "sounds-like": "a" }] } } },
    { ...toQueue, filter: { scope: "headers", policy: {} } },
  ])("of a later release is not taken for one that this release knows: %j", async (document) => {
    const key = subscriptionKeyOf(me.environment, "c", "s");
    await engine.records.create(key, document);
    await expect(node.registry.refresh()).rejects.toMatchObject({ code: "failed_precondition" });
    await engine.records.remove(key);
  });

  it("goes with its cache", async () => {
    const made = await add("s", toQueue);
    await node.caches.delete(me, "c");
    await expect.poll(() => subscriptionsOf(node)).not.toContainEqual(made);
    expect(await engine.records.read(subscriptionKeyOf(me.environment, "c", "s"))).toBeUndefined();
  });
});
