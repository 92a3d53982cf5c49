import { invalidValue, missingParameter, wrongType } from "./errors.ts";

/** The fields of a request, or of a part of one, as JSON has them. */
export type Fields = Readonly<Record<string, unknown>>;

/** The reading of {@link Fields}: null is as if it were not there. @throws AwsError SerializationException, MissingParameter. */
export function optionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(name, "a string");
}

/** Not empty. */
export function text(fields: Fields, name: string): string {
  const value = optionalText(fields, name);
  if (value === undefined || value === "") throw missingParameter(name);
  return value;
}

/** @throws AwsError InvalidParameterValue unless it is within the bounds. */
export function optionalInteger(fields: Fields, name: string, min: number, max: number): number | undefined {
  const value = fields[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw wrongType(name, "a number");
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw invalidValue(
    `Value ${value} for parameter ${name} is invalid. Reason: Must be a whole number between ${min} and ${max}.`,
  );
}

export function integer(fields: Fields, name: string, min: number, max: number): number {
  const value = optionalInteger(fields, name, min, max);
  if (value === undefined) throw missingParameter(name);
  return value;
}

export function texts(fields: Fields, name: string): readonly string[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw wrongType(name, "a list of strings");
}

export function lists(fields: Fields, name: string): readonly Fields[] {
  const value = fields[name] ?? [];
  if (Array.isArray(value) && value.every(isFields)) return value;
  throw wrongType(name, "a list of structures");
}

/** Without `__proto__`, which would not be a field of its own once it is copied. */
export function map(fields: Fields, name: string): Fields {
  const value = fields[name] ?? {};
  if (!isFields(value)) throw wrongType(name, "a map");
  if (Object.hasOwn(value, "__proto__")) throw invalidValue(`The name __proto__ in parameter ${name} is not allowed.`);
  return value;
}

export function textMap(fields: Fields, name: string): Readonly<Record<string, string>> {
  const value = map(fields, name);
  for (const [key, one] of Object.entries(value))
    if (typeof one !== "string") throw wrongType(`${name}.${key}`, "a string");
  return value as Readonly<Record<string, string>>;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
