import { Buffer } from "node:buffer";
import { BoundedMap } from "../../lib/bounded-map.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Grant } from "./grants.ts";
import type { Principal } from "./principal.ts";
import { selects, selectsCache, selectsKey, selectsQueue } from "./selector.ts";

/**
 * Everything that can be permitted. `topic.*`, `item.*` and `webhook.*` name a cache and a topic, key or webhook in it; `cache.*` and `leaderboard.*` a cache;
 * `queue.*` a queue and the cache "", as `secret.*` a secret, `route.*` a route, `handler.*` a handler, `presence.*` and `connection.*` a user ("" for what is of all users, or
 * of none); the others nothing. `environment.*` is for operators. `token.create` says that some tokens may be issued: `tokens.issue` says which.
 */
export type Action =
  | "topic.publish"
  | "topic.subscribe"
  | "item.read"
  | "item.write"
  | "cache.create"
  | "cache.delete"
  | "cache.flush"
  | "cache.list"
  | "leaderboard.read"
  | "leaderboard.write"
  | "queue.send"
  | "queue.receive"
  | "queue.peek"
  | "queue.read"
  | "queue.list"
  | "queue.create"
  | "queue.update"
  | "queue.delete"
  | "queue.purge"
  | "queue.redrive"
  | "token.create"
  | "token.revoke"
  | "key.create"
  | "key.list"
  | "key.delete"
  | "key.rotate"
  | "signing-key.list"
  | "signing-key.rotate"
  | "secret.read"
  | "secret.write"
  | "secret.list"
  | "secret.delete"
  | "webhook.read"
  | "webhook.write"
  | "route.invoke"
  | "presence.watch"
  | "notification.send"
  | "connection.read"
  | "connection.send"
  | "connection.kick"
  | "handler.invoke"
  | "handler.read"
  | "handler.run"
  | "event-topic.create"
  | "event-topic.update"
  | "event-topic.delete"
  | "environment.create"
  | "environment.list"
  | "environment.update"
  | "environment.delete";

// Of all principals together, each with a number that no other ever has: a decision never outlives the principal it was made for.
// Bounded in bytes too: two names and an action fit; what is longer (a long key, or what is too long for a name) is decided each time.
const questionMaxLength = 560;
const decisions = new BoundedMap<string, boolean>(limits.decisions);
const numbers = new WeakMap<Principal, number>();
let lastNumber = 0;

function numberOf(principal: Principal): number {
  const known = numbers.get(principal);
  if (known !== undefined) return known;
  numbers.set(principal, ++lastNumber);
  return lastNumber;
}

/**
 * The one place where every protocol's permissions are decided; deny by default.
 * @throws TodokuError `permission_denied`, naming the action and the resource.
 */
export function authorize(principal: Principal, action: Action, cache = "", resource: string | Uint8Array = ""): void {
  if (isAllowed(principal, action, cache, resource)) return;
  throw new TodokuError(
    "permission_denied",
    `this credential may not do ${action}${describe(action, cache, resource)}`,
  );
}

/** What the action was asked for; a key is not shown, it may be any bytes. */
function describe(action: Action, cache: string, resource: string | Uint8Array): string {
  if (typeof resource !== "string") return ` on this key of cache "${cache}"`;
  if (action.startsWith("queue.")) return resource === "" ? "" : ` on queue "${resource}"`;
  if (action.startsWith("secret.")) return resource === "" ? "" : ` on secret "${resource}"`;
  if (action.startsWith("route.")) return ` on route "${resource}"`;
  if (action.startsWith("handler.")) return resource === "" ? "" : ` on handler "${resource}"`;
  if (/^(presence|connection)\./.test(action)) return resource === "" ? " on all users" : ` on user "${resource}"`;
  if (cache === "") return "";
  const noun = action.startsWith("webhook.") ? "webhook" : "topic";
  return ` on${resource === "" ? "" : ` ${noun} "${resource}" of`} cache "${cache}"`;
}

