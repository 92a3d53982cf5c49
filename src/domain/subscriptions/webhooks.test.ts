// Webhooks over the embedded engine.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addDeadLetter,
  aNode,
  clock,
  engine,
  hook,
  me,
  node,
  publish,
  restart,
  startMs,
  storedDocument,
  subscriptionsOf,
  useWebhooks,
} from "../../../test/support/webhook-nodes.ts";
import { limits } from "../limits.ts";
import { keyOf } from "./subscription.ts";
import { subscriptionKeyOf } from "./subscription-document.ts";

useWebhooks();
const secretForm = /^whsec_[A-Za-z0-9+/]{43}=$/;
const { url } = hook;

describe("a webhook", () => {
  it("begins at the topic's next item, and is kept over a restart with its secret", async () => {
    await publish("t");
    const { webhook, secret, isNew } = await node.webhooks.put(me, "c", "w", hook);
    expect(webhook).toEqual({
      ...{ id: webhook.id, environment: me.environment, cache: "c", name: "w", topic: "t", isOrdered: true },
      ...{ destination: { kind: "webhook", url }, pause: undefined, createdAtMs: startMs },
    });
    expect([isNew, secret]).toEqual([true, expect.stringMatching(secretForm)]);
    expect(node.changes).toEqual([{ kind: "changed", was: undefined, now: webhook }]);
    await restart();
    expect(subscriptionsOf(node)).toContainEqual(webhook);
    expect(await node.webhooks.secret(me, "c", "w")).toBe(secret);
    const info = await node.webhooks.get(me, "c", "w");
    expect(info).toMatchObject({ webhook, circuit: "closed", waiting: 7, counters: { delivered: 0, dead: 0 } });
    expect(info.cursor).toMatchObject({ key: { topic: "t" }, position: { sequence: 1 }, pending: [] });
  });

  it("of a memory cache begins there too", async () => {
    await node.caches.create(me, "m", "memory");
    await publish("t", "memory", "m");
    await node.webhooks.put(me, "m", "w", hook);
    expect((await node.webhooks.get(me, "m", "w")).cursor.position.sequence).toBe(1);
  });

  it("that is put again is the same: nothing is changed, and the answer has its secret", async () => {
    const first = await node.webhooks.put(me, "c", "w", { ...hook, isOrdered: false });
    const second = await node.webhooks.put(me, "c", "w", hook);
    expect(second).toEqual({ ...first, isNew: false });
    expect(node.changes).toHaveLength(1);
  });

  it("keeps its place and secret when its URL and order change", async () => {
    const first = await node.webhooks.put(me, "c", "w", hook);
    await publish("t");
    const changed = { ...hook, url: "http://example.com/2?a=b", isOrdered: false };
    const second = await node.webhooks.put(me, "c", "w", changed);
    expect(second.webhook).toEqual({
      ...first.webhook,
      isOrdered: false,
      destination: { kind: "webhook", url: changed.url },
    });
    expect([second.secret, second.isNew]).toEqual([first.secret, false]);
    expect((await node.webhooks.get(me, "c", "w")).cursor.position.sequence).toBe(0);
    expect(node.changes.at(-1)).toEqual({ kind: "changed", was: first.webhook, now: second.webhook });
  });

  it("of another topic goes on at that one's next item, with the dead letters that it has", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await addDeadLetter(webhook);
    for (const topic of ["t", "t2", "t2"]) await publish(topic);
    const { webhook: now } = await node.webhooks.put(me, "c", "w", { ...hook, topic: "t2" });
    expect([now.id, now.topic]).toEqual([webhook.id, "t2"]);
    const { cursor, deadLetters } = await node.webhooks.get(me, "c", "w");
    expect(cursor).toMatchObject({ key: { topic: "t2" }, position: { sequence: 2 }, pending: [] });
    expect(deadLetters.count).toBe(1);
  });

  it("of another topic has its new place before anybody hears of the change", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await publish("t2");
    const heard = new Promise((resolve) => {
      node.registry.onChange(({ kind }) => {
        if (kind === "changed")
          resolve(engine.subscriptions.open(keyOf(webhook), { ...start, position: { page: 1, sequence: 99 } }));
      });
    });
    const start = (await node.webhooks.get(me, "c", "w")).cursor;
    await node.webhooks.put(me, "c", "w", { ...hook, topic: "t2" });
    expect(await heard).toMatchObject({ cursor: { key: { topic: "t2" }, position: { sequence: 1 } } });
  });

  it("whose making a crash has ended before its place was stored begins at the next start", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const { secrets } = (await storedDocument()) ?? {};
    const key = subscriptionKeyOf(me.environment, "c", "half");
    const { id } = await engine.records.create(key, { ...hook, isOrdered: true, createdAtMs: 1, secrets });
    await publish("t");
    const moved = subscriptionKeyOf(me.environment, "c", "w");
    await engine.records.replace(moved, { ...(await storedDocument()), topic: "t2" }, 1);
    await restart();
    const half = await engine.subscriptions.state({ environment: me.environment, id });
    expect(half.cursor).toMatchObject({ key: { topic: "t" }, position: { sequence: 1 } });
    expect((await engine.subscriptions.state(keyOf(webhook))).cursor.key.topic).toBe("t2");
  });

  it("that is deleted is gone, and its name begins anew", async () => {
    const { webhook, secret } = await node.webhooks.put(me, "c", "w", hook);
    await node.webhooks.delete(me, "c", "w");
    expect(node.changes.at(-1)).toEqual({ kind: "changed", was: webhook, now: undefined });
    const missing = { code: "not_found", subject: "webhook", message: 'webhook "w" of cache "c" does not exist' };
    for (const call of [node.webhooks.get(me, "c", "w"), node.webhooks.delete(me, "c", "w")]) {
      await expect(call).rejects.toMatchObject(missing);
    }
    await expect(node.webhooks.signingSecrets(webhook)).rejects.toMatchObject(missing);
    const again = await node.webhooks.put(me, "c", "w", hook);
    expect(again.isNew).toBe(true);
    expect(again.webhook.id).toBeGreaterThan(webhook.id);
    expect(again.secret).not.toBe(secret);
    await expect(node.webhooks.signingSecrets(webhook)).rejects.toMatchObject(missing);
  });

  it("of a cache that does not exist says so", async () => {
    const missing = { code: "not_found", subject: "cache", message: 'cache "none" does not exist' };
    for (const call of [
      node.webhooks.put(me, "none", "w", hook),
      node.webhooks.get(me, "none", "w"),
      node.webhooks.list(me, "none"),
    ]) {
      await expect(call).rejects.toMatchObject(missing);
    }
  });

  it("can have any name that an address can hold, and no two pairs of cache and name are one", async () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter((text) => text.trim() !== "" && !/\p{Cc}/u.test(text) && ![".", ".."].includes(text));
    await fc.assert(
      fc.asyncProperty(name, async (text) => {
        const { webhook } = await node.webhooks.put(me, "c", text, hook);
        expect((await node.webhooks.get(me, "c", text)).webhook).toEqual(webhook);
      }),
      { numRuns: 30 },
    );
    await node.caches.create(me, "a/b");
    await node.caches.create(me, "a");
    const one = await node.webhooks.put(me, "a/b", "c", hook);
    const two = await node.webhooks.put(me, "a", "b/c", hook);
    expect(one.webhook.id).not.toBe(two.webhook.id);
    expect(await node.webhooks.secret(me, "a/b", "c")).toBe(one.secret);
  });

  it.each([
    ["", {}, "webhook name must not be empty"],
    ["x".repeat(256), {}, "webhook name has 256 bytes; must be <= 255"],
    ["a\nb", {}, "webhook name must not have control characters"],
    ["..", {}, 'webhook name must not be ".."'],
    ["w", { topic: "" }, "topic name must not be empty"],
    ["w", { url: `${url}?${"x".repeat(2048)}` }, "webhook url has 2073 characters; must be <= 2048"],
    ["w", { url: "example.com" }, "webhook url is no absolute URL"],
    ["w", { url: "" }, "webhook url is no absolute URL"],
    ["w", { url: "ftp://example.com" }, 'webhook url begins with "ftp:"; must be "https:" or "http:"'],
    ["w", { url: "https://user@example.com/" }, "webhook url must not have a user name or password"],
    ["w", { url: "https://:secret@example.com/" }, "webhook url must not have a user name or password"],
    ["w", { url: `${url}#part` }, "webhook url must not have a fragment (#): it is never sent"],
    ["w", { url: "https://exam\nple.com/" }, "webhook url must not have white space"],
    ["w", { url: " https://example.com/" }, "webhook url must not have white space"],
    ["w", { url: "https:\\\\example.com" }, "webhook url must not have white space, control characters, backslashes"],
    ["w", { url: "https://example.com/\ud800" }, "or half characters"],
    ["w", { url: "http://10.0.0.1/?token=secret" }, "webhook url: this address is private"],
  ])("is not made of the name %.20j and %.60j", async (name, request, message) => {
    const error = await node.webhooks.put(me, "c", name, { ...hook, ...request }).catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: "invalid_argument", message: expect.stringContaining(message) });
    expect(String(error)).not.toContain("secret");
    expect(await node.webhooks.list(me)).toEqual([]);
  });

  it("is refused past as many as an environment may have; others may still be changed", async () => {
    const { secrets } = await firstDocument();
    const copies = Array.from({ length: limits.webhook.perEnvironment - 1 }, (_, n) => {
      const key = subscriptionKeyOf(me.environment, "c", `copy ${n}`);
      return engine.records.create(key, { ...hook, isOrdered: true, createdAtMs: 1, secrets });
    });
    await Promise.all(copies);
    await node.registry.refresh();
    await expect(node.webhooks.put(me, "c", "one more", hook)).rejects.toMatchObject({
      code: "limit_exceeded",
      message: `environment "${me.environment}" has 1000 webhooks, the most it may have`,
    });
    expect((await node.webhooks.put(me, "c", "w", { ...hook, topic: "t3" })).webhook.topic).toBe("t3");
    await node.webhooks.delete(me, "c", "copy 0");
    const puts = ["one more", "another"].map((name) => node.webhooks.put(me, "c", name, hook));
    expect((await Promise.allSettled(puts)).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  });

  it("is made once when many callers want it at the same time", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => node.webhooks.put(me, "c", "w", hook)));
    expect(answers.map(({ isNew }) => isNew)).toEqual([true, false, false, false, false]);
    expect(new Set(answers.map(({ secret }) => secret)).size).toBe(1);
  });

  it("that is deleted while the store is compared does not come back", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const isRead = Promise.withResolvers<void>();
    const isDeleted = Promise.withResolvers<void>();
    const slow = await aNode(engine);
    const { list } = engine.records;
    engine.records.list = async (...query) => {
      const records = await list(...query);
      isRead.resolve();
      await isDeleted.promise;
      return records;
    };
    const compared = slow.registry.refresh();
    engine.records.list = list;
    await isRead.promise;
    await slow.webhooks.delete(me, "c", "w");
    isDeleted.resolve();
    await compared;
    expect(subscriptionsOf(slow)).not.toContainEqual(webhook);
  });

  it("written by a later release, with what this one does not know, is not touched", async () => {
    const document = await firstDocument();
    const key = subscriptionKeyOf(me.environment, "c", "later");
    await engine.records.create(key, { ...document, filter: "text" });
    const stored = await engine.records.read(key);
    await expect(node.registry.refresh()).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringContaining('webhook "later" of cache "c" was written by a later release'),
    });
    expect(await engine.records.read(key)).toEqual(stored);
    await engine.records.remove(key);
  });
});

