import fc from "fast-check";
import { expect, it } from "vitest";
import { MemoryKeyMap } from "./memory-key-map.ts";

const mostKeys = 20_000;

it("agrees with a Map while it grows over many maps, shrinks to one and grows again", () => {
  const run = fc.record({ from: fc.nat(mostKeys), count: fc.nat(mostKeys), isSet: fc.boolean() });
  fc.assert(
    fc.property(fc.array(run, { minLength: 3, maxLength: 5 }), (runs) => {
      const [map, model] = [new MemoryKeyMap<number>(), new Map<string, number>()];
      for (const { from, count, isSet } of [{ from: 0, count: mostKeys, isSet: true }, ...runs]) {
        for (let n = from; n < from + count; n++) {
          const key = `key ${n}`;
          if (isSet) model.set(key, n + count);
          else model.delete(key);
          if (isSet) map.set(key, n + count);
          else map.delete(key);
        }
        expect(map.size).toBe(model.size);
        const wrong = Array.from({ length: mostKeys / 10 }, (_, n) => `key ${20 * n}`).filter(
          (key) => map.get(key) !== model.get(key),
        );
        expect(wrong).toEqual([]);
      }
    }),
    { numRuns: 5 },
  );
});

it("growing or shrinking, no step moves more than one small map", () => {
  const map = new MemoryKeyMap<number>();
  let moved = 0;
  let most = 0;
  const { set } = Map.prototype;
  Map.prototype.set = function (this: Map<unknown, unknown>, key, value) {
    moved++;
    return set.call(this, key, value);
  };
  const step = (work: () => void) => {
    moved = 0;
    work();
    most = Math.max(most, moved);
  };
  try {
    for (let n = 0; n < 100_000; n++) step(() => map.set(`key ${n}`, n));
    for (let n = 0; n < 100_000; n++) step(() => map.delete(`key ${n}`));
  } finally {
    Map.prototype.set = set;
  }
  expect(map.size).toBe(0);
  expect(most).toBeGreaterThan(1000);
  expect(most).toBeLessThan(17_000);
});
