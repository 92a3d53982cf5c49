import { z } from "zod";
import { configSchema, type Mode, modeDefaults } from "./schema.ts";

/** What one value of the configuration is: its names in every source follow from its path in the schema. */
export interface Field {
  /** Like `drain.seconds`: how a file and every message name it. */
  readonly path: string;
  /** Like `--drain-seconds`. */
  readonly flag: string;
  /** Like `TODOKU_DRAIN_SECONDS`. */
  readonly variable: string;
  /** `objects`: a list of groups, or groups by name, see {@link membersOf}. */
  readonly kind: "text" | "number" | "boolean" | "list" | "objects" | "map";
  /** Checks one value; without default. */
  readonly schema: z.ZodType;
  readonly description: string;
  readonly isSecret: boolean;
  readonly isLive: boolean;
  readonly isDevOnly: boolean;
}

/** What one value of each object of a list is. */
export interface Member extends Pick<Field, "path" | "schema" | "description" | "isSecret"> {
  /** It has none, and must be given. */
  readonly isRequired: boolean;
  readonly defaultValue: unknown;
}

/** Every value of the objects of a list, like `gateway.endpoints[].path`, or of those by name, like `handlers.<name>.command`; none: it is neither. */
export function membersOf({ path, schema }: Pick<Field, "path" | "schema">): readonly Member[] {
  const element = schema instanceof z.ZodArray || schema instanceof z.ZodRecord ? elementOf(schema) : undefined;
  const above = schema instanceof z.ZodArray ? `${path}[]` : `${path}.<name>`;
  return element instanceof z.ZodObject ? collectMembers(element, above) : [];
}

function collectMembers(group: z.ZodObject, above: string): readonly Member[] {
  return Object.entries(group.shape).flatMap(([name, outer]) => {
    const { schema, meta } = unwrap(outer as z.ZodType, {});
    const path = `${above}.${name}`;
    if (schema instanceof z.ZodObject) return collectMembers(schema, path);
    const absent = (outer as z.ZodType).safeParse(undefined);
    const { description = "", isSecret = false } = meta;
    const member = { path, schema, description, isSecret, isRequired: !absent.success, defaultValue: absent.data };
    return [member, ...membersOf(member)];
  });
}

/** The value as it may be shown: what is secret is masked. */
export function shownValue(field: Field, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (field.isSecret) return mask;
  const secrets = membersOf(field).filter(({ isSecret }) => isSecret);
  if (secrets.length === 0) return value;
  const masked = (element: unknown) => {
    const copy = structuredClone(element) as Record<string, unknown>;
    for (const { path } of secrets) {
      const below = path.slice(field.path.length).replace(/^(\[\]|\.<name>)\./, "");
      if (valueAt(copy, below) !== undefined) setAt(copy, below, mask);
    }
    return copy;
  };
  if (Array.isArray(value)) return value.map(masked);
  return isGroup(value) ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, masked(one)])) : value;
}

const mask = "********";

/** Every value of `schema`, in its order; groups are gone through. */
export function fieldsOf(schema: z.ZodObject = configSchema): readonly Field[] {
  return collect(schema, [], {});
}

function collect(group: z.ZodObject, above: readonly string[], inherited: z.GlobalMeta): readonly Field[] {
  return Object.entries(group.shape).flatMap(([name, outer]) => {
    const { schema, meta } = unwrap(outer as z.ZodType, inherited);
    const path = [...above, name];
    return schema instanceof z.ZodObject ? collect(schema, path, meta) : [toField(path, schema, meta)];
  });
}

/** The schema below defaults and `optional`, and what all of them say; the outermost counts. A group's sentence is not its fields'. */
function unwrap(outer: z.ZodType, inherited: z.GlobalMeta): { schema: z.ZodType; meta: z.GlobalMeta } {
  const { isLive, isSecret, isDevOnly } = inherited;
  let meta: z.GlobalMeta = { ...(outer.meta() ?? {}) };
  let schema = outer;
  while (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    schema = schema.unwrap() as z.ZodType;
    meta = { ...schema.meta(), ...meta };
  }
  return { schema, meta: { isLive, isSecret, isDevOnly, ...meta } as z.GlobalMeta };
}

function toField(path: readonly string[], schema: z.ZodType, meta: z.GlobalMeta): Field {
  const words = path.flatMap((name) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).split(" "));
  return {
    path: path.join("."),
    flag: meta.flag ?? `--${words.join("-")}`,
    variable: `TODOKU_${words.join("_").toUpperCase()}`,
    kind: kindOf(schema),
    schema,
    description: meta.description ?? "",
    isSecret: meta.isSecret === true,
    isLive: meta.isLive === true,
    isDevOnly: meta.isDevOnly === true,
  };
}

function kindOf(schema: z.ZodType): Field["kind"] {
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodBoolean) return "boolean";
  if (schema instanceof z.ZodArray) return elementOf(schema) instanceof z.ZodObject ? "objects" : "list";
  if (schema instanceof z.ZodRecord) return elementOf(schema) instanceof z.ZodObject ? "objects" : "map";
  return "text";
}

function elementOf(many: z.ZodArray | z.ZodRecord): z.ZodType {
  return unwrap((many instanceof z.ZodArray ? many.element : many.valueType) as z.ZodType, {}).schema;
}

/** The words that it may be; undefined: it is no such field. */
export function wordsOf({ schema }: Field): readonly string[] | undefined {
  return schema instanceof z.ZodEnum ? schema.options.map(String) : undefined;
}

const schemaDefaults: unknown = configSchema.parse({});

/** What it is in `mode` where nobody sets it. */
export function defaultOf({ path }: Pick<Field, "path">, mode: Mode): unknown {
  return valueAt(modeDefaults[mode], path) ?? valueAt(schemaDefaults, path);
}

/** The value at `path` of a nested object; undefined when it is not there. */
export function valueAt(values: unknown, path: string): unknown {
  return path.split(".").reduce((value, name) => (isGroup(value) ? value[name] : undefined), values);
}

/** Puts a value there, making the groups on the way. */
export function setAt(values: Record<string, unknown>, path: string, value: unknown): void {
  const [name = "", ...below] = path.split(".");
  if (below.length === 0) {
    values[name] = value;
    return;
  }
  const group = isGroup(values[name]) ? values[name] : {};
  values[name] = group;
  setAt(group, below.join("."), value);
}

/** Has it named values? */
export function isGroup(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
