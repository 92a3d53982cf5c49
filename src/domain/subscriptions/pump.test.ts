import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Call,
  delivered,
  failing,
  gone,
  openPumps,
  outage,
  type PumpCase,
  refused,
} from "../../../test/support/pumps.ts";
import { limits } from "../limits.ts";
import type { Outcome } from "./destination.ts";
import type { DurableSubscription } from "./subscription.ts";

const minuteMs = 60_000;
let pumps: Awaited<ReturnType<typeof openPumps>>;
let hooks: PumpCase;
beforeAll(async () => {
  pumps = await openPumps();
});
afterAll(() => pumps.close());
beforeEach(async () => {
  hooks = await pumps.aCase();
  await hooks.start();
});

const waitsOf = (calls: readonly Call[]) => calls.slice(1).map(({ atMs }, i) => atMs - (calls[i] as Call).atMs);

describe("an ordered webhook", () => {
  it("gets each item of its topic from its making on, in order, one attempt at a time", async () => {
    await hooks.publish("t", "before");
    const webhook = await hooks.webhook("w");
    let underWay = 0;
    hooks.answer = async () => {
      expect(++underWay).toBe(1);
      await new Promise(setImmediate);
      underWay--;
      return delivered;
    };
    const texts = Array.from({ length: 600 }, (_, i) => `${i}`);
    await hooks.publish("t", ...texts);
    await hooks.publish("other", "not for it");
    await hooks.settle();
    await hooks.stored();
    expect(hooks.texts()).toEqual(texts);
    expect(await hooks.state(webhook)).toMatchObject({
      cursor: { position: { sequence: 601 }, pending: [] },
      counters: { delivered: 600, failures: 0, dead: 0, missed: 0 },
    });
    expect(hooks.worker.waitingOf(webhook.id)).toBe(0);
  });

  it("tries an item that fails again after 1, 2, 4 ... s, with those behind it waiting, and then goes on", async () => {
    await hooks.webhook("w");
    let failures = 4;
    hooks.answer = ({ text }) => (text === "b" && failures-- > 0 ? failing : delivered);
    await hooks.publish("t", "a", "b", "c");
    await hooks.pass(20_000, 20);
    expect(hooks.texts()).toEqual(["a", "b", "b", "b", "b", "b", "c"]);
    expect(hooks.calls.map(({ delivery }) => delivery.attempt)).toEqual([1, 1, 2, 3, 4, 5, 1]);
    for (const [i, waitMs] of waitsOf(hooks.calls.slice(1, 6)).entries()) {
      expect(waitMs).toBeGreaterThanOrEqual(0.8 * 1000 * 2 ** i);
      expect(waitMs).toBeLessThanOrEqual(1.2 * 1000 * 2 ** i + 40);
    }
  });

  it("gives an item up that alone is refused with 500 after 15 minutes, keeps it, and goes on", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = ({ text }) => (text === "bad" ? failing : delivered);
    await hooks.publish("t", "bad", "good");
    await hooks.pass(15 * minuteMs - 2000, 2000);
    expect(hooks.texts()).not.toContain("good");
    await hooks.pass(4000, 20);
    expect(hooks.texts().at(-1)).toBe("good");
    const lastTry = hooks.calls.at(-2) as Call;
    expect(lastTry.atMs - (hooks.calls[0] as Call).atMs).toBeLessThan(15 * minuteMs + 40);
    expect(lastTry.atMs - (hooks.calls[0] as Call).atMs).toBeGreaterThanOrEqual(15 * minuteMs);
    await hooks.stored();
    const letters = await hooks.deadLetters(webhook);
    expect(letters).toMatchObject([
      { topic: "t", reason: "deadline", error: "answered 500", status: 500, attempts: hooks.calls.length - 1 },
    ]);
    expect((await hooks.state(webhook)).counters).toMatchObject({
      delivered: 1,
      dead: 1,
      failures: letters[0]?.attempts,
    });
  });

  it("loses nothing of an hour in which its receiver answers 503, and delivers all of it then", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => outage;
    await hooks.publish("t", "a", "b", "c");
    await hooks.pass(60 * minuteMs, 5000);
    expect(hooks.worker.circuitOf(webhook.id)).toBe("open");
    expect(hooks.worker.stats().get("dev")).toMatchObject({ openCircuits: 1, waiting: 3, dead: 0 });
    // One attempt at a time, at most one a minute but for the first ones.
    expect(new Set(hooks.texts())).toEqual(new Set(["a"]));
    expect(hooks.calls.length).toBeGreaterThan(50);
    expect(hooks.calls.length).toBeLessThan(90);
    hooks.answer = () => delivered;
    await hooks.pass(75_000);
    expect(hooks.texts().slice(-3)).toEqual(["a", "b", "c"]);
    expect(hooks.worker.circuitOf(webhook.id)).toBe("closed");
    expect((await hooks.state(webhook)).counters).toMatchObject({ delivered: 3, dead: 0 });
  });

  it("does not count the time of an open circuit against an item's 15 minutes", async () => {
    const webhook = await hooks.webhook("w");
    let answer: Outcome = failing;
    hooks.answer = () => answer;
    await hooks.publish("t", "a");
    await hooks.pass(5 * minuteMs, 2000);
    answer = outage;
    await hooks.pass(30 * minuteMs, 5000);
    expect(hooks.worker.circuitOf(webhook.id)).toBe("open");
    answer = failing;
    await hooks.pass(minuteMs + 13_000);
    expect(hooks.worker.circuitOf(webhook.id)).toBe("closed");
    expect(await hooks.deadLetters(webhook)).toEqual([]);
    await hooks.pass(6 * minuteMs, 2000);
    await hooks.stored();
    expect(await hooks.deadLetters(webhook)).toMatchObject([{ reason: "deadline" }]);
  });

  it("gives up two items of a receiver that answers 500 to everything, and then waits for it", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => failing;
    await hooks.publish("t", "a", "b", "c", "d");
    await hooks.pass(120 * minuteMs, 5000);
    expect(hooks.worker.circuitOf(webhook.id)).toBe("open");
    expect((await hooks.state(webhook)).counters.dead).toBe(2);
    hooks.answer = () => delivered;
    await hooks.pass(75_000, 1000);
    expect(hooks.texts().slice(-2)).toEqual(["c", "d"]);
  });

  it("puts an item that is refused among the dead letters at once", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = ({ text }) => (text === "b" ? refused : delivered);
    await hooks.publish("t", "a", "b", "c");
    await hooks.stored();
    expect(hooks.texts()).toEqual(["a", "b", "c"]);
    expect(await hooks.deadLetters(webhook)).toMatchObject([{ reason: "refused", status: 404, attempts: 1 }]);
    const deliveries = await pumps.engine.subscriptions.deliveries({ environment: "dev", id: webhook.id }, 10);
    expect(deliveries.map(({ outcome, sequence }) => [sequence, outcome])).toEqual([
      [3, "delivered"],
      [2, "dead"],
      [1, "delivered"],
    ]);
  });

  it("is paused when its receiver is gone, and begins with the same item when it is resumed", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => gone;
    await hooks.publish("t", "a", "b");
    await hooks.pass(2 * minuteMs, 2000);
    expect(hooks.texts()).toEqual(["a"]);
    expect(hooks.pausedGone).toHaveLength(1);
    expect(hooks.worker.stats().get("dev")).toMatchObject({ paused: 1 });
    hooks.answer = () => delivered;
    await hooks.publish("t", "c");
    await hooks.pass(2000);
    expect(hooks.texts()).toEqual(["a"]);
    hooks.set(webhook, { pause: undefined });
    await hooks.settle();
    expect(hooks.texts()).toEqual(["a", "a", "b", "c"]);
  });

  it("waits as long as the receiver wishes", async () => {
    await hooks.webhook("w");
    const wish: Outcome = {
      verdict: "retry",
      isOutage: true,
      status: 429,
      error: "429",
      latencyMs: 1,
      retryAfterMs: 17_000,
    };
    hooks.answer = ({ delivery }) => (delivery.attempt < 3 ? wish : delivered);
    await hooks.publish("t", "a");
    await hooks.pass(40_000, 20);
    expect(waitsOf(hooks.calls).map((ms) => Math.floor(ms / 1000))).toEqual([17, 17]);
  });
});

