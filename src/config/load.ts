import { dirname, resolve } from "node:path";
import { z } from "zod";
import { redactUrl } from "../lib/redact-url.ts";
import { sentenceOf } from "../lib/value-sentences.ts";
import { type Field, fieldsOf, isGroup, membersOf, setAt, valueAt } from "./fields.ts";
import { readConfigFile } from "./file.ts";
import { ConfigError, nearest } from "./problems.ts";
import { type Config, configSchema, type Mode, modeDefaults } from "./schema.ts";
import { parseText } from "./texts.ts";

/** `TODOKU_` variables that are none of the fields, and who reads them. */
const otherVariables = ["TODOKU_CONFIG", "TODOKU_MASTER_KEY", "TODOKU_URL", "TODOKU_API_KEY"];

/** Where the configuration comes from; the first of them that sets a field counts: flags, environment, file, defaults. */
export interface ConfigSources {
  readonly mode: Mode;
  /** By path. Texts, as they were typed; `true` for a flag without a value. */
  readonly flags?: Readonly<Record<string, string | readonly string[] | true | undefined>>;
  /** Variables `TODOKU_...`; one that is set to nothing counts as not set. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** A file; default: `TODOKU_CONFIG`, else none. */
  readonly file?: string | undefined;
}

/** One value that counts, and what set it: `--port`, `TODOKU_PORT`, the file, or `default`. */
export interface Setting {
  readonly field: Field;
  /** undefined: not set, and there is no default. */
  readonly value: unknown;
  readonly source: string;
}

export interface LoadedConfig {
  readonly config: Config;
  /** In the order of the schema. */
  readonly settings: readonly Setting[];
  /** Sentences about what is not wrong but probably not meant. */
  readonly warnings: readonly string[];
}

/** Puts the sources together and checks the result. @throws ConfigError with every problem. */
export function loadConfig({
  mode,
  flags = {},
  env = {},
  file = env.TODOKU_CONFIG || undefined,
}: ConfigSources): LoadedConfig {
  const fields = fieldsOf();
  const fileValues = file === undefined ? {} : readConfigFile(file);
  const values: Record<string, unknown> = {};
  const sources = new Map<string, string>();
  for (const field of fields) {
    const [value, source] = firstSet([
      [parseFlag(field, flags[field.path]), field.flag],
      [parseVariable(field, env[field.variable]), field.variable],
      [valueAt(fileValues, field.path), file ?? ""],
      [valueAt(modeDefaults[mode], field.path), "default"],
    ]);
    sources.set(field.path, source);
    if (value !== undefined) setAt(values, field.path, value);
  }
  const checked = configSchema.safeParse(values, { error: sentenceOf });
  if (!checked.success)
    throw new ConfigError(checked.error.issues.flatMap((issue) => describe(issue, fields, values, sources)));
  const isOfFile = file !== undefined && sources.get("handlers") === file;
  placeHandlers(checked.data.handlers, isOfFile ? dirname(file) : ".");
  const settings = fields.map((field) => ({
    field,
    value: valueAt(checked.data, field.path),
    source: sources.get(field.path) as string,
  }));
  return { config: checked.data, settings, warnings: unknownVariables(fields, env) };
}

/** Programs start where whoever wrote of them was, wherever the server was started. */
function placeHandlers(handlers: Config["handlers"], folder: string): void {
  for (const handler of Object.values(handlers)) {
    if (handler.command) handler.directory = resolve(folder, handler.directory ?? ".");
  }
}

function firstSet(candidates: readonly (readonly [unknown, string])[]): readonly [unknown, string] {
  return candidates.find(([value]) => value !== undefined && value !== null) ?? [undefined, "default"];
}

function parseFlag(field: Field, given: string | readonly string[] | true | undefined): unknown {
  if (given === undefined || given === true) return given;
  return parseText(field, typeof given === "string" ? given : given.join(","));
}

function parseVariable(field: Field, text: string | undefined): unknown {
  return text === undefined || text.trim() === "" ? undefined : parseText(field, text);
}

/** The problems of one issue, each with the value and where it came from. */
function describe(
  issue: z.core.$ZodIssue,
  fields: readonly Field[],
  values: Record<string, unknown>,
  sources: ReadonlyMap<string, string>,
): readonly string[] {
  const path = toPath(issue.path);
  const field = fields.find(
    (one) => path === one.path || (/^[.[]/.test(path.slice(one.path.length)) && path.startsWith(one.path)),
  );
  const source = sources.get(field?.path ?? path);
  const from = source === undefined || source === "default" ? "" : ` (${source})`;
  if (field && issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => `${path}.${key}${from}: ${describeUnknownMember(field, path, key)}`);
  }
  const value = valueAtIssue(values, issue.path);
  return [`${path}${from}: ${issue.message}${value === undefined ? "" : show(field, path, value)}`];
}

/** Like `gateway.authorizers[0].issuer`. */
function toPath(names: readonly PropertyKey[]): string {
  return names
    .map((name, i) => (typeof name === "number" ? `[${name}]` : `${i === 0 ? "" : "."}${String(name)}`))
    .join("");
}

function describeUnknownMember(field: Field, path: string, key: string): string {
  const above = `${patternOf(field, path)}.`;
  const names = membersOf(field).flatMap((one) =>
    one.path.startsWith(above) ? [one.path.slice(above.length).split(".")[0] as string] : [],
  );
  const meant = nearest(key, [...new Set(names)]);
  return `this is no field${meant === undefined ? `; there are ${[...new Set(names)].join(", ")}` : `: is ${meant} meant?`}`;
}

/** `gateway.endpoints[]` of `gateway.endpoints[0]`, and `handlers.<name>` of `handlers.tasks`. */
function patternOf({ path: above, schema }: Field, path: string): string {
  const below = path.slice(above.length).replace(/\[\d+\]/g, "[]");
  return above + (schema instanceof z.ZodRecord ? below.replace(/^\.[^.[]+/, ".<name>") : below);
}

/** Is what lies at `path` the secret, something in it, or something that it is in? */
function touches(secretPath: string, path: string): boolean {
  return secretPath.startsWith(path) || path.startsWith(`${secretPath}.`);
}

/** An object says nothing that its place does not, and may hold a secret. */
function show(field: Field | undefined, path: string, value: unknown): string {
  const isHidden =
    field?.isSecret === true ||
    (field && membersOf(field).some((one) => one.isSecret && touches(one.path, patternOf(field, path))));
  if (isHidden) return "; its value is not shown";
  return field?.kind === "objects" && typeof value === "object"
    ? ""
    : `; it is ${JSON.stringify(typeof value === "string" ? redactUrl(value) : value)}`;
}

function valueAtIssue(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, name) => {
    if (Array.isArray(value)) return value[Number(name)];
    return isGroup(value) ? value[String(name)] : undefined;
  }, values);
}

function unknownVariables(fields: readonly Field[], env: NonNullable<ConfigSources["env"]>): readonly string[] {
  const known = [...fields.map(({ variable }) => variable), ...otherVariables];
  return Object.keys(env)
    .filter((name) => name.startsWith("TODOKU_") && !known.includes(name))
    .map((name) => {
      const meant = nearest(name, known);
      return `the environment variable ${name} is none that Todoku reads${meant === undefined ? "; `todoku config docs` lists them" : `: is ${meant} meant?`}`;
    });
}
