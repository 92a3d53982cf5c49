import { limits } from "../limits.ts";

/**
 * What is wrong with the id of a user, to stand behind its name; undefined: nothing. It is announced to others, and ends up in their logs and on
 * their terminals: so it has no line breaks and no escape codes.
 */
export function problemOfUserId(userId: string): string | undefined {
  const { userIdMaxLength: max } = limits;
  if (userId === "") return `must not be empty; at most ${max} characters`;
  if (userId.length > max) return `has ${userId.length} characters; must be <= ${max}`;
  if (!userId.isWellFormed()) return "is not well-formed Unicode";
  return /[\p{Cc}\p{Zl}\p{Zp}]/u.test(userId) ? "must not have control characters or line breaks" : undefined;
}
