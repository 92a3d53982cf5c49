import fc from "fast-check";
import { expect, it } from "vitest";
import { limits } from "./limits.ts";
import { Tries } from "./tries.ts";

const bounds = { windowMs: 100, perEmail: 3, perAddress: 5 };

it("never lets more through in a window than the bounds say, and lets each through again after it", () => {
  const steps = fc.array(
    fc.record({ email: fc.constantFrom("a", "b", "c"), address: fc.constantFrom("1", "2"), passMs: fc.nat(40) }),
  );
  fc.assert(
    fc.property(steps, (tries) => {
      let nowMs = 0;
      const subject = new Tries(bounds, () => nowMs);
      const starts = new Map<string, { atMs: number; count: number }>();
      for (const { email, address, passMs } of tries) {
        nowMs += passMs;
        const counted = [`email ${email}`, `address ${address}`].map((key) => {
          const window = starts.get(key);
          const fresh = window === undefined || window.atMs + bounds.windowMs <= nowMs;
          return { key, window: fresh ? { atMs: nowMs, count: 0 } : window };
        });
        const isOpen = counted.every(({ key, window }) => window.count < (key.startsWith("email") ? 3 : 5));
        const waitMs = subject.take(email, address);
        expect(waitMs === 0).toBe(isOpen);
        expect(waitMs).toBeLessThanOrEqual(bounds.windowMs);
        if (isOpen) for (const { key, window } of counted) starts.set(key, { ...window, count: window.count + 1 });
      }
    }),
  );
});

it("does not count what was given back", () => {
  const subject = new Tries(bounds, () => 0);
  for (let i = 0; i < 20; i++) {
    expect(subject.take("a", "1")).toBe(0);
    subject.giveBack("a", "1");
  }
});

it("stays bounded, and forgets the oldest first", () => {
  const subject = new Tries({ windowMs: 100, perEmail: 1, perAddress: 1 }, () => 0);
  expect(subject.take("first", "first")).toBe(0);
  expect(subject.take("first", "first")).toBe(100);
  for (let i = 0; i < limits.triesMaxKeys; i++) expect(subject.take(`e${i}`, `a${i}`)).toBe(0);
  expect(subject.take("first", "first")).toBe(0);
});
