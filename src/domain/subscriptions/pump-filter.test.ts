import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { delivered, openPumps, outage, type PumpCase } from "../../../test/support/pumps.ts";
import { limits } from "../limits.ts";
import type { StoredFilter } from "./filter.ts";

/** Lets through what is of the kind "good". */
const filter: StoredFilter = { scope: "body", policy: { kind: ["good"] } };
const good = (n: number) => JSON.stringify({ kind: "good", n });
const bad = (n: number) => JSON.stringify({ kind: "bad", n });
const many = (count: number, text: (n: number) => string) => Array.from({ length: count }, (_, n) => text(n));

let pumps: Awaited<ReturnType<typeof openPumps>>;
let hooks: PumpCase;
beforeAll(async () => {
  pumps = await openPumps({ ...limits.history, maxItems: 3000 });
});
afterAll(() => pumps.close());
beforeEach(async () => {
  hooks = await pumps.aCase();
  await hooks.start();
});

const filtered = () => hooks.worker.stats().get("dev")?.filtered;

describe("a subscription with a filter", () => {
  it.each([true, false])(
    "gets what matches, in the order of the topic, and nothing else (in order: %s)",
    async (isOrdered) => {
      const subscription = await hooks.webhook("w", { filter, isOrdered });
      await hooks.publish("t", bad(1), good(2), "no JSON", good(4), bad(5));
      await hooks.stored();
      expect(hooks.texts()).toEqual([good(2), good(4)]);
      const { cursor, counters } = await hooks.state(subscription);
      expect(cursor).toMatchObject({ position: { sequence: 5 }, pending: [] });
      expect(counters).toMatchObject({ delivered: 2, failures: 0, dead: 0, missed: 0 });
      expect(filtered()).toBe(3);
    },
  );

  it("gets what a filter that was changed lets through, from the next item on", async () => {
    const subscription = await hooks.webhook("w", { filter });
    await hooks.publish("t", bad(1));
    await hooks.settle();
    hooks.set(subscription, { filter: { scope: "body", policy: { kind: ["bad"] } } });
    await hooks.publish("t", good(2), bad(3));
    await hooks.settle();
    hooks.set(subscription, { filter: undefined });
    await hooks.publish("t", good(4), bad(5));
    await hooks.settle();
    expect(hooks.texts()).toEqual([bad(3), good(4), bad(5)]);
  });

  it("whose destination did not work finds the next item that matches behind many that do not", async () => {
    await hooks.webhook("w", { filter, isOrdered: false });
    hooks.answer = () => outage;
    await hooks.publish("t", ...many(limits.webhook.circuitFailures, good));
    await hooks.pass(1000);
    const tried = hooks.calls.length;
    await hooks.publish("t", ...many(600, bad), good(99));
    hooks.answer = () => delivered;
    await hooks.pass(120_000);
    expect(hooks.texts().slice(tried)).toContain(good(99));
    expect(new Set(hooks.texts())).toEqual(new Set([...many(limits.webhook.circuitFailures, good), good(99)]));
  });

  it("whose first items nobody takes finds the next one that matches with the next attempt, however many lie between", async () => {
    await hooks.webhook("w", { filter, isOrdered: false });
    hooks.answer = ({ text }) => (text === good(99) ? delivered : outage);
    await hooks.publish("t", ...many(limits.webhook.circuitFailures, good));
    await hooks.pass(1000);
    const tried = hooks.calls.length;
    await hooks.publish("t", ...many(2500, bad), good(99));
    await hooks.pass(120_000);
    expect(hooks.texts()[tried]).toBe(good(99));
  });
});

