import { expect, it } from "vitest";
import { OutputPace } from "./output-pace.ts";

it("reading what is printed takes a fifth of the time, whoever prints, and what is little is not held up", () => {
  let nowMs = 1000;
  const pace = new OutputPace(() => nowMs);
  const reading = (ms: number) =>
    pace.pauseMsAfter(() => {
      nowMs += ms;
    });
  expect(reading(2)).toBe(0);
  nowMs += 1000;
  expect(reading(40)).toBe(160);
  // Another one meanwhile.
  expect(reading(20)).toBe(240);
  nowMs += 240;
  expect(reading(1)).toBe(0);
});
