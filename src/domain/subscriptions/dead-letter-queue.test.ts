import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { delivered, failing, gone, openPumps, outage, type PumpCase, refused } from "../../../test/support/pumps.ts";

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

const toUrl = { destination: { kind: "sns-http", url: "http://a.example/", isRaw: false } } as const;
const withQueue = { ...toUrl, isOrdered: false, deadLetterQueue: "dead" };

describe("the dead-letter queue of a subscription", () => {
  it("gets what is refused, before it is noted as dead", async () => {
    const subscription = await hooks.webhook("s", withQueue);
    let deadBefore = Number.NaN;
    hooks.takeDead = () => {
      deadBefore = hooks.worker.stats().get("dev")?.dead ?? 0;
      return delivered;
    };
    const dead = hooks.worker.stats().get("dev")?.dead ?? 0;
    hooks.answer = ({ text }) => (text === "a" ? refused : delivered);
    await hooks.publish("t", "a", "b");
    await hooks.stored();
    expect(hooks.deadTexts).toEqual(["a"]);
    expect(deadBefore).toBe(dead);
    expect(await hooks.deadLetters(subscription)).toMatchObject([{ reason: "refused", error: "answered 404" }]);
    expect((await hooks.state(subscription)).counters).toMatchObject({ delivered: 1, dead: 1 });
  });

  it("gets what was tried until its deadline", async () => {
    const subscription = await hooks.webhook("s", withQueue);
    hooks.answer = ({ text }) => (text === "a" ? failing : delivered);
    await hooks.publish("t", "a");
    await hooks.pass(16 * 60_000, 5000);
    await hooks.stored();
    expect(hooks.deadTexts).toEqual(["a"]);
    expect(await hooks.deadLetters(subscription)).toMatchObject([{ reason: "deadline" }]);
  });

  it("that cannot be written to for a while makes what is refused wait, and nothing is dead until it is there", async () => {
    const subscription = await hooks.webhook("s", withQueue);
    hooks.answer = () => refused;
    hooks.takeDead = () => outage;
    await hooks.publish("t", "a");
    await hooks.pass(60_000);
    await hooks.stored();
    expect(hooks.calls.length).toBeGreaterThan(3);
    expect(await hooks.deadLetters(subscription)).toEqual([]);
    hooks.takeDead = () => delivered;
    await hooks.pass(120_000);
    await hooks.stored();
    expect(hooks.deadTexts).toEqual(["a"]);
    expect(await hooks.deadLetters(subscription)).toHaveLength(1);
  });

  it("that takes it not at all leaves it among the dead letters, which say so", async () => {
    const subscription = await hooks.webhook("s", withQueue);
    hooks.answer = () => refused;
    hooks.takeDead = () => ({ ...refused, error: 'queue "dead" does not exist' });
    await hooks.publish("t", "a");
    await hooks.stored();
    const error = 'answered 404; its dead-letter queue: queue "dead" does not exist';
    expect(await hooks.deadLetters(subscription)).toMatchObject([{ reason: "refused", error }]);
  });

  it("gets an item again that a crash has not noted as dead", async () => {
    const subscription = await hooks.webhook("s", withQueue);
    hooks.answer = () => refused;
    await hooks.publish("t", "a");
    await hooks.settle();
    await hooks.crash();
    await hooks.stored();
    expect(hooks.deadTexts).toEqual(["a", "a"]);
    expect(await hooks.deadLetters(subscription)).toHaveLength(1);
  });

  it("has nothing of a subscription that has none", async () => {
    const subscription = await hooks.webhook("s", toUrl);
    hooks.answer = () => refused;
    await hooks.publish("t", "a");
    await hooks.stored();
    expect(hooks.deadTexts).toEqual([]);
    expect(await hooks.deadLetters(subscription)).toHaveLength(1);
  });
});

it("410 is a refusal as any other where nobody could resume what it had paused", async () => {
  const subscription = await hooks.webhook("s", toUrl);
  hooks.answer = () => gone;
  await hooks.publish("t", "a");
  await hooks.stored();
  expect(hooks.pausedGone).toEqual([]);
  expect(await hooks.deadLetters(subscription)).toMatchObject([{ reason: "refused", status: 410 }]);
});
