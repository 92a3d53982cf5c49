import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseIndexes } from "./choose-indexes.ts";

/** Every sequence of whole numbers of which each is below its bound. */
function sequences(bounds: readonly number[]): number[][] {
  return bounds.reduce<number[][]>(
    (all, bound) => all.flatMap((sequence) => Array.from({ length: bound }, (_, n) => [...sequence, n])),
    [[]],
  );
}

describe("indexes chosen at random", () => {
  it.each([
    [1, 5, 5],
    [2, 4, 6],
    [3, 6, 20],
    [5, 6, 6],
  ])(
    "%i of %i: each of the %i choices comes as often as the others when the random numbers do",
    (count, total, choices) => {
      const bounds = Array.from({ length: count }, (_, n) => total - count + n + 1);
      const times = new Map<string, number>();
      const all = sequences(bounds);
      for (const sequence of all) {
        let next = 0;
        const random = () => ((sequence[next] as number) + 0.5) / (bounds[next++] as number);
        const choice = chooseIndexes(count, total, random).join();
        times.set(choice, (times.get(choice) ?? 0) + 1);
      }
      expect(times.size).toBe(choices);
      expect(new Set(times.values())).toEqual(new Set([all.length / choices]));
    },
  );

  it("are different, ascend, and are as many as asked for or as there are", () => {
    fc.assert(
      fc.property(fc.nat(300), fc.nat(200), (count, total) => {
        const indexes = [...chooseIndexes(count, total)];
        expect(indexes).toHaveLength(Math.min(count, total));
        expect(indexes).toEqual([...new Set(indexes)].toSorted((a, b) => a - b));
        expect(indexes.every((index) => index >= 0 && index < total)).toBe(true);
      }),
    );
  });
});
