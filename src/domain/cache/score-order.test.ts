import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { aggregateScore, checkUnion, nextScore, placesOf, resolveRange } from "./score-order.ts";
import type { SortedSetRange } from "./sorted-set-store.ts";

const someScore = fc.double({ noNaN: true });

describe("the next score", () => {
  it("is greater, with none between, whatever the score", () => {
    fc.assert(
      fc.property(someScore, (score) => {
        const next = nextScore(score);
        if (next === undefined) {
          expect(score).toBe(Infinity);
          return;
        }
        expect(next).toBeGreaterThan(score);
        // Doubles lie even: a middle that is neither would be between.
        const middle = score / 2 + next / 2;
        if (Number.isFinite(middle)) expect([score === 0 ? 0 : score, next]).toContain(middle === 0 ? 0 : middle);
      }),
    );
  });

  it("goes through 0 once, and begins and ends at infinity", () => {
    expect(nextScore(-Infinity)).toBe(-Number.MAX_VALUE);
    expect(nextScore(-5e-324)).toBe(0);
    expect(nextScore(0)).toBe(5e-324);
    expect(nextScore(-0)).toBe(5e-324);
    expect(nextScore(1)).toBe(1 + Number.EPSILON);
    expect(nextScore(Number.MAX_VALUE)).toBe(Infinity);
    expect(nextScore(Infinity)).toBeUndefined();
  });
});

const scores = [-3, 0, 1, 1, 1, 2.5, 7];
const countBelow = (score: number | undefined) => scores.filter((other) => score === undefined || other < score).length;

describe("a range", () => {
  const resolved = (range: SortedSetRange, order: "ascending" | "descending") => {
    const { from, to } = resolveRange(range, order, countBelow);
    const found = scores.slice(from, to);
    return order === "ascending" ? found : found.reverse();
  };

  it("of ranks is what Array.slice takes of the order", () => {
    const index = fc.option(fc.integer({ min: -9, max: 9 }), { nil: undefined });
    fc.assert(
      fc.property(index, index, (start, end) => {
        expect(resolved({ by: "rank", start, end }, "ascending")).toEqual(scores.slice(start, end));
        expect(resolved({ by: "rank", start, end }, "descending")).toEqual(scores.toReversed().slice(start, end));
      }),
    );
  });

  it("of scores may have either end exclusive or open, and steps over some in its order", () => {
    const [one, seven] = [
      { score: 1, isExclusive: false },
      { score: 7, isExclusive: true },
    ];
    const range = { by: "score", offset: 0, count: undefined, min: one, max: seven } as const;
    expect(resolved(range, "ascending")).toEqual([1, 1, 1, 2.5]);
    expect(resolved({ ...range, offset: 1, count: 2 }, "descending")).toEqual([1, 1]);
    expect(resolved({ ...range, offset: 9 }, "ascending")).toEqual([]);
    expect(resolved({ ...range, count: 0 }, "ascending")).toEqual([]);
    expect(resolved({ ...range, min: undefined, max: { ...one, isExclusive: true } }, "ascending")).toEqual([-3, 0]);
    expect(resolved({ ...range, min: { ...one, isExclusive: true }, max: undefined }, "ascending")).toEqual([2.5, 7]);
  });

  it("of scores that ends before it begins is empty", () => {
    const bound = (score: number) => ({ score, isExclusive: false });
    expect(placesOf({ min: bound(7), max: bound(1) }, countBelow)).toEqual({ from: 6, to: 6 });
  });
});

describe("a union", () => {
  it("counts what is not a number as 0, and -0 too", () => {
    expect(aggregateScore("sum", undefined, Infinity, 0)).toBe(0);
    expect(aggregateScore("sum", Infinity, Infinity, -1)).toBe(0);
    expect(aggregateScore("max", undefined, 1, -0)).toBe(0);
    expect(aggregateScore("min", 3, 4, 0.5)).toBe(2);
  });

  it("of more than 200,000 elements is refused", () => {
    checkUnion(200_000);
    expect(() => checkUnion(200_001)).toThrow("the sources of the union have 200001 elements together");
  });
});
