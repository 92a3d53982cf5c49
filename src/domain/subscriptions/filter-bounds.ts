import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** What SNS counts of a policy, or of a part of it. */
interface Size {
  /** Names that have conditions. */
  readonly keys: ReadonlySet<string>;
  /** One value of each list: how many choices there are, those at a depth so many times. */
  readonly combinations: number;
}

/**
 * Bounds the work that a policy makes for each item, and how deep it goes, by SNS's own rules.
 * @throws TodokuError `limit_exceeded` with subject `filter_policy`.
 */
export function checkFilterBounds(policy: object): void {
  const { keysMax, combinationsMax } = limits.filter;
  const { keys, combinations } = sizeOf(policy, { depth: 1, levels: 1 });
  if (keys.size > keysMax) throw exceeded(`the filter policy has ${keys.size} keys; must be <= ${keysMax}`);
  if (combinations <= combinationsMax) return;
  throw exceeded(`the filter policy has ${combinations} combinations of values; must be <= ${combinationsMax}`);
}

/** `depth`: how often a value counts. `levels`: the same with those of `$or`, which are none of the body. */
interface Place {
  readonly depth: number;
  readonly levels: number;
}

function sizeOf(policy: object, place: Place): Size {
  // A value so deep counts so often that it is too many.
  if (place.levels > limits.filter.combinationsMax) {
    throw exceeded(`the filter policy is more than ${limits.filter.combinationsMax} levels deep`);
  }
  const keys = new Set<string>();
  let combinations = 1;
  for (const [key, value] of Object.entries(policy)) {
    const size = key === "$or" ? alternativesOf(value, place) : sizeOfValue(key, value, place);
    for (const name of size.keys) keys.add(name);
    combinations *= size.combinations;
  }
  return { keys, combinations };
}

function sizeOfValue(key: string, value: unknown, { depth, levels }: Place): Size {
  if (Array.isArray(value)) return { keys: new Set([key]), combinations: Math.max(value.length, 1) * depth };
  if (typeof value === "object" && value !== null) return sizeOf(value, { depth: depth + 1, levels: levels + 1 });
  return { keys: new Set([key]), combinations: 1 };
}

/** Of alternatives only one is chosen. */
function alternativesOf(value: unknown, { depth, levels }: Place): Size {
  const policies = Array.isArray(value) ? value.filter((one) => typeof one === "object" && one !== null) : [];
  const sizes = policies.map((one) => sizeOf(one, { depth, levels: levels + 1 }));
  const keys = new Set(sizes.flatMap((size) => [...size.keys]));
  return { keys, combinations: sizes.reduce((sum, size) => sum + size.combinations, 0) };
}

function exceeded(message: string): TodokuError {
  return new TodokuError("limit_exceeded", message, { subject: "filter_policy" });
}
