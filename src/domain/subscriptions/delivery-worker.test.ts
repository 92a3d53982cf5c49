import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Call,
  delivered,
  failing,
  openPumps,
  outage,
  type PumpCase,
  positionOf,
  refused,
} from "../../../test/support/pumps.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { comparePositions } from "../topics/position.ts";
import { CallSlots } from "./call-slots.ts";
import type { Outcome } from "./destination.ts";
import type { Cursor } from "./store.ts";

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

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe("what was done", () => {
  it("is stored within 100 ms, and sooner when it is much", async () => {
    const webhook = await hooks.webhook("w");
    await hooks.publish("t", "a");
    await hooks.settle();
    expect((await hooks.state(webhook)).counters.delivered).toBe(0);
    await hooks.pass(limits.webhook.saveMs + 20, 20);
    expect((await hooks.state(webhook)).counters.delivered).toBe(1);
    await hooks.publish("t", ...numbers(limits.webhook.saveMaxItems));
    await hooks.settle();
    expect((await hooks.state(webhook)).counters.delivered).toBeGreaterThanOrEqual(limits.webhook.saveMaxItems);
  });

  it("is not delivered again after a stop, and what was not stored is after a crash", async () => {
    await hooks.webhook("w");
    await hooks.publish("t", "a");
    await hooks.settle();
    await hooks.worker.stop();
    await hooks.publish("t", "b");
    await hooks.crash();
    expect(hooks.texts()).toEqual(["a", "b"]);
    await hooks.crash();
    expect(hooks.texts()).toEqual(["a", "b", "b"]);
  });

  it("is kept while the storage refuses, so long as it is not too much, and stored when it works again", async () => {
    const webhook = await hooks.webhook("w");
    const other = await hooks.webhook("other", { topic: "t2" });
    hooks.saveError = new TodokuError("unavailable", "the disk is full");
    await hooks.publish("t", ...numbers(1000));
    await hooks.pass(5000);
    expect(hooks.texts("w")).toEqual(numbers(limits.webhook.saveMaxItems));
    await hooks.publish("t2", "others go on");
    await hooks.pass(5000);
    expect(hooks.texts("other")).toEqual(["others go on"]);
    hooks.saveError = undefined;
    await hooks.pass(3000);
    await hooks.stored();
    expect(hooks.texts("w")).toEqual(numbers(1000));
    expect((await hooks.state(webhook)).counters.delivered).toBe(1000);
    expect((await hooks.state(other)).counters.delivered).toBe(1);
  });

  it("of a topic that the webhook had before is stored without bringing its place back", async () => {
    const webhook = await hooks.webhook("w");
    hooks.saveError = new TodokuError("unavailable", "the disk is full");
    await hooks.publish("t", "a");
    await hooks.pass(500, 100);
    const { cursor } = await hooks.state(webhook);
    const key = { ...cursor.key, topic: "t2" };
    const moved = { key, position: { page: key.cache.cacheId, sequence: 0 }, pending: [] };
    await pumps.engine.subscriptions.save([{ key: { environment: "dev", id: webhook.id }, cursor: moved }]);
    hooks.set(webhook, { topic: "t2" });
    await hooks.publish("t2", "b");
    hooks.saveError = undefined;
    await hooks.pass(3000);
    await hooks.stored();
    expect(hooks.texts()).toEqual(["a", "b"]);
    expect(await hooks.state(webhook)).toMatchObject({
      counters: { delivered: 2 },
      cursor: { key: { topic: "t2" }, position: { sequence: 1 } },
    });
  });
});

describe("a stop", () => {
  it("waits for the attempts that are under way, and begins no more", async () => {
    const webhook = await hooks.webhook("w");
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    hooks.answer = () => promise;
    await hooks.publish("t", "a", "b");
    await hooks.settle();
    let isStopped = false;
    const stopped = hooks.worker.stop().then(() => {
      isStopped = true;
    });
    await hooks.settle();
    expect(isStopped).toBe(false);
    resolve(delivered);
    await stopped;
    expect(hooks.texts()).toEqual(["a"]);
    expect((await hooks.state(webhook)).counters.delivered).toBe(1);
  });
});

