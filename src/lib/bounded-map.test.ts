import fc from "fast-check";
import { expect, it } from "vitest";
import { BoundedMap } from "./bounded-map.ts";

it("holds what was set last, and lets go of what was set longest ago, whatever is deleted and cleared in between", () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant("set" as const), key: fc.nat(12) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), key: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), key: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (steps, maxEntries) => {
      const map = new BoundedMap<number, number>(maxEntries);
      let model: [number, number][] = [];
      steps.forEach((action, n) => {
        const { key } = action;
        if (action.do === "set") {
          map.set(key, n);
          const known = model.find(([other]) => other === key);
          if (known) known[1] = n;
          else model = [...model, [key, n] satisfies [number, number]].slice(-maxEntries);
        } else if (action.do === "delete") {
          map.delete(key);
          model = model.filter(([other]) => other !== key);
        } else {
          map.clear();
          model = [];
        }
        expect(map.size).toBe(model.length);
        for (const [known, value] of model) expect(map.get(known)).toBe(value);
      });
    }),
  );
});

it("holds no more than it may weigh, whatever it is told to hold", () => {
  const maxWeight = 20;
  const weights = { max: maxWeight, weigh: (_: number, value: { weight: number }) => value.weight };
  const step = fc.record({ key: fc.nat(12), weight: fc.integer({ min: 0, max: 25 }), isDelete: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const map = new BoundedMap<number, { weight: number }>(5, weights);
      let model: [number, { weight: number }][] = [];
      const total = () => model.reduce((sum, [, { weight }]) => sum + weight, 0);
      for (const { key, weight, isDelete } of steps) {
        const isKnown = model.some(([other]) => other === key);
        if (!isDelete && !isKnown) model = model.slice(-4);
        model = model.filter(([other]) => other !== key);
        if (isDelete) map.delete(key);
        else {
          const value = { weight };
          map.set(key, value);
          if (weight <= maxWeight) model.push([key, value]);
          while (total() > maxWeight) model.shift();
        }
        expect(map.size).toBe(model.length);
        for (const [known, value] of model) expect(map.get(known)).toBe(value);
      }
    }),
  );
});
