import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { OwnTime, retryWaitMs, Tries } from "./retry.ts";

const deadlineMs = 15 * 60_000;

describe("the wait before the next try", () => {
  it("is 1, 2, 4 ... 60 s", () => {
    const waits = Array.from({ length: 9 }, (_, failures) => retryWaitMs(failures + 1, 0.5) / 1000);
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it("is a fifth shorter or longer by chance, never more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
        const between = retryWaitMs(failures, random) / retryWaitMs(failures, 0.5);
        expect(between).toBeGreaterThanOrEqual(0.8 - 1e-9);
        expect(between).toBeLessThanOrEqual(1.2 + 1e-9);
      }),
    );
    expect(retryWaitMs(1, 0)).toBeCloseTo(800);
    expect(retryWaitMs(1, 1)).toBeCloseTo(1200);
  });
});

describe("the tries of an item", () => {
  it("go on until 15 minutes behind the first one, and the last is made then", () => {
    const tries = new Tries();
    tries.begin(5000);
    let ownMs = 5000;
    for (;;) {
      const waitMs = tries.nextWaitMs(ownMs, undefined);
      if (waitMs === undefined) break;
      ownMs += waitMs;
      tries.begin(ownMs);
    }
    expect(ownMs).toBe(5000 + deadlineMs);
    expect(tries.count).toBeGreaterThan(15);
  });

  it("wait as long as the destination wishes, but not past the deadline, and not for less than a second", () => {
    const tries = new Tries();
    tries.begin(0);
    expect(tries.nextWaitMs(0, 30_000)).toBe(30_000);
    expect(tries.nextWaitMs(0, 0)).toBe(limits.webhook.retry.firstMs);
    expect(tries.nextWaitMs(60_000, 365 * 86_400_000)).toBe(deadlineMs - 60_000);
    expect(tries.nextWaitMs(deadlineMs, 1000)).toBeUndefined();
  });
});

describe("a pump's own time", () => {
  it("stands still while it is stopped", () => {
    const time = new OwnTime();
    expect(time.ms(1000)).toBe(0);
    time.set(true, 1000);
    expect(time.ms(1500)).toBe(500);
    time.set(true, 1600);
    time.set(false, 2000);
    expect(time.ms(9000)).toBe(1000);
    time.set(true, 10_000);
    expect(time.ms(10_001)).toBe(1001);
  });
});
