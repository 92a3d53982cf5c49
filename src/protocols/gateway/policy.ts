import { matchesWildcard } from "../../lib/wildcard.ts";
import { isObject } from "../lambda-events.ts";

const invokeAction = "execute-api:invoke";

/**
 * Does a policy of IAM let `arn` be invoked? Some statement must allow it, and none deny it. Undefined: it is no policy, or says something that is not
 * understood here (conditions, principals, what something is not): then it allows nothing.
 */
export function policyAllows(policy: unknown, arn: string): boolean | undefined {
  if (!isObject(policy)) return undefined;
  const statements = toList(policy.Statement).map(readStatement);
  if (statements.length === 0) return undefined;
  let isAllowed = false;
  for (const statement of statements) {
    if (!statement) return undefined;
    const { isAllow, actions, resources } = statement;
    if (!actions.some((action) => matchesWildcard(action.toLowerCase(), invokeAction))) continue;
    if (!resources.some((resource) => matchesWildcard(resource, arn))) continue;
    if (!isAllow) return false;
    isAllowed = true;
  }
  return isAllowed;
}

interface Statement {
  readonly isAllow: boolean;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
}

const known = new Set(["Sid", "Effect", "Action", "Resource"]);

function readStatement(value: unknown): Statement | undefined {
  if (!isObject(value) || !Object.keys(value).every((name) => known.has(name))) return undefined;
  const { Effect, Action, Resource } = value;
  const [actions, resources] = [toList(Action), toList(Resource)];
  if ((Effect !== "Allow" && Effect !== "Deny") || !isTexts(actions) || !isTexts(resources)) return undefined;
  return { isAllow: Effect === "Allow", actions, resources };
}

/** IAM lets a list of one stand without its brackets. */
function toList(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function isTexts(values: readonly unknown[]): values is readonly string[] {
  return values.length > 0 && values.every((value) => typeof value === "string");
}
