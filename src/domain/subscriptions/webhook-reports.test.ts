// What is told of webhooks, and what is done with their dead letters.
import { describe, expect, it } from "vitest";
import {
  addDeadLetter,
  engine,
  hook,
  me,
  node,
  publish,
  startMs,
  useWebhooks,
} from "../../../test/support/webhook-nodes.ts";

useWebhooks();

describe("dead letters", () => {
  it("are replayed, one or all of them, and whoever delivers hears of it", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const ids = [await addDeadLetter(webhook), await addDeadLetter(webhook), await addDeadLetter(webhook)];
    const [first = 0] = ids;
    node.changes.length = 0;
    expect(await node.webhooks.replay(me, "c", "w", first)).toBe(1);
    expect(await node.webhooks.replay(me, "c", "w", first)).toBe(0);
    expect(await node.webhooks.replay(me, "c", "w", "all")).toBe(2);
    expect(await node.webhooks.replay(me, "c", "w", "all")).toBe(0);
    expect(node.changes).toEqual(Array(2).fill({ kind: "replay", subscription: webhook }));
    const letters = await node.webhooks.deadLetters(me, "c", "w", 2, first);
    expect(letters.map(({ id, isReplaying }) => [id, isReplaying])).toEqual(ids.slice(1).map((id) => [id, true]));
  });

  it("are dropped, one or all of them", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const id = await addDeadLetter(webhook);
    await addDeadLetter(webhook);
    await addDeadLetter(webhook);
    expect(await node.webhooks.drop(me, "c", "w", id)).toBe(1);
    expect(await node.webhooks.drop(me, "c", "w", "all")).toBe(2);
    expect(await node.webhooks.drop(me, "c", "w", "all")).toBe(0);
    const missing = { code: "not_found", message: `webhook "w" of cache "c" has no dead letter ${id}` };
    await expect(node.webhooks.drop(me, "c", "w", id)).rejects.toMatchObject(missing);
    await expect(node.webhooks.replay(me, "c", "w", id)).rejects.toMatchObject(missing);
  });

  it("of another webhook are none of this one", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await node.webhooks.put(me, "c", "other", hook);
    const id = await addDeadLetter(webhook);
    await expect(node.webhooks.drop(me, "c", "other", id)).rejects.toMatchObject({ code: "not_found" });
    await expect(node.webhooks.replay(me, "c", "other", id)).rejects.toMatchObject({ code: "not_found" });
  });

  it("and the lists of deliveries are read in bounded pages", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await addDeadLetter(webhook);
    const { webhooks } = node;
    expect(await webhooks.deliveries(me, "c", "w", 1000)).toMatchObject([{ outcome: "dead", sequence: 1 }]);
    const [failure] = await webhooks.failures(me, "c", "w", 1);
    expect(failure).toMatchObject({ error: "404", answer: "no such hook" });
    expect(await webhooks.failures(me, "c", "w", 1, failure?.number)).toEqual([]);
    for (const limit of [0, 1001, 1.5]) {
      const refused = { code: "invalid_argument", message: `limit ${limit} must be a whole number >= 1 and <= 1000` };
      for (const list of ["deliveries", "failures", "deadLetters"] as const) {
        await expect(webhooks[list](me, "c", "w", limit)).rejects.toMatchObject(refused);
      }
    }
  });
});

describe("how many items wait", () => {
  it("is told without those that the history dropped, which are dead letters", async () => {
    await node.webhooks.put(me, "c", "w", hook);
    await publish("t");
    await publish("t");
    expect(await node.webhooks.get(me, "c", "w")).toMatchObject({ waiting: 7, counters: { dead: 0 } });
    while (await engine.topics.disk.trim(startMs + 48 * 3_600_000));
    expect(await node.webhooks.get(me, "c", "w")).toMatchObject({ waiting: 5, counters: { dead: 2 } });
  });
});
