import { Buffer } from "node:buffer";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { aHandlerStore, type HandlerDomain, success, thrown } from "../../../test/support/handlers.ts";
import { until } from "../../../test/support/notifications.ts";
import type { Delivery } from "../subscriptions/destination.ts";
import type { HandlerDefinition, HandlerSource } from "./handler.ts";
import { createTopicDestination } from "./topic-destination.ts";

let store: Awaited<ReturnType<typeof aHandlerStore>>;
const open: HandlerDomain[] = [];
beforeAll(async () => {
  store = await aHandlerStore();
});
afterEach(async () => {
  for (const domain of open.splice(0)) await domain.handlers.stop(0);
});
afterAll(() => store[Symbol.asyncDispose]());

async function aDomain(definitions: readonly Partial<HandlerDefinition>[], environment?: string) {
  const domain = await store.domain({ definitions, ...(environment !== undefined && { environment }) });
  open.push(domain);
  await domain.handlers.start();
  return domain;
}

const fromTopic = (topic: string, more: { cache?: string; filter?: object } = {}): HandlerSource => ({
  ...{ kind: "topic", cache: "events", topic },
  ...(more.cache !== undefined && { cache: more.cache }),
  ...(more.filter && { filter: { scope: "attributes", policy: { ...more.filter } } }),
});
const subscriptions = ({ registry, environment }: HandlerDomain) =>
  registry.all(environment).map(({ subscription }) => subscription);

describe("the subscription of a handler's topic", () => {
  it("is made when the handler starts, stays over a stop, and goes with its line in the configuration", async () => {
    const sources = [fromTopic("messages", { filter: { kind: ["task"] } }), fromTopic("presence")];
    const domain = await aDomain([{ sources }]);
    await until(() => subscriptions(domain).length === 2);
    const made = subscriptions(domain);
    expect(made).toMatchObject([
      {
        topic: "messages",
        destination: { kind: "handler", handler: "tasks" },
        filter: { scope: "attributes", policy: { kind: ["task"] } },
      },
      { topic: "presence", filter: undefined },
    ]);
    await domain.handlers.stop(0);
    expect(subscriptions(domain)).toEqual(made);

    const next = await aDomain(
      [{ sources: [fromTopic("messages", { filter: { kind: ["chat"] } })] }],
      domain.environment,
    );
    await until(() => subscriptions(next)[0]?.filter?.policy.kind !== made[0]?.filter?.policy.kind);
    expect(subscriptions(next)).toMatchObject([{ id: made[0]?.id, filter: { policy: { kind: ["chat"] } } }]);
  });

  it("waits for its cache, and comes again with a cache that was deleted and made again", async () => {
    const domain = await aDomain([{ sources: [fromTopic("news", { cache: "own" })] }]);
    const { handlers, principal, caches } = domain;
    await until(() => handlers.read(principal, "tasks").lastError !== undefined);
    expect(handlers.read(principal, "tasks").lastError?.message).toBe(
      'it waits for topic "news" of cache "own": cache "own" does not exist',
    );
    for (let times = 0; times < 2; times++) {
      await caches.create(principal, "own");
      await until(() => {
        domain.advance(1000);
        return subscriptions(domain).length === 1;
      });
      await caches.delete(principal, "own");
      await until(() => subscriptions(domain).length === 0);
    }
  });

  it("of an attached handler goes with it", async () => {
    const domain = await aDomain([]);
    const attachment = await domain.handlers.attach(domain.principal, {
      ...{ name: "mine", sources: [fromTopic("messages")], timeoutMs: 1000, concurrency: 1 },
      ...{ grants: [], variables: {}, secrets: {}, functionUrl: undefined },
    });
    await until(() => subscriptions(domain).length === 1);
    await attachment.detach();
    expect(subscriptions(domain)).toEqual([]);
  });
});

describe("an item of a topic", () => {
  async function aDelivery() {
    const domain = await aDomain([{ sources: [fromTopic("messages")] }]);
    await until(() => subscriptions(domain).length === 1);
    const [subscription] = subscriptions(domain);
    if (!subscription) throw new Error("there is no subscription");
    const delivery: Delivery = {
      subscription,
      topic: "messages",
      item: {
        ...{ page: 1, sequence: 2, publishedAtMs: Date.UTC(2026, 0, 2), tokenId: "" },
        value: { isText: true, bytes: Buffer.from("hello") },
        attributes: { user_id: { type: "String", value: "u" } },
      },
      attempt: 1,
      isTest: false,
    };
    const { deliver } = createTopicDestination(() => domain.handlers, domain.clock);
    return { domain, deliver: (changes: Partial<Delivery> = {}) => deliver({ ...delivery, ...changes }), subscription };
  }

  it("comes as a record of SNS, and is delivered when the function is done", async () => {
    const { domain, deliver } = await aDelivery();
    expect(await deliver()).toMatchObject({ verdict: "delivered" });
    expect(JSON.parse(domain.runtime.invocations[0]?.event ?? "")).toMatchObject({
      Records: [
        {
          EventSource: "aws:sns",
          EventSubscriptionArn: expect.stringMatching(/^arn:aws:sns:us-east-1:000000000000:messages:[0-9a-f-]{36}$/),
          Sns: {
            Message: "hello",
            TopicArn: "arn:aws:sns:us-east-1:000000000000:messages",
            MessageAttributes: { user_id: { Type: "String", Value: "u" } },
          },
        },
      ],
    });
  });

  it("is tried again when the function fails, and waits as for an outage when there is no handler for it", async () => {
    const { domain, deliver, subscription } = await aDelivery();
    domain.runtime.answer = () => thrown("no", "TypeError");
    expect(await deliver()).toMatchObject({ verdict: "retry", isOutage: false, error: "TypeError: no" });
    domain.runtime.answer = () => success(null);
    const gone = { ...subscription, destination: { kind: "handler", handler: "gone" } as const };
    expect(await deliver({ subscription: gone })).toMatchObject({
      ...{ verdict: "retry", isOutage: true, error: 'handler "gone" does not exist' },
    });
    await domain.handlers.stop(0);
    expect(await deliver()).toMatchObject({ verdict: "retry", isOutage: true });
  });
});
