import { describe, expect, it } from "vitest";
import { engine, me, useWebhooks } from "../../../test/support/webhook-nodes.ts";
import type { Principal } from "../auth/principal.ts";
import type { Bus, Hint } from "../bus.ts";
import { copyContents } from "../environments/copy.ts";
import { limits } from "../limits.ts";
import { eventTopicKeyOf } from "./event-topic.ts";
import { createEventTopics, type EventTopics } from "./event-topics.ts";

useWebhooks();

const nowMs = 1_800_000_000_000;

async function someTopics(of: Parameters<typeof createEventTopics>[0] = engine): Promise<EventTopics> {
  const topics = createEventTopics(of, () => nowMs);
  await topics.start();
  return topics;
}

const names = (topics: EventTopics, principal: Principal = me) => topics.list(principal).map(({ name }) => name);
const builtIn = ["messages", "notifications", "presence"];
const withOrders = ["messages", "notifications", "orders", "presence"];

describe("event topics", () => {
  it("are those that are built in, and those that were made, over a restart too", async () => {
    const topics = await someTopics();
    expect(names(topics)).toEqual(builtIn);
    const made = await topics.create(me, "orders", { attributes: { DisplayName: "Orders" }, tags: { team: "a" } });
    expect(made).toMatchObject({ name: "orders", createdAtMs: nowMs, attributes: { DisplayName: "Orders" } });
    expect(await topics.create(me, "orders")).toEqual(made);
    const later = await someTopics();
    expect(names(later)).toEqual(withOrders);
    expect(later.get(me, "orders")).toEqual(made);
    await later.delete(me, "orders");
    expect(() => later.get(me, "orders")).toThrow(expect.objectContaining({ code: "not_found", subject: "topic" }));
    expect(names(await someTopics())).toEqual(builtIn);
  });

  it("are not made twice with other attributes or tags", async () => {
    const topics = await someTopics();
    await topics.create(me, "orders", { attributes: { DisplayName: "Orders" }, tags: { team: "a" } });
    await topics.create(me, "orders", { attributes: { DisplayName: "Orders" }, tags: { team: "a" } });
    for (const request of [
      { attributes: { DisplayName: "Other" } },
      { tags: { team: "b" } },
      { tags: { more: "a" } },
    ]) {
      await expect(topics.create(me, "orders", request)).rejects.toMatchObject({ code: "already_exists" });
    }
  });

  it("keep what is set, those that are built in too; nobody deletes these", async () => {
    const topics = await someTopics();
    await topics.setAttribute(me, "messages", "DisplayName", "M");
    await topics.changeTags(me, "messages", { a: "1", b: "2" });
    await topics.changeTags(me, "messages", { a: null });
    expect((await someTopics()).get(me, "messages")).toMatchObject({
      attributes: { DisplayName: "M" },
      tags: { b: "2" },
    });
    await topics.setAttribute(me, "messages", "DisplayName", "");
    expect(topics.get(me, "messages").attributes).toEqual({});
    await expect(topics.delete(me, "messages")).rejects.toMatchObject({ code: "failed_precondition" });
    await expect(topics.setAttribute(me, "nope", "DisplayName", "x")).rejects.toMatchObject({ code: "not_found" });
  });

  it.each([
    ["DisplayName", "x".repeat(101), /has 101 characters/],
    ["Policy", "x".repeat(30 * 1024 + 1), /has 30721 bytes; must be <= 30720/],
    ["SignatureVersion", "1", /must be "2"/],
    ["KmsMasterKeyId", "k", /is not offered/],
    ["FifoTopic", "true", /is not offered/],
  ])("refuse the attribute %s", async (attribute, value, message) => {
    const topics = await someTopics();
    await expect(topics.setAttribute(me, "messages", attribute, value)).rejects.toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(message),
    });
  });

  it("are in an environment that begins as another, with their attributes and tags", async () => {
    const topics = await someTopics();
    await topics.create(me, "orders", { attributes: { DisplayName: "Orders" }, tags: { team: "a" } });
    const copy: Principal = { ...me, environment: `${me.environment}-copy` };
    await copyContents(engine.records, me.environment, copy.environment, nowMs + 1);
    await topics.refresh(copy.environment);
    expect(topics.get(copy, "orders")).toMatchObject({
      ...{ createdAtMs: nowMs + 1, attributes: { DisplayName: "Orders" }, tags: { team: "a" } },
    });
    topics.forgetEnvironment(copy.environment);
    expect(names(topics, copy)).toEqual(builtIn);
    expect(names(topics)).toEqual(withOrders);
  });

  it("are so many in an environment, and no more", async () => {
    const keys = Array.from({ length: limits.eventTopic.perEnvironment - 1 }, (_, n) => `t${n}`);
    const document = { createdAtMs: nowMs, attributes: {}, tags: {} };
    await Promise.all(keys.map((name) => engine.records.create(eventTopicKeyOf(me.environment, name), document)));
    const topics = await someTopics();
    await topics.create(me, "last");
    await expect(topics.create(me, "more")).rejects.toMatchObject({ code: "limit_exceeded", subject: "topics" });
  });

  it("are seen by whoever may publish or subscribe to them, and made and changed by super users", async () => {
    const topics = await someTopics();
    await topics.create(me, "orders");
    const grant = { resource: "topic", role: "publish", cache: { name: "events" }, topic: { name: "orders" } } as const;
    const publisher: Principal = { ...me, kind: "key", isSuperUser: false, isOperator: false, grants: [grant] };
    expect(names(topics, publisher)).toEqual(["orders"]);
    expect(topics.get(publisher, "orders").name).toBe("orders");
    expect((await topics.create(publisher, "orders")).name).toBe("orders");
    const denied = { code: "permission_denied" };
    expect(() => topics.get(publisher, "messages")).toThrow(expect.objectContaining(denied));
    // What is not there is no secret that a missing right keeps.
    expect(() => topics.get(publisher, "nope")).toThrow(expect.objectContaining(denied));
    await expect(topics.create(publisher, "more")).rejects.toMatchObject(denied);
    await expect(topics.delete(publisher, "orders")).rejects.toMatchObject(denied);
    await expect(topics.setAttribute(publisher, "orders", "DisplayName", "x")).rejects.toMatchObject(denied);
    await expect(topics.changeTags(publisher, "orders", { a: "b" })).rejects.toMatchObject(denied);
    expect(() => topics.list({ ...publisher, grants: [] })).toThrow(expect.objectContaining(denied));
    // "All caches" does not mean the server's own.
    const everywhere = { ...grant, cache: { all: true }, topic: { all: true } } as const;
    expect(names(topics, { ...publisher, grants: [everywhere] })).toEqual([]);
  });

  it("of two nodes are the same on both: by hints at once, by comparing when hints are lost", async () => {
    const listeners: ((hint: Hint) => void)[] = [];
    let hintsAreLost = false;
    const bus: Bus = {
      send: (hint) => {
        if (!hintsAreLost) for (const listener of listeners) listener(hint);
      },
      listen: (listener) => {
        listeners.push(listener);
        return () => {};
      },
    };
    const [one, two] = await Promise.all([0, 1].map(() => someTopics(engine.secondHandle(bus))));
    await one?.create(me, "orders");
    await expect.poll(() => two && names(two)).toEqual(withOrders);
    hintsAreLost = true;
    await one?.setAttribute(me, "orders", "DisplayName", "One");
    await two?.changeTags(me, "orders", { a: "b" });
    expect(two?.get(me, "orders")).toMatchObject({ attributes: { DisplayName: "One" }, tags: { a: "b" } });
    await one?.delete(me, "orders");
    await two?.refresh();
    expect(two && names(two)).toEqual(builtIn);
  });
});