describe("a webhook without order", () => {
  it("delivers past an item that fails, and that one later", async () => {
    const webhook = await hooks.webhook("w", { isOrdered: false });
    hooks.answer = ({ text, delivery }) => (text === "b" && delivery.attempt < 3 ? failing : delivered);
    await hooks.publish("t", "a", "b", "c");
    await hooks.publish("t", "d");
    await hooks.settle();
    expect(hooks.texts()).toEqual(["a", "b", "c", "d"]);
    await hooks.stored();
    expect((await hooks.state(webhook)).cursor.pending).toEqual([{ page: expect.any(Number), sequence: 2 }]);
    await hooks.pass(10_000);
    expect(hooks.texts()).toEqual(["a", "b", "c", "d", "b", "b"]);
    expect((await hooks.state(webhook)).cursor).toMatchObject({ position: { sequence: 4 }, pending: [] });
  });

  it("makes at most 16 attempts at a time", async () => {
    await hooks.webhook("w", { isOrdered: false });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    hooks.answer = () => promise;
    await hooks.publish("t", ...Array.from({ length: 40 }, (_, i) => `${i}`));
    await hooks.settle();
    expect(hooks.calls).toHaveLength(limits.webhook.unorderedInFlight);
    expect(hooks.worker.stats().get("dev")).toMatchObject({ inFlight: 16, waiting: 40 });
    resolve(delivered);
    await hooks.settle();
    expect(new Set(hooks.texts()).size).toBe(40);
  });

  it("takes no more than 1000 items that wait for their next try", async () => {
    const webhook = await hooks.webhook("w", { isOrdered: false });
    // Something works now and then, so the circuit stays closed.
    hooks.answer = ({ delivery }) => (delivery.item.sequence % 4 === 0 ? delivered : failing);
    await hooks.publish("t", ...Array.from({ length: 2000 }, (_, i) => `${i}`));
    await hooks.pass(3000, 100);
    const { cursor } = await hooks.state(webhook);
    expect(cursor.pending.length).toBeLessThanOrEqual(limits.webhook.pendingMax);
    expect(new Set(hooks.texts()).size).toBeLessThan(1400);
    hooks.answer = () => delivered;
    await hooks.pass(30_000);
    expect(new Set(hooks.texts()).size).toBe(2000);
    expect((await hooks.state(webhook)).counters).toMatchObject({ delivered: 2000, dead: 0 });
  });

  it("tries new items while its circuit is open: those that failed may be ones that nobody takes", async () => {
    const webhook = await hooks.webhook("w", { isOrdered: false });
    hooks.answer = ({ text }) => (text.startsWith("bad") ? failing : delivered);
    await hooks.publish("t", "bad 1", "bad 2", "bad 3", "bad 4", "bad 5");
    await hooks.settle();
    expect(hooks.worker.circuitOf(webhook.id)).toBe("open");
    await hooks.publish("t", "good");
    await hooks.pass(2000, 20);
    expect(hooks.texts()).toContain("good");
  });
});

