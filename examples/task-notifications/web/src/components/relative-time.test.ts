import { expect, it } from "vitest";
import { relativeTime } from "./relative-time.ts";

it.each([
  [0, "just now"],
  [59_000, "just now"],
  [60_000, "1 minute ago"],
  [3_599_000, "59 minutes ago"],
  [7_200_000, "2 hours ago"],
  [86_400_000, "yesterday"],
  [3 * 86_400_000, "3 days ago"],
  [-60_000, "just now"],
])("says of %i ms ago: %s", (agoMs, words) => {
  expect(relativeTime(1_795_000_000_000 - agoMs, 1_795_000_000_000)).toBe(words);
});
