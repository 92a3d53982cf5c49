import type { z } from "zod";
import { TodokuError } from "../domain/errors.ts";
import { sentenceOf } from "../lib/value-sentences.ts";

/**
 * `value` as `schema` has it; `whole` is what `value` is called.
 * @throws TodokuError `invalid_argument` that names the first wrong field, or `whole`.
 */
export function check<T>(schema: z.ZodType<T>, value: unknown, whole: string): T {
  const result = schema.safeParse(value, { error: sentenceOf });
  if (result.success) return result.data;
  const issue = deepest(result.error.issues[0] as z.core.$ZodIssue, []);
  const field = issue.path.length === 0 ? whole : `"${issue.path.map(String).join(".")}"`;
  throw new TodokuError("invalid_argument", `${field}: ${issue.message}`);
}

/** Of a union that fits nowhere, the branch that came nearest tells more than "Invalid input". */
function deepest(
  issue: z.core.$ZodIssue,
  prefix: readonly PropertyKey[],
): { path: readonly PropertyKey[]; message: string } {
  const path = [...prefix, ...issue.path];
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return { path, message: issue.message };
  const nearest = [...issue.errors].sort((a, b) => weight(a) - weight(b))[0]?.[0];
  return nearest ? deepest(nearest, path) : { path, message: issue.message };
}

/** A branch whose fixed words do not fit was not meant. */
function weight(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((sum, issue) => sum + (issue.code === "invalid_value" ? 2 : 1), 0);
}
