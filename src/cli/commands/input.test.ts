import { describe, expect, it } from "vitest";
import { toDurationMs } from "./input.ts";

describe("toDurationMs", () => {
  it.each([
    ["90s", 90_000],
    ["10m", 600_000],
    ["25h", 90_000_000],
    ["30d", 2_592_000_000],
    ["500ms", 500],
    ["90", 90_000],
    ["1.5h", 5_400_000],
    ["0.001", 1],
    ["0", 0],
  ])("reads %j as %d ms", (text, ms) => {
    expect(toDurationMs(text)).toBe(ms);
  });

  it.each(["", "s", "-1s", "1 h", "1w", "1h30m", "1e3", "0x10", "Infinity", "1.2345s", "99999999999999d", " 1s", "1S"])(
    "refuses %j",
    (text) => {
      expect(() => toDurationMs(text)).toThrow("It must be a time span");
    },
  );
});
