import { expect, it } from "vitest";
import { limits } from "../limits.ts";
import { problemOfUserId } from "./user-id.ts";

const { userIdMaxLength } = limits;

it.each(["alice", "auth0|5f7c", "alice@example.com", "届く 🎉", "x".repeat(userIdMaxLength)])(
  "takes the user %j",
  (userId) => {
    expect(problemOfUserId(userId)).toBeUndefined();
  },
);

it.each([
  ["", "must not be empty"],
  ["x".repeat(userIdMaxLength + 1), `has ${userIdMaxLength + 1} characters; must be <= ${userIdMaxLength}`],
  ["\ud800", "not well-formed"],
  ["bad user\n", "control characters"],
  ["\u001b[31mred", "control characters"],
  ["a\u0000", "control characters"],
  ["a\u009b31m", "control characters"],
  ["a\u2028b", "line breaks"],
])("refuses the user %j", (userId, problem) => {
  expect(problemOfUserId(userId)).toContain(problem);
});
