// Webhooks with their caches and environments over the embedded engine.
import { describe, expect, it } from "vitest";
import { ownOf } from "../../../test/support/built-ins.ts";
import {
  clock,
  engine,
  hook,
  me,
  node,
  restart,
  subscriptionsOf,
  useWebhooks,
} from "../../../test/support/webhook-nodes.ts";
import { createEnvironments } from "../environments/environments.ts";

useWebhooks();

describe("webhooks and their caches", () => {
  it("go with their cache, and do not come back with the next one of that name", async () => {
    await node.caches.create(me, "d");
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const { webhook: other } = await node.webhooks.put(me, "d", "w", hook);
    await node.caches.delete(me, "c");
    expect(node.changes.at(-1)).toEqual({ kind: "changed", was: webhook, now: undefined });
    expect(await node.webhooks.list(me)).toEqual([other]);
    await node.caches.create(me, "c");
    await restart();
    expect(await node.webhooks.list(me)).toEqual([other]);
  });

  it.each(["disk", "memory"] as const)("of %s stay when it is flushed", async (durability) => {
    await node.caches.create(me, "f", durability);
    const { webhook, secret } = await node.webhooks.put(me, "f", "w", hook);
    await node.caches.flush(me, "f");
    expect(await node.webhooks.list(me)).toEqual([webhook]);
    expect((await node.webhooks.put(me, "f", "w", hook)).secret).toBe(secret);
  });

  it("that are put while it is deleted are gone with it: no record is left behind", async () => {
    for (let n = 0; n < 20; n++) {
      await node.caches.create(me, "raced");
      const calls = [node.webhooks.put(me, "raced", "w", hook), node.caches.delete(me, "raced")];
      await Promise.allSettled(n % 2 === 0 ? calls : calls.toReversed());
      expect(await node.webhooks.list(me)).toEqual([]);
      expect(await engine.records.list("subscription", me.environment)).toEqual([]);
    }
  });

  it("that are stored in the commit that deletes it are gone with it, too", async () => {
    await node.caches.create(me, "raced");
    const { create } = engine.records;
    let deleted: Promise<void> | undefined;
    engine.records.create = (key, document) => {
      if (key.kind !== "subscription") return create(key, document);
      deleted = node.caches.delete(me, "raced");
      // Behind the look at what the cache has, before its removal is asked for.
      const { list } = engine.records;
      return new Promise((resolve, reject) => {
        engine.records.list = async (...query) => {
          engine.records.list = list;
          const listed = await list(...query);
          create(key, document).then(resolve, reject);
          return listed;
        };
      });
    };
    const put = node.webhooks.put(me, "raced", "w", hook);
    await expect(put).rejects.toMatchObject({ code: "not_found" });
    engine.records.create = create;
    await deleted;
    expect(await engine.records.list("subscription", me.environment)).toEqual([]);
    expect(subscriptionsOf(node)).not.toContainEqual(expect.objectContaining({ cache: "raced" }));
  });

  it("are gone, too, when the next cache of that name is made in the commit that deletes it", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const { forget } = engine.topics.disk;
    let created: Promise<unknown> | undefined;
    engine.topics.disk.forget = (cache) => {
      const forgotten = forget(cache);
      created = node.caches.create(me, "c");
      return forgotten;
    };
    await node.caches.delete(me, "c");
    engine.topics.disk.forget = forget;
    await created;
    expect(node.caches.known(me.environment, "c")).toBeDefined();
    expect(await node.webhooks.list(me, "c")).toEqual([]);
    expect(node.changes.at(-1)).toEqual({ kind: "changed", was: webhook, now: undefined });
  });

  it("are removed in the turn of the loop in which their cache is, so that one commit has all of it", async () => {
    for (const name of ["w1", "w2"]) await node.webhooks.put(me, "c", name, hook);
    const asked: string[] = [];
    let isFirstTurn = true;
    const note = (what: string) => {
      if (asked.length === 0) setImmediate(() => (isFirstTurn = false));
      if (isFirstTurn) asked.push(what);
    };
    const { remove } = engine.records;
    const { forget } = engine.topics.disk;
    engine.records.remove = (key) => {
      note(key.kind);
      return remove(key);
    };
    engine.topics.disk.forget = (cache) => {
      note("topics");
      return forget(cache);
    };
    await node.caches.delete(me, "c");
    Object.assign(engine.records, { remove });
    Object.assign(engine.topics.disk, { forget });
    expect(asked).toEqual(["cache", "subscription", "subscription", "topics"]);
  });

  it("are both there or both gone after a deletion that the disk refused", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    engine.limitFileBytes(1);
    const filler = Array.from({ length: 20 }, (_, n) =>
      node.caches.create(me, `${n}`.padEnd(200, "x")).catch(() => {}),
    );
    await Promise.all(filler);
    await expect(node.caches.delete(me, "c")).rejects.toMatchObject({ code: "unavailable" });
    expect(await node.webhooks.list(me, "c")).toEqual([webhook]);
    await restart();
    expect(await node.webhooks.list(me, "c")).toEqual([webhook]);
  });

  it("are not copied into an environment that is made from theirs", async () => {
    const environments = createEnvironments(engine, () => clock.nowMs);
    await environments.start();
    await node.webhooks.put(me, "c", "w", hook);
    const copy = `${me.environment}-copy`;
    await environments.create({ ...me, isOperator: true }, copy, { from: me.environment });
    expect(ownOf(await engine.records.list("cache", copy))).toHaveLength(1);
    expect(await engine.records.list("subscription", copy)).toEqual([]);
  });

  it("are forgotten with their environment", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    node.registry.forgetEnvironment(me.environment);
    expect(node.changes.at(-1)).toEqual({ kind: "changed", was: webhook, now: undefined });
    expect(subscriptionsOf(node)).not.toContainEqual(webhook);
  });
});
