import { TodokuError } from "../errors.ts";
import { toConditions } from "./filter-conditions.ts";
import { elementsOf, isLiteral, literalsAt } from "./filter-item.ts";

/** Says of the values of an item whether they match. */
type Matches = (values: unknown) => boolean;

const nothing = {};

/**
 * All keys must match; of a key's list, and of `$or`, one. An item of a list of objects must match on its own.
 * @throws TodokuError `invalid_argument` with subject `filter_policy`, that names the place.
 */
export function compilePolicy(policy: object, scope: "attributes" | "body", path = ""): Matches {
  const parts = Object.entries(policy).map(([key, value]) => compilePart(key, value, scope, path));
  if (parts.length === 0 && path !== "") throw invalid(path, "must not be an empty object");
  const matches = (values: object) => parts.every((part) => part(values));
  return (values) => {
    if (!Array.isArray(values)) return matches(isObject(values) ? values : nothing);
    const objects = elementsOf(values).filter(isObject);
    return objects.length === 0 ? matches(nothing) : objects.some(matches);
  };
}

function compilePart(key: string, value: unknown, scope: "attributes" | "body", path: string): (at: object) => boolean {
  const place = path === "" ? key : `${path}.${key}`;
  if (key === "$or") return compileAlternatives(value, scope, path);
  // What keeps documents may leave such a key out, and a filter without it would let everything through.
  if (key === "__proto__") throw invalid(place, "is a name that no filter may have");
  if (Array.isArray(value)) {
    const matches = compileList(value, place);
    return (at) => matches(valueAt(at, key));
  }
  if (!isObject(value)) throw invalid(place, "must be a list or an object");
  if (scope === "attributes") {
    throw invalid(place, "must be a list: objects are for the filter policy scope MessageBody");
  }
  const matches = compilePolicy(value, scope, place);
  return (at) => matches(valueAt(at, key));
}

function compileAlternatives(value: unknown, scope: "attributes" | "body", path: string): (at: object) => boolean {
  const place = path === "" ? "$or" : `${path}.$or`;
  if (!Array.isArray(value) || value.length < 2) throw invalid(place, "must be a list of two policies or more");
  const policies = value.map((policy, index) => {
    if (!isObject(policy)) throw invalid(`${place}[${index}]`, "must be an object");
    return compilePolicy(policy, scope, `${place}[${index}]`);
  });
  return (at) => policies.some((matches) => matches(at));
}

function compileList(list: readonly unknown[], place: string): (value: unknown) => boolean {
  if (list.length === 0) throw invalid(place, "must not be an empty list");
  const exact = new Set(list.filter(isLiteral));
  const operators = list.filter((one) => !isLiteral(one));
  const conditions = toConditions(operators, (problem) => invalid(place, problem));
  return (value) => {
    const literals = literalsAt(value);
    if (literals?.some((literal) => exact.has(literal))) return true;
    return conditions.some((matches) => matches(literals));
  };
}

function valueAt(at: object, key: string): unknown {
  return Object.hasOwn(at, key) ? at[key as keyof typeof at] : undefined;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const shownMaxLength = 100;

function invalid(place: string, problem: string): TodokuError {
  const shown = place.length > shownMaxLength ? `${place.slice(0, shownMaxLength)}...` : place;
  return new TodokuError("invalid_argument", `the filter policy's "${shown}" ${problem}`, { subject: "filter_policy" });
}
