import type { Grant } from "../../domain/auth/grants.ts";
import type { Selector } from "../../domain/auth/selector.ts";
import { printable } from "./io.ts";

/** What a grant permits, in words that follow "it may". */
export function describeGrant(grant: Grant): readonly string[] {
  if (grant.resource !== "token") return [describeOne(grant)];
  return ["issue tokens that may", ...grant.grants.map((inner) => `  ${describeOne(inner)}`)];
}

/** What no grant permits at all, in words that follow "it may not". */
export function missingFrom(grants: readonly Grant[]): readonly string[] {
  const kinds = new Set(grants.map(({ resource, role }) => `${resource}.${role}`));
  return abilities.filter(({ given }) => !given.some((kind) => kinds.has(kind))).map(({ words }) => words);
}

const abilities: readonly { readonly words: string; readonly given: readonly string[] }[] = [
  { words: "publish to topics", given: ["topic.publish", "topic.publish-subscribe"] },
  { words: "subscribe to topics", given: ["topic.subscribe", "topic.publish-subscribe"] },
  { words: "read items of caches", given: ["cache.read", "cache.read-write"] },
  { words: "write items of caches", given: ["cache.write", "cache.read-write"] },
  { words: "send messages to queues", given: ["queue.send", "queue.send-receive"] },
  { words: "receive messages from queues", given: ["queue.receive", "queue.send-receive"] },
  { words: "use routes of the gateway", given: ["route.invoke"] },
  { words: "watch the presence of users", given: ["presence.watch"] },
  { words: "read secrets", given: ["secret.read", "secret.read-write"] },
  { words: "write secrets", given: ["secret.write", "secret.read-write"] },
  { words: "see webhooks", given: ["webhook.read", "webhook.read-write"] },
  { words: "make and change webhooks", given: ["webhook.read-write"] },
  { words: "send notifications", given: ["notification.send"] },
  { words: "see connections", given: ["connection.read", "connection.read-write"] },
  { words: "send to single connections", given: ["connection.send", "connection.read-write"] },
  { words: "end connections", given: ["connection.read-write"] },
  { words: "issue tokens", given: ["token.issue"] },
  { words: "make or delete caches, queues and API keys, or revoke anything", given: [] },
];

const verbs = {
  topic: {
    "publish-subscribe": "publish to, and subscribe to,",
    publish: "publish to",
    subscribe: "subscribe to",
  },
  cache: { "read-write": "read, write and delete", read: "read", write: "write and delete" },
  queue: {
    "send-receive": "send messages to, and receive them from,",
    send: "send messages to",
    receive: "receive messages from",
  },
  secret: { "read-write": "read and write", read: "read", write: "write" },
  webhook: { "read-write": "see, make and change", read: "see" },
  connection: { "read-write": "see, send to and end", send: "send to", read: "see" },
} as const;

function describeOne(grant: Exclude<Grant, { resource: "token" }>): string {
  switch (grant.resource) {
    case "topic":
      return `${verbs.topic[grant.role]} ${select("topic", grant.topic)} of ${select("cache", grant.cache)}`;
    case "cache": {
      const items = "all" in grant.key ? "all items and leaderboards" : select("item", decodeKey(grant.key), "key");
      const flushes = grant.role !== "read" && "all" in grant.key ? ", and flush it" : "";
      return `${verbs.cache[grant.role]} ${items} of ${select("cache", grant.cache)}${flushes}`;
    }
    case "queue":
      return `${verbs.queue[grant.role]} ${select("queue", grant.queue)}`;
    case "secret":
      return `${verbs.secret[grant.role]} ${select("secret", grant.secret)}`;
    case "webhook":
      return `${verbs.webhook[grant.role]} ${select("webhook", grant.webhook)} of ${select("cache", grant.cache)}`;
    case "route":
      return `use ${select("route", grant.route)} of the gateway`;
    case "presence":
      return `watch the presence of ${select("user", grant.user, "id")}`;
    case "notification":
      return "send notifications to anybody";
    case "connection":
      return `${verbs.connection[grant.role]} the connections of ${select("user", grant.user, "id")}`;
    case "handler":
      return `call ${select("handler", grant.handler)}`;
  }
}

/** `id`: what the noun is known by. */
function select(noun: string, selector: Selector, id = "name"): string {
  if ("all" in selector) return `all ${noun}s`;
  if ("name" in selector) return `the ${noun} "${printable(selector.name)}"`;
  return `every ${noun} whose ${id} begins with "${printable(selector.prefix)}"`;
}

/** Keys are bytes: as text where they are one, else as they are written in the grant. */
function decodeKey(selector: Selector): Selector {
  if ("all" in selector) return selector;
  return "name" in selector ? { name: toText(selector.name) } : { prefix: toText(selector.prefix) };
}

function toText(base64url: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64url, "base64url"));
  } catch {
    return `base64url ${base64url}`;
  }
}
