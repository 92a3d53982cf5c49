import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CallSlots } from "./call-slots.ts";

describe("call slots", () => {
  it("start calls at once while there is room, of the process and of their origin", () => {
    const slots = new CallSlots({ max: 3, originMax: 2 });
    const started: string[] = [];
    for (const name of ["a1", "a2", "a3", "b1", "b2"]) slots.take(name.charAt(0), 1, () => started.push(name));
    expect(started).toEqual(["a1", "a2", "b1"]);
    slots.release("a", 1);
    expect(started).toEqual(["a1", "a2", "b1", "a3"]);
    slots.release("a", 1);
    expect(started).toEqual(["a1", "a2", "b1", "a3", "b2"]);
    expect(slots.underWay).toBe(3);
  });

  it("give the next place to the origin with the fewest calls, so that slow ones cannot keep it from others", () => {
    const slots = new CallSlots({ max: 8, originMax: 8 });
    const started: string[] = [];
    for (let i = 0; i < 50; i++) slots.take("slow", 1, () => started.push("slow"));
    slots.take("fast", 1, () => started.push("fast"));
    expect(started).toEqual(Array.from({ length: 8 }, () => "slow"));
    slots.release("slow", 1);
    expect(started.at(-1)).toBe("fast");
    slots.release("fast", 1);
    expect(started.at(-1)).toBe("slow");
  });

  it("bound the bytes under way: a large call waits for its room, and the others behind it", () => {
    const slots = new CallSlots({ maxBytes: 10 });
    const started: string[] = [];
    slots.take("a", 6, () => started.push("a6"));
    slots.take("a", 5, () => started.push("a5"));
    slots.take("a", 1, () => started.push("a1"));
    slots.take("b", 100, () => started.push("b100"));
    expect(started).toEqual(["a6"]);
    slots.release("a", 6);
    // The next one is of the origin with fewer calls, and it is too large beside any other.
    expect(started).toEqual(["a6", "a5"]);
    slots.release("a", 5);
    expect(started).toEqual(["a6", "a5", "b100"]);
    slots.take("b", 1, () => started.push("b1"));
    slots.release("b", 100);
    expect(started).toEqual(["a6", "a5", "b100", "a1", "b1"]);
  });

  it("keep both bounds, start everything in the order of its origin, and leave no place unused", () => {
    const steps = fc.array(fc.oneof(fc.nat(3), fc.constant("release" as const)), { maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 4 }), (schedule, max, originMax) => {
        const slots = new CallSlots({ max, originMax });
        const underWay: number[] = [];
        const asked: number[][] = [[], [], [], []];
        const started: number[][] = [[], [], [], []];
        let number = 0;
        const check = () => {
          const of = (origin: number) => underWay.filter((one) => one === origin).length;
          expect(underWay.length).toBeLessThanOrEqual(max);
          for (const origin of [0, 1, 2, 3]) {
            expect(of(origin)).toBeLessThanOrEqual(originMax);
            expect(started[origin]).toEqual(asked[origin]?.slice(0, started[origin]?.length));
            const waits = (asked[origin]?.length ?? 0) > (started[origin]?.length ?? 0);
            if (waits) expect(underWay.length === max || of(origin) === originMax).toBe(true);
          }
        };
        for (const step of schedule) {
          if (step !== "release") {
            const id = number++;
            asked[step]?.push(id);
            slots.take(`${step}`, 1, () => {
              underWay.push(step);
              started[step]?.push(id);
            });
          } else {
            const ended = underWay.shift();
            if (ended !== undefined) slots.release(`${ended}`, 1);
          }
          check();
        }
        while (underWay.length > 0) slots.release(`${underWay.shift()}`, 1);
        expect(started).toEqual(asked);
      }),
    );
  });
});
