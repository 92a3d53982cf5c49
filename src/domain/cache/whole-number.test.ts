import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addWholeNumber, parseWholeNumber, wholeNumberBytes } from "./whole-number.ts";

const bytes = (text: string) => Buffer.from(text);
const [least, greatest] = [-(2n ** 63n), 2n ** 63n - 1n];

describe("whole numbers in values", () => {
  it("are read as they are written, from the least to the greatest", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: least, max: greatest }), (number) => {
        expect(parseWholeNumber(wholeNumberBytes(number))).toBe(number);
      }),
    );
    for (const number of [least, greatest, 0n]) expect(parseWholeNumber(wholeNumberBytes(number))).toBe(number);
  });

  it.each(["", "-", "-0", "+5", "007", "-01", " 5", "5 ", "5\n", "1.5", "1e3", "0x10", "٣", "9".repeat(21)])(
    "are not %j",
    (text) => {
      expect(() => parseWholeNumber(bytes(text))).toThrow(`${bytes(text).byteLength} bytes is no whole number`);
    },
  );

  it("of more than 64 bits are none", () => {
    for (const number of [least - 1n, greatest + 1n]) {
      expect(() => parseWholeNumber(bytes(`${number}`))).toThrow("no whole number");
    }
  });

  it("are added to, from 0 where there is none, as far as 64 bits go", () => {
    expect(addWholeNumber(undefined, -3n)).toBe(-3n);
    expect(addWholeNumber(bytes("9007199254740993"), 1n)).toBe(9007199254740994n);
    expect(addWholeNumber(bytes(`${greatest}`), least)).toBe(-1n);
    for (const [held, amount] of [
      [greatest, 1n],
      [least, -1n],
    ] as const) {
      const add = () => addWholeNumber(wholeNumberBytes(held), amount);
      expect(add).toThrow(expect.objectContaining({ code: "failed_precondition" }));
      expect(add).toThrow(`the sum would be ${held + amount}`);
    }
  });
});
