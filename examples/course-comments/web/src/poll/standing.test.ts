import { describe, expect, it } from "vitest";
import { newerStanding, noVotes, shareOf, totalOf } from "./standing.ts";

describe("how a poll stands", () => {
  it("goes forward only, and not at all with what is no standing", () => {
    const two = newerStanding(noVotes, { version: 2, counts: { noon: 2 } });
    expect(newerStanding(two, { version: 1, counts: { noon: 1 } })).toBe(two);
    for (const wrong of [null, "x", {}, { version: 9 }, { version: "9", counts: {} }, { version: 9, counts: null }]) {
      expect(newerStanding(two, wrong)).toBe(two);
    }
  });

  it("has shares in per cent, and none before the first vote", () => {
    const standing = { version: 3, counts: { noon: 2, evening: 1 } };
    expect([shareOf(standing, "noon"), shareOf(standing, "evening"), shareOf(standing, "morning")]).toEqual([
      67, 33, 0,
    ]);
    expect([totalOf(standing), shareOf(noVotes, "noon")]).toEqual([3, 0]);
  });
});
