// Webhooks of two nodes that share a store.
import { describe, expect, it } from "vitest";
import {
  aNode,
  engine,
  hook,
  me,
  storedDocument,
  subscriptionsOf,
  useWebhooks,
  type WebhookNode,
} from "../../../test/support/webhook-nodes.ts";
import type { Bus, Hint } from "../bus.ts";

useWebhooks();

describe("webhooks of two nodes", () => {
  it("are the same on both: by hints at once, by comparing when hints are lost", async () => {
    const [one, two] = await twoNodes();
    const { webhook } = await one.webhooks.put(me, "c", "w", hook);
    await expect.poll(() => subscriptionsOf(two)).toContainEqual(webhook);
    const secret = await two.webhooks.rotate(me, "c", "w");
    expect(await one.webhooks.secret(me, "c", "w")).toBe(secret);
    hintsAreLost = true;
    await one.webhooks.delete(me, "c", "w");
    await two.registry.refresh();
    expect(subscriptionsOf(two)).not.toContainEqual(webhook);
    expect(two.changes.at(-1)).toMatchObject({ kind: "changed", was: { id: webhook.id }, now: undefined });
  });

  it("changed by both at the same time have all changes", async () => {
    const [one, two] = await twoNodes();
    await one.webhooks.put(me, "c", "w", hook);
    await Promise.all([
      one.webhooks.rotate(me, "c", "w"),
      two.webhooks.pause(me, "c", "w"),
      two.webhooks.put(me, "c", "w", { ...hook, isOrdered: false }),
    ]);
    expect((await one.webhooks.get(me, "c", "w")).webhook).toMatchObject({
      isOrdered: false,
      pause: { reason: "asked" },
    });
    expect((await storedDocument())?.secrets).toHaveLength(2);
  });
});

let hintsAreLost = false;

async function twoNodes(): Promise<readonly [WebhookNode, WebhookNode]> {
  hintsAreLost = false;
  const listeners: ((hint: Hint) => void)[][] = [[], []];
  const busOf = (self: number): Bus => ({
    send(hint) {
      if (!hintsAreLost) for (const listener of listeners[1 - self] ?? []) queueMicrotask(() => listener(hint));
    },
    listen(listener) {
      listeners[self]?.push(listener);
      return () => {};
    },
  });
  const [one, two] = await Promise.all([0, 1].map((self) => aNode(engine.secondHandle(busOf(self)))));
  return [one as WebhookNode, two as WebhookNode];
}