async function firstDocument() {
  await node.webhooks.put(me, "c", "w", hook);
  return (await storedDocument()) as { secrets: { sealed: string; number: number }[] };
}

describe("a webhook that is paused", () => {
  it("stays so until it is resumed, over changes and restarts", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const paused = await node.webhooks.pause(me, "c", "w");
    expect(paused).toEqual({ ...webhook, pause: { reason: "asked", atMs: startMs } });
    clock.nowMs += 1000;
    expect(await node.webhooks.pause(me, "c", "w")).toEqual(paused);
    const { webhook: elsewhere } = await node.webhooks.put(me, "c", "w", { ...hook, url: "https://example.org/" });
    expect(elsewhere.pause).toEqual(paused.pause);
    await restart();
    expect(subscriptionsOf(node)).toContainEqual(elsewhere);
    const resumed = await node.webhooks.resume(me, "c", "w");
    expect(resumed).toEqual({ ...elsewhere, pause: undefined });
    expect(node.changes).toEqual([{ kind: "changed", was: elsewhere, now: resumed }]);
  });

  it("since its receiver is gone goes on with another URL, or when somebody says so", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await node.webhooks.pauseGone(webhook);
    expect((await node.webhooks.get(me, "c", "w")).webhook.pause).toEqual({ reason: "gone", atMs: startMs });
    expect((await node.webhooks.put(me, "c", "w", { ...hook, isOrdered: false })).webhook.pause?.reason).toBe("gone");
    const { webhook: elsewhere } = await node.webhooks.put(me, "c", "w", { ...hook, url: "https://example.org/" });
    expect(elsewhere.pause).toBeUndefined();
    await node.webhooks.pauseGone(elsewhere);
    expect((await node.webhooks.pause(me, "c", "w")).pause?.reason).toBe("asked");
    expect((await node.webhooks.resume(me, "c", "w")).pause).toBeUndefined();
  });

  it("is not the one whose URL was changed, or that was deleted, before its receiver answered", async () => {
    const { webhook: was } = await node.webhooks.put(me, "c", "w", hook);
    const { webhook } = await node.webhooks.put(me, "c", "w", { ...hook, url: "https://example.org/" });
    await node.webhooks.pauseGone(was);
    expect(subscriptionsOf(node)).toContainEqual(webhook);
    await node.webhooks.delete(me, "c", "w");
    await node.webhooks.pauseGone(webhook);
    expect(await node.webhooks.list(me)).toEqual([]);
  });

  it("or not, is told of to those who deliver when somebody resumes it: an open circuit tries at once", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    expect(await node.webhooks.resume(me, "c", "w")).toEqual(webhook);
    expect(node.changes.slice(1)).toEqual([{ kind: "changed", was: webhook, now: webhook }]);
  });

  it("is tested all the same, with a message that is in no log", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await node.webhooks.pause(me, "c", "w");
    expect(await node.webhooks.test(me, "c", "w")).toEqual({ verdict: "delivered", status: 204, latencyMs: 3 });
    const [delivery] = node.delivered.splice(0);
    expect(delivery).toMatchObject({ subscription: { id: webhook.id }, topic: "t", attempt: 1, isTest: true });
    expect(delivery?.item).toMatchObject({ sequence: 0, tokenId: "", publishedAtMs: startMs });
    expect(Buffer.from(delivery?.item.value.bytes ?? "").toString()).toBe("This is a test of webhook w.");
  });

  it("is tested once at a time: tests do not wait for a place among the deliveries", async () => {
    await node.webhooks.put(me, "c", "w", hook);
    const [first, second] = await Promise.allSettled([1, 2].map(() => node.webhooks.test(me, "c", "w")));
    expect(first?.status).toBe("fulfilled");
    expect(second).toMatchObject({ reason: { code: "limit_exceeded", retryAfterMs: 5000 } });
    expect(await node.webhooks.test(me, "c", "w")).toMatchObject({ verdict: "delivered" });
    node.delivered.splice(0);
  });
});
