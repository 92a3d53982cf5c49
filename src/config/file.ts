import { readFileSync } from "node:fs";
import { type Document, LineCounter, parseDocument } from "yaml";
import { fieldsOf, isGroup } from "./fields.ts";
import { ConfigError, nearest } from "./problems.ts";
import { configSchema } from "./schema.ts";

/**
 * Reads a configuration file: YAML, of which JSON is a part. Its values are not checked, its keys are.
 * @throws ConfigError: it cannot be read, is neither, or has a key that is no field. Never repeats a line: it may be a secret.
 */
export function readConfigFile(path: string, schema = configSchema): Record<string, unknown> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError([`${path}: cannot be read (${(error as NodeJS.ErrnoException).code})`]);
  }
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const problems = document.errors.map(({ code, pos }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    const what = code === "DUPLICATE_KEY" ? "a key is there twice" : "this is neither YAML nor JSON";
    return `${path}: line ${line}, column ${col}: ${what}`;
  });
  if (problems.length > 0) throw new ConfigError(problems);
  const values = toValues(document, path);
  if (!isGroup(values)) throw new ConfigError([`${path}: must have fields, like "port: 8080"`]);
  const unknown = unknownKeys(values, schema).map((problem) => `${path}: ${problem}`);
  if (unknown.length > 0) throw new ConfigError(unknown);
  return values;
}

function toValues(document: Document, path: string): unknown {
  try {
    return document.toJS() ?? {};
  } catch {
    throw new ConfigError([`${path}: its aliases (*name) unfold to more than a configuration can be`]);
  }
}

/** Keys that are no field, by their full paths, each with the nearest that is one. */
function unknownKeys(values: Record<string, unknown>, schema: typeof configSchema): readonly string[] {
  const known = fieldsOf(schema).map(({ path }) => path);
  const look = (group: Record<string, unknown>, above: string): readonly string[] =>
    Object.entries(group).flatMap(([name, value]) => {
      const path = above + name;
      if (known.includes(path)) return [];
      const below = known.filter((field) => field.startsWith(`${path}.`));
      if (below.length === 0) return [describeUnknown(path, known)];
      // A group whose fields are all commented out.
      if (value === null) return [];
      return isGroup(value) ? look(value, `${path}.`) : [`${path} is a group: it has ${below.join(", ")}`];
    });
  return look(values, "");
}

function describeUnknown(path: string, known: readonly string[]): string {
  const groups = known.flatMap((field) => field.split(".").map((_, i, names) => names.slice(0, i + 1).join(".")));
  const meant = nearest(path, [...new Set(groups)]) ?? lastName(path, known);
  return `${path} is no field${meant === undefined ? "; `todoku config docs` lists them" : `: is ${meant} meant?`}`;
}

/** A field with the same last name in another group: `seconds` for `drain.seconds`. */
function lastName(path: string, known: readonly string[]): string | undefined {
  const name = path.split(".").at(-1);
  return known.find((field) => field.split(".").at(-1) === name);
}
