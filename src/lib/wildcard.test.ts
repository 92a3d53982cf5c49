import fc from "fast-check";
import { expect, it } from "vitest";
import { matchesWildcard } from "./wildcard.ts";

/** The definition, word by word. */
function naive(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  const [first, rest] = [pattern[0], pattern.slice(1)];
  if (first === "*") return naive(rest, text) || (text !== "" && naive(pattern, text.slice(1)));
  return text !== "" && (first === "?" || first === text[0]) && naive(rest, text.slice(1));
}

const pattern = fc.string({ unit: fc.constantFrom("a", "b", "*", "?"), maxLength: 10 });
const text = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 10 });

it("a pattern covers what its definition says", () => {
  fc.assert(fc.property(pattern, text, (one, other) => matchesWildcard(one, other) === naive(one, other)));
});

it("many stars take no time", () => {
  expect(matchesWildcard(`${"a*".repeat(500)}b`, "a".repeat(10_000))).toBe(false);
});
