import { Buffer } from "node:buffer";
import { BoundedMap } from "../../lib/bounded-map.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { selects, selectsKey } from "./grants.ts";
import type { Principal } from "./principal.ts";

/** Everything that can be permitted. `topic.*` and `item.*` name a topic or key; the others a cache, or nothing. */
export type Action =
  | "topic.publish"
  | "topic.subscribe"
  | "item.read"
  | "item.write"
  | "cache.create"
  | "cache.delete"
  | "cache.flush"
  | "cache.list"
  | "token.create";

// One bounded map per principal: a decision never outlives the credential it was made for. Bounded in bytes too: names are
// checked elsewhere, and what is too long for a name (or is a long key) must not stay here, least of all when it is denied.
const questionMaxLength = 1024;
const decisions = new WeakMap<Principal, BoundedMap<string, boolean>>();

/**
 * The one place where every protocol's permissions are decided; deny by default.
 * @throws TodokuError `permission_denied`, naming the action and the resource.
 */
export function authorize(principal: Principal, action: Action, cache = "", resource: string | Uint8Array = ""): void {
  if (isAllowed(principal, action, cache, resource)) return;
  const target = typeof resource === "string" && resource !== "" ? ` topic "${resource}" of` : "";
  throw new TodokuError(
    "permission_denied",
    `this credential may not do ${action}${cache === "" ? "" : ` on${target} cache "${cache}"`}`,
  );
}

/** The question behind {@link authorize}, for lists that show only what the caller may see. */
export function isAllowed(
  principal: Principal,
  action: Action,
  cache = "",
  resource: string | Uint8Array = "",
): boolean {
  if (principal.isSuperUser) return true;
  if (action.length + cache.length + resource.length > questionMaxLength)
    return decide(principal, action, cache, resource);
  const name = typeof resource === "string" ? resource : Buffer.from(resource).toString("latin1");
  // With its length the cache's name ends where it ends: both names may hold any character.
  const question = `${action} ${cache.length} ${cache}${name}`;
  let known = decisions.get(principal);
  if (!known) {
    known = new BoundedMap(limits.decisionsPerPrincipal);
    decisions.set(principal, known);
  }
  let answer = known.get(question);
  if (answer === undefined) {
    answer = decide(principal, action, cache, resource);
    known.set(question, answer);
  }
  return answer;
}

function decide(principal: Principal, action: Action, cache: string, resource: string | Uint8Array): boolean {
  return principal.grants.some((grant) => {
    if (!selects(grant.cache, cache)) return false;
    if (grant.resource === "topic") {
      const roles = topicRoles[action];
      return roles?.includes(grant.role) === true && typeof resource === "string" && selects(grant.topic, resource);
    }
    if (cacheRoles[action]?.includes(grant.role) !== true) return false;
    // To flush or to see a cache as a whole is more than to touch some of its keys.
    if (action === "cache.list") return true;
    if (action === "cache.flush") return "all" in grant.key;
    return typeof resource !== "string" && selectsKey(grant.key, resource);
  });
}

const topicRoles: Partial<Record<Action, readonly string[]>> = {
  "topic.publish": ["publish", "publish-subscribe"],
  "topic.subscribe": ["subscribe", "publish-subscribe"],
};

const cacheRoles: Partial<Record<Action, readonly string[]>> = {
  "item.read": ["read", "read-write"],
  "item.write": ["write", "read-write"],
  "cache.flush": ["write", "read-write"],
  "cache.list": ["read", "write", "read-write"],
};
