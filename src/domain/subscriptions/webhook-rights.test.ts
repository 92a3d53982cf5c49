// Who may do what with webhooks.
import { describe, expect, it } from "vitest";
import { addDeadLetter, hook, me, node, useWebhooks } from "../../../test/support/webhook-nodes.ts";
import type { Grant } from "../auth/grants.ts";
import type { Principal } from "../auth/principal.ts";
import type { DurableSubscription } from "./subscription.ts";

useWebhooks();

const withGrants = (...grants: Grant[]): Principal => ({ ...me, kind: "key", isSuperUser: false, grants });
const all = { all: true } as const;
const mayRead: Grant = { resource: "webhook", role: "read", cache: all, webhook: all };
const mayWrite: Grant = { ...mayRead, role: "read-write" };
const maySubscribe: Grant = { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { prefix: "t" } };

describe("who may do what", () => {
  it("is nobody but super users without a grant of webhooks", async () => {
    await node.webhooks.put(me, "c", "w", hook);
    const nobody = withGrants(maySubscribe, { resource: "cache", role: "read-write", cache: all, key: all });
    for (const call of callsOf(nobody)) {
      await expect(call()).rejects.toMatchObject({
        code: "permission_denied",
        message: expect.stringMatching(
          /^this credential may not do webhook\.(read|write)( on webhook "w" of cache "c")?$/,
        ),
      });
    }
  });

  it("with read is to look: never at secrets, at what receivers answered, nor at messages of topics", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    await addDeadLetter(webhook);
    const reader = withGrants(mayRead);
    expect((await node.webhooks.get(reader, "c", "w")).webhook).toEqual(webhook);
    expect(await node.webhooks.list(reader)).toEqual([webhook]);
    expect(await node.webhooks.deliveries(reader, "c", "w", 10)).toHaveLength(1);
    expect((await node.webhooks.failures(reader, "c", "w", 10))[0]).toMatchObject({ error: "404", answer: undefined });
    await expect(node.webhooks.deadLetters(reader, "c", "w", 10)).rejects.toMatchObject({
      code: "permission_denied",
      message: 'this credential may not do topic.subscribe on topic "t" of cache "c"',
    });
    expect(await node.webhooks.deadLetters(withGrants(mayRead, maySubscribe), "c", "w", 10)).toHaveLength(1);
    for (const call of callsOf(reader).slice(3)) {
      await expect(call()).rejects.toMatchObject({
        code: "permission_denied",
        message: 'this credential may not do webhook.write on webhook "w" of cache "c"',
      });
    }
  });

  it("with read and write is all of it, but to take from a topic that one may not subscribe to", async () => {
    const writer = withGrants(mayWrite, maySubscribe);
    await node.webhooks.put(writer, "c", "w", hook);
    for (const call of callsOf(writer)) await call();
    await expect(node.webhooks.put(writer, "c", "w", { ...hook, topic: "other" })).rejects.toMatchObject({
      code: "permission_denied",
      message: 'this credential may not do topic.subscribe on topic "other" of cache "c"',
    });
  });

  it("is no way to send what one may not read, dead of a former topic, somewhere else", async () => {
    const former = { ...hook, topic: "private" };
    const { webhook } = await node.webhooks.put(me, "c", "w", former);
    const id = await addDeadLetter(webhook, "private");
    const own = await addDeadLetter(webhook);
    const writer = withGrants(mayWrite, maySubscribe);
    const denied = {
      code: "permission_denied",
      message: 'this credential may not do topic.subscribe on topic "private" of cache "c"',
    };
    await node.webhooks.put(writer, "c", "w", hook);
    await expect(node.webhooks.replay(writer, "c", "w", "all")).rejects.toMatchObject(denied);
    await expect(node.webhooks.replay(writer, "c", "w", id)).rejects.toMatchObject(denied);
    expect(await node.webhooks.replay(writer, "c", "w", own)).toBe(1);
    expect(await node.webhooks.replay(me, "c", "w", "all")).toBe(1);
    const elsewhere = { ...hook, url: "https://example.org/elsewhere" };
    await expect(node.webhooks.put(writer, "c", "w", elsewhere)).rejects.toMatchObject(denied);
    await node.webhooks.drop(writer, "c", "w", id);
    expect((await node.webhooks.put(writer, "c", "w", elsewhere)).webhook.destination.url).toBe(elsewhere.url);
  });

  it("is for the caches and names that the grant selects", async () => {
    await node.caches.create(me, "d");
    for (const [cache, name] of [
      ["d", "a1"],
      ["c", "b1"],
      ["c", "a2"],
      ["c", "a1"],
    ] as const) {
      await node.webhooks.put(me, cache, name, hook);
    }
    const namesOf = (list: readonly DurableSubscription[]) => list.map(({ cache, name }) => `${cache}/${name}`);
    const some = withGrants({ resource: "webhook", role: "read", cache: { name: "c" }, webhook: { prefix: "a" } });
    expect(namesOf(await node.webhooks.list(some))).toEqual(["c/a1", "c/a2"]);
    await expect(node.webhooks.list(some, "d")).rejects.toMatchObject({
      code: "permission_denied",
      message: 'this credential may not do webhook.read on cache "d"',
    });
    expect(namesOf(await node.webhooks.list(me, "c"))).toEqual(["c/a1", "c/a2", "c/b1"]);
    expect(namesOf(await node.webhooks.list(me))).toEqual(["c/a1", "c/a2", "c/b1", "d/a1"]);
    await expect(node.webhooks.get(some, "d", "a1")).rejects.toMatchObject({ code: "permission_denied" });
    await expect(node.webhooks.get(some, "c", "b1")).rejects.toMatchObject({ code: "permission_denied" });
  });

  it("is never what another environment has", async () => {
    await node.webhooks.put(me, "c", "w", hook);
    const elsewhere = { ...me, environment: "elsewhere" };
    expect(await node.webhooks.list(elsewhere)).toEqual([]);
    await expect(node.webhooks.secret(elsewhere, "c", "w")).rejects.toMatchObject({ code: "not_found" });
  });
});

/** Each call there is, those that only read first. */
function callsOf(principal: Principal): readonly (() => Promise<unknown>)[] {
  const { webhooks } = node;
  return [
    () => webhooks.get(principal, "c", "w"),
    () => webhooks.list(principal),
    () => webhooks.failures(principal, "c", "w", 1),
    () => webhooks.secret(principal, "c", "w"),
    () => webhooks.rotate(principal, "c", "w"),
    () => webhooks.pause(principal, "c", "w"),
    () => webhooks.resume(principal, "c", "w"),
    () => webhooks.test(principal, "c", "w"),
    () => webhooks.replay(principal, "c", "w", "all"),
    () => webhooks.drop(principal, "c", "w", "all"),
    () => webhooks.put(principal, "c", "w", hook),
    () => webhooks.delete(principal, "c", "w"),
  ];
}
