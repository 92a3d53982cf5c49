import { expect, it } from "vitest";
import { newId } from "./random-ids.ts";

it("makes ids that no two have, and that no command line takes for an option", () => {
  const ids = Array.from({ length: 10_000 }, newId);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.filter((id) => !/^[A-Za-f][A-Za-z0-9_-]{14}=$/.test(id))).toEqual([]);
});