describe("a webhook that is changed", () => {
  it("begins nothing while it is paused, and goes on where it was", async () => {
    const webhook = await hooks.webhook("w");
    await hooks.publish("t", "a");
    await hooks.settle();
    hooks.set(webhook, { pause: { reason: "asked", atMs: 1 } });
    await hooks.publish("t", "b");
    await hooks.pass(5000);
    expect(hooks.texts()).toEqual(["a"]);
    hooks.set(webhook, { pause: undefined });
    await hooks.settle();
    expect(hooks.texts()).toEqual(["a", "b"]);
  });

  it("is tried at once when it is resumed, though its circuit is open", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => outage;
    await hooks.publish("t", "a");
    await hooks.pass(10 * minuteMs, 2000);
    const tried = hooks.calls.length;
    hooks.answer = () => delivered;
    hooks.set(webhook, {});
    await hooks.settle();
    expect(hooks.calls.length).toBe(tried + 1);
    expect(hooks.worker.circuitOf(webhook.id)).toBe("closed");
  });

  it("calls its new URL from the next attempt on", async () => {
    const webhook = await hooks.webhook("w");
    const isNew = ({ destination }: DurableSubscription) =>
      destination.kind === "webhook" && destination.url === "http://new.example/";
    hooks.answer = ({ delivery }) => (isNew(delivery.subscription) ? delivered : outage);
    await hooks.publish("t", "a");
    await hooks.pass(10 * minuteMs, 2000);
    hooks.set(webhook, { destination: { kind: "webhook", url: "http://new.example/" } });
    await hooks.settle();
    expect(hooks.calls.at(-1)).toMatchObject({ text: "a", outcome: delivered });
  });

  it("has nothing to do with what its old URL answers late", async () => {
    for (const late of [gone, refused, outage]) {
      hooks.calls.length = 0;
      const webhook = await hooks.webhook(`w${late.status}`, { topic: `t${late.status}` });
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      hooks.answer = () => promise;
      await hooks.publish(`t${late.status}`, "a", "b");
      await hooks.settle();
      hooks.set(webhook, { destination: { kind: "webhook", url: "http://new.example/" } });
      hooks.answer = () => delivered;
      resolve(late);
      await hooks.stored();
      expect(hooks.texts()).toEqual(["a", "a", "b"]);
      expect((await hooks.state(webhook)).counters).toMatchObject({ delivered: 2, failures: 1, dead: 0 });
    }
    expect(hooks.pausedGone).toEqual([]);
  });

  it("goes on with its new topic, from there on", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => failing;
    await hooks.publish("t", "a");
    await hooks.publish("t2", "before");
    await hooks.settle();
    hooks.answer = () => delivered;
    hooks.set(webhook, { topic: "t2" });
    await hooks.settle();
    await hooks.publish("t2", "x");
    await hooks.publish("t", "b");
    await hooks.pass(10_000);
    expect(hooks.texts()).toEqual(["a", "x"]);
    expect((await hooks.state(webhook)).cursor).toMatchObject({ key: { topic: "t2" }, position: { sequence: 2 } });
  });

  it("is over when it is deleted, and nothing is stored of it", async () => {
    const webhook = await hooks.webhook("w");
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    hooks.answer = () => promise;
    await hooks.publish("t", "a", "b");
    await hooks.settle();
    const name = JSON.stringify([hooks.cache, "w"]);
    await pumps.engine.records.remove({ kind: "subscription", environment: "dev", name });
    hooks.change(webhook, undefined);
    resolve(delivered);
    await hooks.pass(500);
    expect(hooks.texts()).toEqual(["a"]);
    await expect(hooks.state(webhook)).rejects.toMatchObject({ code: "not_found" });
    expect(hooks.worker.waitingOf(webhook.id)).toBeUndefined();
  });

  it("ends with its environment", async () => {
    await hooks.webhook("w");
    await hooks.publish("t", "a");
    await hooks.settle();
    hooks.worker.forgetEnvironment("dev");
    await hooks.publish("t", "b");
    await hooks.pass(500);
    expect(hooks.texts()).toEqual(["a"]);
    expect(hooks.worker.stats().get("dev")).toBeUndefined();
    expect(hooks.worker.stats().get("")).toMatchObject({ delivered: 1 });
  });

  it("begins with the new items of a cache that was flushed, also when that was while it did not run", async () => {
    const webhook = await hooks.webhook("w", { isOrdered: false });
    hooks.answer = ({ text }) => (text === "a" ? failing : delivered);
    await hooks.publish("t", "a", "b");
    await hooks.settle();
    await hooks.flush();
    await hooks.publish("t", "c");
    await hooks.pass(5000);
    expect(hooks.texts()).toEqual(["a", "b", "c"]);
    expect((await hooks.state(webhook)).cursor).toMatchObject({ position: { sequence: 1 }, pending: [] });
    await hooks.worker.stop();
    await hooks.publish("t", "lost with the flush");
    await hooks.flush();
    await hooks.publish("t", "d");
    await hooks.crash();
    expect(hooks.texts()).toEqual(["a", "b", "c", "d"]);
    expect((await hooks.state(webhook)).counters.missed).toBe(0);
  });
});

