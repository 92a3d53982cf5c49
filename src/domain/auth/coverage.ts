import { Buffer } from "node:buffer";
import type { TokenGrant } from "./grants.ts";
import { type Selector, selectsCache, selectsQueue } from "./selector.ts";

/** Does `outer` permit everything that `inner` permits? Grants are compared one by one: two halves do not cover a whole. */
export function covers(outer: TokenGrant, inner: TokenGrant): boolean {
  if (outer.role !== inner.role && !widestRoles.has(outer.role)) return false;
  if (outer.resource === "topic" && inner.resource === "topic") {
    return coversCaches(outer.cache, inner.cache) && coversNames(outer.topic, inner.topic);
  }
  if (outer.resource === "cache" && inner.resource === "cache") {
    return coversCaches(outer.cache, inner.cache) && coversKeys(outer.key, inner.key);
  }
  if (outer.resource === "route" && inner.resource === "route") return coversNames(outer.route, inner.route);
  if (outer.resource === "presence" && inner.resource === "presence") return coversNames(outer.user, inner.user);
  return outer.resource === "queue" && inner.resource === "queue" && coversQueues(outer.queue, inner.queue);
}

/** Each stands for both other roles of its resource. */
const widestRoles: ReadonlySet<TokenGrant["role"]> = new Set(["publish-subscribe", "read-write", "send-receive"]);

/** "All" and a prefix leave out the reserved cache and its queues, on both sides. */
function coversCaches(outer: Selector, inner: Selector): boolean {
  return "name" in inner ? selectsCache(outer, inner.name) : coversNames(outer, inner);
}

function coversQueues(outer: Selector, inner: Selector): boolean {
  return "name" in inner ? selectsQueue(outer, inner.name) : coversNames(outer, inner);
}

function coversNames(outer: Selector, inner: Selector): boolean {
  if ("all" in outer) return true;
  if ("all" in inner) return false;
  if ("name" in outer) return "name" in inner && outer.name === inner.name;
  return ("name" in inner ? inner.name : inner.prefix).startsWith(outer.prefix);
}

/** The same for keys, whose bytes count: in base64url "ab" is `YWI`, which does not begin with the `YQ` of "a". Latin-1 has one character per byte. */
function coversKeys(outer: Selector, inner: Selector): boolean {
  return coversNames(toBytes(outer), toBytes(inner));
}

function toBytes(selector: Selector): Selector {
  if ("all" in selector) return selector;
  const decode = (text: string) => Buffer.from(text, "base64url").toString("latin1");
  return "name" in selector ? { name: decode(selector.name) } : { prefix: decode(selector.prefix) };
}
