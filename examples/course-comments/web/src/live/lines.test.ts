import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Line, mergeLines, parseLine } from "./lines.ts";

const aLine = (id: string, atMs: number, isOnItsWay = false): Line => ({
  ...{ id, userId: "alice", name: "Alice", text: id, atMs },
  ...(isOnItsWay ? { isOnItsWay } : {}),
});

describe("the lines of a view", () => {
  it("stand there once and the newest first, however often and in whatever order they are told", () => {
    const told = fc.array(fc.array(fc.nat(8), { maxLength: 6 }), { maxLength: 6 });
    fc.assert(
      fc.property(told, (batches) => {
        let lines: readonly Line[] = [];
        for (const batch of batches) {
          lines = mergeLines(
            lines,
            batch.map((n) => aLine(`${n}`, n)),
          );
        }
        const expected = [...new Set(batches.flat())].sort((a, b) => b - a).map(String);
        expect(lines.map(({ id }) => id)).toEqual(expected);
      }),
    );
  });

  it("that are on their way give place to what is told, and never take it back", () => {
    const onItsWay = aLine("a", 5, true);
    const told = aLine("a", 4);
    expect(mergeLines([onItsWay], [told])).toEqual([told]);
    expect(mergeLines([told], [onItsWay])).toEqual([told]);
  });

  it("are comments or lines of the chat, and nothing else", () => {
    const shared = { id: "1", userId: "u", name: "U", atMs: 1 };
    expect(parseLine({ ...shared, comment: "c" })).toMatchObject({ text: "c" });
    expect(parseLine({ ...shared, text: "t", original: { language: "en", text: "o" } })).toMatchObject({
      original: { language: "en", text: "o" },
    });
    for (const wrong of [null, "text", {}, shared, { ...shared, text: 1 }, { ...shared, text: "t", atMs: "1" }]) {
      expect(parseLine(wrong)).toBeUndefined();
    }
  });
});
