import fc from "fast-check";
import { expect, it } from "vitest";
import { backoffMs } from "./backoff.ts";

it("doubles up to its bound, half of it by chance", () => {
  const backoff = { firstMs: 500, maxMs: 20_000 };
  expect([0, 1, 2, 10].map((failures) => backoffMs(backoff, failures, () => 1))).toEqual([500, 1000, 2000, 20_000]);
  expect(backoffMs(backoff, 1, () => 0)).toBe(500);
});

it("stays within half of the first wait and the longest", () => {
  const backoff = { firstMs: 500, maxMs: 20_000 };
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (failures, chance) => {
      const ms = backoffMs(backoff, failures, () => chance);
      return ms >= 250 && ms <= 20_000;
    }),
  );
});