describe("what is passed over", () => {
  it("is not stored item by item, but within a second, and a crash before that brings nothing twice", async () => {
    const subscription = await hooks.webhook("w", { filter });
    const saves = hooks.saves;
    for (let n = 0; n < 20; n++) {
      await hooks.publish("t", bad(n));
      await hooks.pass(limits.webhook.saveMs, limits.webhook.saveMs);
    }
    expect(hooks.saves).toBe(saves);
    expect((await hooks.state(subscription)).cursor.position.sequence).toBe(0);
    await hooks.crash();
    await hooks.stored();
    expect(hooks.saves).toBe(saves + 1);
    expect((await hooks.state(subscription)).cursor.position.sequence).toBe(20);
    expect(hooks.texts()).toEqual([]);
  });

  it("holds up nobody: after each thousand others have their turn, and few saves keep its place", async () => {
    const [rounds, items] = [4, 2500];
    const subscription = await hooks.webhook("none", { filter, isOrdered: false });
    const saves = hooks.saves;
    let most = 0;
    for (let round = 0; round < rounds; round++) {
      hooks.set(subscription, { pause: { reason: "asked", atMs: 1 } });
      await hooks.publish("t", ...many(items, bad));
      const end = Number(filtered()) + items;
      hooks.set(subscription, { pause: undefined });
      for (let before = Number(filtered()); before < end; ) {
        await new Promise(setImmediate);
        const now = Number(filtered());
        most = Math.max(most, now - before);
        before = now;
      }
      await hooks.stored();
    }
    expect(most).toBeLessThanOrEqual(limits.subscription.passedPerTurn);
    expect(most).toBeGreaterThan(limits.subscription.passedPerTurn / 4);
    expect(hooks.saves - saves).toBeLessThan(rounds * (items / limits.subscription.passedPerTurn + 1));
    const { cursor } = await hooks.state(subscription);
    expect(cursor).toMatchObject({ position: { sequence: rounds * items }, pending: [] });
    expect(hooks.texts()).toEqual([]);
  });

  it("holds up nobody when it is large either, though it lies in memory", async () => {
    const large = (n: number) => JSON.stringify({ kind: "bad", n, text: "x".repeat(100_000) });
    const subscription = await hooks.webhook("large", { filter, isOrdered: false });
    hooks.set(subscription, { pause: { reason: "asked", atMs: 1 } });
    await hooks.publish("t", ...many(12, large));
    const end = Number(filtered()) + 12;
    hooks.set(subscription, { pause: undefined });
    let most = 0;
    for (let before = Number(filtered()); before < end; ) {
      await new Promise(setImmediate);
      const now = Number(filtered());
      most = Math.max(most, now - before);
      before = now;
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(3);
  });

  it("and fell out of the history before it was looked at is dropped by a replay, not delivered", async () => {
    const subscription = await hooks.webhook("w", { filter });
    hooks.set(subscription, { pause: { reason: "asked", atMs: 1 } });
    await hooks.publish("t", bad(1), good(2), bad(3));
    for (let n = 0; n < 4; n++) await hooks.publish("t", ...many(1000, bad));
    await hooks.stored();
    expect((await hooks.deadLetters(subscription)).slice(0, 3).map(({ reason }) => reason)).toEqual(
      many(3, () => "history"),
    );
    await hooks.pass(2 * limits.tailMinMs); // what is kept in memory for those who were here just before goes too
    await hooks.publish("t", bad(4));
    hooks.set(subscription, { pause: undefined });
    await hooks.stored();
    expect(hooks.texts()).toEqual([]);
    await hooks.replay(subscription);
    await hooks.stored();
    expect(hooks.texts()).toEqual([good(2)]);
    expect(await hooks.deadLetters(subscription)).toEqual([]);
    expect((await hooks.state(subscription)).counters).toMatchObject({ replayed: 1, delivered: 0 });
  });
});

it("over any schedule of publishes and crashes exactly the items that match are delivered, in order", async () => {
  const aStep = fc.oneof(
    fc.record({ kind: fc.constant("publish" as const), goods: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }) }),
    fc.constant({ kind: "crash" as const }),
    fc.constant({ kind: "save" as const }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { maxLength: 12 }), async (steps) => {
      hooks = await pumps.aCase();
      await hooks.start();
      await hooks.webhook("w", { filter });
      const wanted: string[] = [];
      let n = 0;
      for (const step of steps) {
        if (step.kind === "publish") {
          const texts = step.goods.map((isGood) => (isGood ? good(++n) : bad(++n)));
          wanted.push(...texts.filter((text) => text.includes("good")));
          await hooks.publish("t", ...texts);
        } else if (step.kind === "crash") await hooks.crash();
        else await hooks.stored();
      }
      await hooks.settle();
      // Only what a crash made come twice is there twice.
      expect([...new Set(hooks.texts())]).toEqual(wanted);
      hooks.webhooks.clear();
      await hooks.worker.stop();
    }),
    { numRuns: 15 },
  );
});