describe("a replay", () => {
  it("delivers dead letters again, beside the log, and forgets those that were taken", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => refused;
    await hooks.publish("t", "a", "b", "c");
    await hooks.stored();
    hooks.answer = ({ text, delivery }) => (text === "stuck" || delivery.attempt < 2 ? failing : delivered);
    await hooks.publish("t", "stuck");
    await hooks.settle();
    hooks.calls.length = 0;
    const [, second] = await hooks.deadLetters(webhook);
    expect(await hooks.replay(webhook, second?.id as number)).toBe(1);
    await hooks.pass(3000);
    expect(hooks.texts().filter((text) => text !== "stuck")).toEqual(["b", "b"]);
    expect(await hooks.replay(webhook)).toBe(2);
    await hooks.pass(10_000);
    expect(hooks.texts().filter((text) => text !== "stuck")).toEqual(["b", "b", "a", "a", "c", "c"]);
    await hooks.stored();
    expect(await hooks.state(webhook)).toMatchObject({
      deadLetters: { count: 0, replaying: 0 },
      counters: { dead: 3, replayed: 3, delivered: 0 },
    });
  });

  it("leaves a dead letter that is refused again, with its new reason, and it may be replayed once more", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => refused;
    await hooks.publish("t", "a");
    await hooks.stored();
    hooks.answer = () => failing;
    await hooks.replay(webhook);
    await hooks.pass(16 * minuteMs, 2000);
    expect(await hooks.deadLetters(webhook)).toMatchObject([{ reason: "deadline", isReplaying: false, status: 500 }]);
    hooks.answer = () => delivered;
    expect(await hooks.replay(webhook)).toBe(1);
    await hooks.stored();
    expect((await hooks.state(webhook)).deadLetters).toEqual({ count: 0, bytes: 0, replaying: 0 });
  });

  it("goes on after a restart, and does not begin while the webhook is paused", async () => {
    const webhook = await hooks.webhook("w");
    hooks.answer = () => refused;
    await hooks.publish("t", ...Array.from({ length: 300 }, (_, i) => `${i}`));
    await hooks.pass(400, 100);
    hooks.calls.length = 0;
    hooks.answer = () => delivered;
    const paused = hooks.set(webhook, { pause: { reason: "asked", atMs: 1 } });
    await hooks.replay(paused);
    await hooks.crash();
    expect(hooks.texts()).toEqual([]);
    hooks.set(paused, { pause: undefined });
    await hooks.pass(1000, 100);
    expect(hooks.texts()).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`));
    expect((await hooks.state(webhook)).counters.replayed).toBe(300);
  });
});
