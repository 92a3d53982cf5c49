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
