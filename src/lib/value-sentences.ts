import type { z } from "zod";

const kinds: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
};

/** What must be so of a value that does not fit, to stand behind its name; undefined: what the schema says will do. Never repeats the value. */
export function sentenceOf(issue: z.core.$ZodRawIssue): string | undefined {
  // Zod's own words of a name that does not fit do not say why.
  if (issue.code === "invalid_key") return issue.issues[0]?.message;
  if (!["invalid_type", "invalid_value", "invalid_union"].includes(issue.code ?? "")) return undefined;
  if (issue.input === undefined) return "is missing";
  if (issue.code === "invalid_value") {
    const values = issue.values.map((value) => (typeof value === "string" ? JSON.stringify(value) : String(value)));
    return `must be ${values.length === 1 ? "" : "one of "}${values.join(", ")}`;
  }
  if (issue.code !== "invalid_type") return undefined;
  const kind = kinds[issue.expected];
  return kind === undefined ? undefined : `must be ${kind}`;
}
