import { Buffer } from "node:buffer";
import type { KeyRequest } from "../../domain/auth/api-key.ts";
import type { TokenGrant } from "../../domain/auth/grants.ts";
import type { Selector } from "../../domain/auth/selector.ts";
import { TodokuError } from "../../domain/errors.ts";
import {
  CacheRole,
  type Permissions,
  type PermissionsType,
  type PermissionsType_CachePermissions,
  type PermissionsType_TopicPermissions,
  TopicRole,
} from "./gen/permissions_pb.ts";

const all: Selector = { all: true };

/**
 * The grants of a permissions message (reference 3.1).
 * @throws TodokuError `permission_denied` for a super user (no token may be one); `invalid_argument` for what has no role or no selector.
 */
export function toGrants(permissions: Permissions | undefined): TokenGrant[] {
  if (permissions?.kind.case === "superUser") {
    throw new TodokuError("permission_denied", "a disposable token cannot be a super user");
  }
  return permissions?.kind.case === "explicit" ? permissions.kind.value.permissions.flatMap(toGrant) : [];
}

/** What a new API key may do, by the same message. @throws TodokuError `invalid_argument` as {@link toGrants}. */
export function toKeyRights(permissions: Permissions | undefined): Pick<KeyRequest, "isSuperUser" | "grants"> {
  if (permissions?.kind.case === "superUser") return { isSuperUser: true, grants: [] };
  return { isSuperUser: false, grants: toGrants(permissions) };
}

function toGrant({ kind }: PermissionsType): TokenGrant[] {
  if (kind.case === "cachePermissions") return [toCacheGrant(kind.value)];
  if (kind.case === "topicPermissions") return [toTopicGrant(kind.value)];
  // Todoku has no functions: the permission to invoke them gives nothing, and SDK scopes that include it stay usable.
  if (kind.case === "functionPermissions") return [];
  return invalid("a permission must be for a cache or a topic");
}

function toCacheGrant({ role, cache, cacheItem }: PermissionsType_CachePermissions): TokenGrant {
  const roles = {
    [CacheRole.CACHE_READ_WRITE]: "read-write",
    [CacheRole.CACHE_READ_ONLY]: "read",
    [CacheRole.CACHE_WRITE_ONLY]: "write",
  } as const;
  return {
    resource: "cache",
    role: roles[role as keyof typeof roles] ?? invalid("a cache permission must have a role"),
    cache: toCacheSelector(cache),
    key: toKeySelector(cacheItem),
  };
}

function toTopicGrant({ role, cache, topic }: PermissionsType_TopicPermissions): TokenGrant {
  const roles = {
    [TopicRole.TOPIC_READ_WRITE]: "publish-subscribe",
    [TopicRole.TOPIC_READ_ONLY]: "subscribe",
    [TopicRole.TOPIC_WRITE_ONLY]: "publish",
  } as const;
  return {
    resource: "topic",
    role: roles[role as keyof typeof roles] ?? invalid("a topic permission must have a role"),
    cache: toCacheSelector(cache),
    topic: toTopicSelector(topic),
  };
}

function toCacheSelector(cache: PermissionsType_CachePermissions["cache"]): Selector {
  if (cache.case === "allCaches") return all;
  const name = cache.case === "cacheSelector" ? cache.value.kind.value : undefined;
  return name === undefined || name === "" ? invalid("a permission must name a cache or all caches") : { name };
}

function toKeySelector(item: PermissionsType_CachePermissions["cacheItem"]): Selector {
  if (item.case !== "itemSelector") return all; // absent means all items
  const { kind } = item.value;
  if (kind.case === undefined) return invalid("an item selector must have a key or a prefix");
  const bytes = Buffer.from(kind.value).toString("base64url");
  return kind.case === "key" ? { name: bytes } : { prefix: bytes };
}

function toTopicSelector(topic: PermissionsType_TopicPermissions["topic"]): Selector {
  if (topic.case === "allTopics") return all;
  const kind = topic.case === "topicSelector" ? topic.value.kind : undefined;
  if (!kind?.value) return invalid("a topic permission must name a topic, a prefix or all topics");
  return kind.case === "topicName" ? { name: kind.value } : { prefix: kind.value };
}

function invalid(message: string): never {
  throw new TodokuError("invalid_argument", message);
}