/** The question behind {@link authorize}, for lists that show only what the caller may see. */
export function isAllowed(
  principal: Principal,
  action: Action,
  cache = "",
  resource: string | Uint8Array = "",
): boolean {
  if (action.startsWith("environment.")) return principal.isOperator;
  if (principal.isSuperUser) return true;
  if (action.length + cache.length + resource.length > questionMaxLength)
    return decide(principal, action, cache, resource);
  const name = typeof resource === "string" ? resource : Buffer.from(resource).toString("latin1");
  // With its length the cache's name ends where it ends: both names may hold any character.
  const question = `${numberOf(principal)} ${action} ${cache.length} ${cache}${name}`;
  let answer = decisions.get(question);
  if (answer === undefined) {
    answer = decide(principal, action, cache, resource);
    decisions.set(question, answer);
  }
  return answer;
}

function decide(principal: Principal, action: Action, cache: string, resource: string | Uint8Array): boolean {
  return principal.grants.some((grant) => permits(grant, action, cache, resource));
}

function permits(grant: Grant, action: Action, cache: string, resource: string | Uint8Array): boolean {
  if (roles[grant.resource][action]?.includes(grant.role) !== true) return false;
  switch (grant.resource) {
    case "topic":
      return selectsCache(grant.cache, cache) && typeof resource === "string" && selects(grant.topic, resource);
    case "cache":
      if (!selectsCache(grant.cache, cache)) return false;
      // To flush or to see a cache as a whole is more than to touch some of its keys; leaderboards are none of them.
      if (action === "cache.list") return true;
      if (action === "cache.flush" || action.startsWith("leaderboard.")) return "all" in grant.key;
      return typeof resource !== "string" && selectsKey(grant.key, resource);
    case "queue":
      return typeof resource === "string" && selectsQueue(grant.queue, resource);
    case "secret":
      return typeof resource === "string" && selects(grant.secret, resource);
    case "webhook":
      return selectsCache(grant.cache, cache) && typeof resource === "string" && selects(grant.webhook, resource);
    case "route":
      return typeof resource === "string" && selects(grant.route, resource);
    case "handler":
      return typeof resource === "string" && selects(grant.handler, resource);
    case "presence":
    case "connection":
      // What is of all users, or of connections without one, is more than any of them.
      return typeof resource === "string" && (resource === "" ? "all" in grant.user : selects(grant.user, resource));
    case "notification":
    case "token":
      return true;
  }
}

/** Which roles permit an action; an action that stands nowhere is for super users. */
const roles: Readonly<Record<Grant["resource"], Partial<Record<Action, readonly Grant["role"][]>>>> = {
  topic: {
    "topic.publish": ["publish", "publish-subscribe"],
    "topic.subscribe": ["subscribe", "publish-subscribe"],
  },
  cache: {
    "item.read": ["read", "read-write"],
    "item.write": ["write", "read-write"],
    "cache.flush": ["write", "read-write"],
    "cache.list": ["read", "write", "read-write"],
    "leaderboard.read": ["read", "read-write"],
    "leaderboard.write": ["write", "read-write"],
  },
  queue: {
    "queue.send": ["send", "send-receive"],
    "queue.receive": ["receive", "send-receive"],
    "queue.peek": ["receive", "send-receive"],
    "queue.read": ["send", "receive", "send-receive"],
    "queue.list": ["send", "receive", "send-receive"],
  },
  secret: {
    "secret.read": ["read", "read-write"],
    "secret.write": ["write", "read-write"],
    "secret.list": ["read", "write", "read-write"],
  },
  webhook: {
    "webhook.read": ["read", "read-write"],
    "webhook.write": ["read-write"],
  },
  route: { "route.invoke": ["invoke"] },
  presence: { "presence.watch": ["watch"] },
  notification: { "notification.send": ["send"] },
  connection: {
    "connection.read": ["read", "read-write"],
    "connection.send": ["send", "read-write"],
    "connection.kick": ["read-write"],
  },
  handler: { "handler.invoke": ["invoke"], "handler.read": ["invoke"] },
  token: { "token.create": ["issue"] },
};
