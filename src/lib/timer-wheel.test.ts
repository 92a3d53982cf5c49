import fc from "fast-check";
import { expect, it } from "vitest";
import { TimerWheel } from "./timer-wheel.ts";

function aWheel() {
  let nowMs = 5;
  const wheel = new TimerWheel({ monotonicMs: () => nowMs }, { slotMs: 10, slots: 8 });
  return {
    wheel,
    moveTo(ms: number) {
      nowMs = ms;
      wheel.runOnce();
    },
    now: () => nowMs,
  };
}

it("fires a deadline once, never early and at most two slots late", () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(500)),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 60 }),
      (delays, steps) => {
        const { wheel, moveTo, now } = aWheel();
        const fired: { dueMs: number; atMs: number }[] = [];
        for (const delay of delays) {
          const dueMs = now() + delay;
          wheel.schedule(delay, () => fired.push({ dueMs, atMs: now() }));
        }
        for (const step of steps) moveTo(now() + step);
        moveTo(now() + 600);
        expect(fired).toHaveLength(delays.length);
        for (const { dueMs, atMs } of fired.filter((f) => f.atMs < now())) {
          expect(atMs).toBeGreaterThanOrEqual(dueMs);
          expect(atMs).toBeLessThanOrEqual(dueMs + 10 + 40);
        }
      },
    ),
  );
});

it("does not fire what was cancelled", () => {
  const { wheel, moveTo } = aWheel();
  let fired = 0;
  const kept = wheel.schedule(30, () => fired++);
  wheel.schedule(30, () => fired++).cancel();
  moveTo(100);
  kept.cancel();
  moveTo(300);
  expect(fired).toBe(1);
});

it("a wait ends early when its signal is aborted, and leaves nothing there", async () => {
  const wheel = new TimerWheel({ monotonicMs: () => 0 });
  const end = new AbortController();
  const waiting = [wheel.wait(1000, end.signal), wheel.wait(1000, AbortSignal.abort())];
  end.abort();
  await Promise.all(waiting);
});

it("waits for a deadline that is many turns away", () => {
  const { wheel, moveTo } = aWheel();
  let fired = 0;
  wheel.schedule(2 ** 31 + 1000, () => fired++);
  moveTo(2 ** 31);
  expect(fired).toBe(0);
  moveTo(2 ** 31 + 1100);
  expect(fired).toBe(1);
});

it("fires a deadline that a firing deadline schedules for now", () => {
  const { wheel, moveTo } = aWheel();
  let fired = 0;
  wheel.schedule(10, () => wheel.schedule(0, () => fired++));
  moveTo(40);
  moveTo(60);
  expect(fired).toBe(1);
});
