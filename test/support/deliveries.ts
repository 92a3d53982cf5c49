import { randomBytes } from "node:crypto";
import type { Delivery } from "../../src/domain/subscriptions/destination.ts";
import type { Webhook } from "../../src/domain/subscriptions/subscription.ts";
import type { TopicItem } from "../../src/domain/topics/store.ts";

/** A delivery of the text "hello". */
export function aDelivery(
  overrides: Partial<Omit<Delivery, "item" | "subscription">> & {
    item?: Partial<TopicItem>;
    subscription?: Partial<Webhook>;
  } = {},
): Delivery<Webhook> {
  const subscription: Webhook = {
    ...{ id: 1, environment: "dev", cache: "c", name: "hook", topic: "t", isOrdered: true },
    ...{ destination: { kind: "webhook", url: "http://127.0.0.1/" }, pause: undefined, createdAtMs: 1 },
    ...{ filter: undefined, deadLetterQueue: undefined },
    ...overrides.subscription,
  };
  const item: TopicItem = {
    ...{ page: 1, sequence: 1, value: { isText: true, bytes: new TextEncoder().encode("hello") } },
    ...{ attributes: undefined, tokenId: "", publishedAtMs: 1 },
    ...overrides.item,
  };
  return { topic: "t", attempt: 1, isTest: false, ...overrides, subscription, item };
}

/** As a webhook's secrets are made. */
export function aSecret(): string {
  return `whsec_${randomBytes(32).toString("base64")}`;
}