describe("destinations", () => {
  it("are not sent what waited for a place when their webhook follows another topic by then", async () => {
    hooks = await pumps.aCase();
    hooks.slots = new CallSlots({ max: 1 });
    await hooks.crash();
    const busy = Promise.withResolvers<Outcome>();
    hooks.answer = ({ delivery }) => (delivery.subscription.name === "busy" ? busy.promise : delivered);
    await hooks.webhook("busy", { topic: "b" });
    const webhook = await hooks.webhook("w");
    await hooks.publish("b", "holds the place");
    await hooks.settle();
    await hooks.publish("t", "private");
    await hooks.settle();
    hooks.set(webhook, { topic: "other", destination: { kind: "webhook", url: "http://elsewhere.example/" } });
    busy.resolve(delivered);
    await hooks.settle();
    expect(hooks.texts("w")).toEqual([]);
  });

  it("that are slow never delay another, though they would take every place", async () => {
    hooks = await pumps.aCase();
    hooks.slots = new CallSlots({ max: 32, originMax: 8 });
    await hooks.crash();
    const waiting: ((outcome: Outcome) => void)[] = [];
    hooks.answer = ({ delivery }) =>
      delivery.subscription.name === "fast" ? delivered : new Promise((resolve) => waiting.push(resolve));
    for (const name of ["slow1", "slow2", "slow3", "slow4"])
      await hooks.webhook(name, { isOrdered: false, topic: "s" });
    await hooks.webhook("fast", { topic: "f" });
    await hooks.publish("s", ...numbers(50));
    await hooks.settle();
    expect(hooks.calls).toHaveLength(32);
    await hooks.publish("f", ...numbers(20));
    await hooks.settle();
    expect(hooks.texts("fast")).toEqual([]);
    // One place becomes free: the fast one has it, again and again.
    waiting.shift()?.(delivered);
    await hooks.settle();
    expect(hooks.texts("fast").length).toBeGreaterThan(0);
    while (hooks.texts("fast").length < 20) {
      const before = hooks.texts("fast").length;
      waiting.shift()?.(delivered);
      await hooks.settle();
      expect(hooks.texts("fast").length).toBeGreaterThan(before);
    }
    hooks.answer = () => delivered;
    while (waiting.length > 0) waiting.shift()?.(delivered);
    await hooks.settle();
    await hooks.worker.stop();
  });
});

describe("items that the history could not keep", () => {
  /** What is younger is read from memory, whether the log has it or not. */
  const leaveTail = () => hooks.pass(2 * limits.tailMinMs + 1000, 1000);

  it("are dead letters of a topic on disk, told in the log, and those behind them are delivered", async () => {
    const lines: { fields: Record<string, unknown>; message: string }[] = [];
    hooks = await pumps.aCase();
    hooks.log = { ...hooks.log, warn: (fields, message) => void lines.push({ fields, message }) };
    await hooks.crash();
    const webhook = await hooks.webhook("w");
    hooks.answer = () => outage;
    for (let i = 0; i < 5; i++) await hooks.publish("t", ...numbers(1000));
    await hooks.stored();
    const { deadLetters } = await hooks.state(webhook);
    expect(deadLetters.count).toBeGreaterThan(1500);
    const alarms = lines.filter(({ message }) => message.startsWith("items fell out"));
    expect(alarms.map(({ fields }) => fields.webhook)).toContain("w");
    expect(alarms.reduce((sum, { fields }) => sum + Number(fields.items), 0)).toBe(deadLetters.count);
    await leaveTail();
    hooks.answer = () => delivered;
    hooks.calls.length = 0;
    await hooks.pass(90_000, 5000);
    await hooks.stored();
    expect(new Set(hooks.calls.map(positionOf)).size).toBe(5000 - deadLetters.count);
    expect((await hooks.state(webhook)).counters).toMatchObject({ missed: 0 });
  });

  it("are counted as missed of a topic in memory, and told in the log once", async () => {
    const lines: { fields: Record<string, unknown>; message: string }[] = [];
    hooks = await pumps.aCase("memory");
    hooks.log = { ...hooks.log, warn: (fields, message) => void lines.push({ fields, message }) };
    await hooks.crash();
    const webhook = await hooks.webhook("w");
    const paused = hooks.set(webhook, { pause: { reason: "asked", atMs: 1 } });
    for (let i = 0; i < 5; i++) await hooks.publish("t", ...numbers(1000));
    await leaveTail();
    hooks.set(paused, { pause: undefined });
    await hooks.pass(1000, 100);
    await hooks.stored();
    const { missed, delivered: got } = (await hooks.state(webhook)).counters;
    expect(missed).toBeGreaterThan(1500);
    expect(missed + got).toBe(5000);
    const told = lines.filter(({ message }) => message.startsWith("items were dropped"));
    expect(told.map(({ fields }) => fields)).toMatchObject([
      { area: "webhooks", cache: hooks.cache, webhook: "w", items: missed },
    ]);
  });
});

