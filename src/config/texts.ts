import type { Field } from "./fields.ts";

/** What the text of a flag or an environment variable stands for; what is not of the field's kind stays text, and the schema refuses it. */
export function parseText({ kind }: Field, text: string): unknown {
  if (kind === "number") return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
  if (kind === "boolean") return { true: true, false: false }[text.trim()] ?? text;
  if (kind === "list") return parts(text);
  if (kind === "objects") return parseJson(text);
  return kind === "map" ? parseMap(text) : text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** `a=1,b=2`. A part without `=` makes the whole stay text. */
function parseMap(text: string): unknown {
  const pairs = parts(text).map((part) => part.split(/\s*=\s*(.*)/, 2));
  return pairs.every((pair) => pair.length === 2) ? Object.fromEntries(pairs) : text;
}

function parts(text: string): readonly string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
