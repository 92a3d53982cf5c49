import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RateLimit } from "./rate-limit.ts";

describe("a rate limit", () => {
  it("says how long to wait, and is right about it", () => {
    let nowMs = 0;
    const limit = new RateLimit({ burst: 2, perMinute: 20 }, () => nowMs);
    limit.take("alice");
    limit.take("alice");
    expect(() => limit.take("alice")).toThrow(
      expect.objectContaining({ status: 429, headers: { "retry-after": "3" }, message: expect.stringContaining("20") }),
    );
    limit.take("bob");
    nowMs += 3000;
    limit.take("alice");
    expect(() => limit.take("alice")).toThrow(expect.objectContaining({ status: 429 }));
  });

  it("allows the burst and the rate, and nothing more, however the calls fall", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 600 }),
        fc.array(fc.nat(5000), { maxLength: 200 }),
        (burst, perMinute, pausesMs) => {
          let nowMs = 0;
          const limit = new RateLimit({ burst, perMinute }, () => nowMs);
          let allowed = 0;
          for (const pauseMs of pausesMs) {
            nowMs += pauseMs;
            try {
              limit.take("alice");
              allowed++;
            } catch (error) {
              // Whoever waits as long as told is let in.
              const { headers } = error as { headers: Record<string, string> };
              nowMs += Number(headers["retry-after"]) * 1000;
              limit.take("alice");
              allowed++;
            }
          }
          expect(allowed).toBeLessThanOrEqual(burst + (nowMs * perMinute) / 60_000 + 1e-6);
        },
      ),
    );
  });

  it("forgets the user who was idle longest, not the one who floods", () => {
    const limit = new RateLimit({ burst: 1, perMinute: 1 }, () => 0);
    limit.take("flooder");
    for (let i = 0; i < 20_000; i++) {
      limit.take(`user-${i}`);
      if (i % 5000 === 0) expect(() => limit.take("flooder")).toThrow(expect.objectContaining({ status: 429 }));
    }
  });
});