type Step =
  | { readonly kind: "publish"; readonly count: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "crash" | "stop" | "pause" | "resume" };

const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("publish" as const), count: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(20, 120, 3000, 70_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("crash" as const, "stop" as const, "pause" as const, "resume" as const),
    }),
  },
);
/** What becomes of the attempts of one item, until it is delivered. */
const aFate = fc.array(fc.constantFrom(failing, outage, refused), { maxLength: 6 });

describe("any schedule of publishes, outcomes, crashes and pauses", () => {
  const run = async (isOrdered: boolean, steps: readonly Step[], fates: readonly (readonly Outcome[])[]) => {
    hooks = await pumps.aCase();
    await hooks.start();
    const webhook = await hooks.webhook("w", { isOrdered });
    const published: string[] = [];
    let stored: Cursor = (await hooks.state(webhook)).cursor;
    const done = new Map<string, Call>();
    const underWay = new Set<Call>();
    let last: Call | undefined;
    let isOver = false;
    const attempts = new Map<string, number>();
    hooks.answer = async (call) => {
      const name = positionOf(call);
      if (done.has(name)) expect(isUnsaved(stored, call)).toBe(true);
      if (isOrdered) {
        expect(underWay.size).toBe(0);
        if (last) expect(comparePositions(call.delivery.item, last.delivery.item)).toBeGreaterThanOrEqual(0);
      }
      last = call;
      underWay.add(call);
      await new Promise(setImmediate);
      underWay.delete(call);
      const tried = attempts.get(name) ?? 0;
      attempts.set(name, tried + 1);
      const outcome = isOver ? delivered : (fates[call.delivery.item.sequence % fates.length]?.[tried] ?? delivered);
      if (outcome.verdict !== "retry") done.set(name, call);
      return outcome;
    };
    for (const step of steps) {
      if (step.kind === "publish") {
        const texts = Array.from({ length: step.count }, (_, i) => `${published.length + i}`);
        published.push(...texts);
        await hooks.publish("t", ...texts);
      } else if (step.kind === "pass") await hooks.pass(step.ms, Math.max(20, step.ms / 8));
      else if (step.kind === "pause") hooks.set(webhook, { pause: { reason: "asked", atMs: 1 } });
      else if (step.kind === "resume") hooks.set(webhook, { pause: undefined });
      else {
        if (step.kind === "stop") await hooks.worker.stop();
        await hooks.settle();
        stored = (await hooks.state(webhook)).cursor;
        last = undefined;
        underWay.clear();
        await hooks.crash();
      }
    }
    hooks.set(webhook, { pause: undefined });
    isOver = true;
    await hooks.pass(150_000, 5000);
    await hooks.stored();
    const { cursor, counters } = await hooks.state(webhook);
    const letters = await hooks.deadLetters(webhook);
    const dead = letters.map(({ item }) => Buffer.from(item.value.bytes).toString());
    const taken = hooks.calls.filter(({ outcome }) => outcome?.verdict === "delivered").map(({ text }) => text);
    expect(new Set([...taken, ...dead])).toEqual(new Set(published));
    expect(cursor).toMatchObject({ position: { sequence: published.length }, pending: [] });
    expect(counters).toMatchObject({ missed: 0, dead: dead.length });
    hooks.webhooks.clear();
    await hooks.worker.stop();
  };

  for (const isOrdered of [true, false]) {
    it(`brings each item of ${isOrdered ? "an ordered webhook, in order," : "one without order"} to its receiver or among the dead letters, and only what was not stored twice`, async () => {
      const schedules = fc.tuple(fc.array(aStep, { maxLength: 14 }), fc.array(aFate, { minLength: 1, maxLength: 5 }));
      await fc.assert(
        fc.asyncProperty(schedules, ([steps, fates]) => run(isOrdered, steps, fates)),
        { numRuns: 12 },
      );
    });
  }
});

/** Was it not known to be done when that was stored? */
function isUnsaved({ position, pending }: Cursor, { delivery: { item } }: Call): boolean {
  return comparePositions(item, position) > 0 || pending.some((one) => comparePositions(one, item) === 0);
}
