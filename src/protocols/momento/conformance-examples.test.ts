// Messages as Momento's own classes write and read them, field by field: what the SDKs send and expect.
import { create, toBinary } from "@bufbuild/protobuf";
import { cache, control, pubsub, token } from "@gomomento/generated-types";
import { permission_messages } from "@gomomento/generated-types/dist/permissionmessages.js";
import { describe, expect, it } from "vitest";
import { decodeMessage } from "./codec.ts";
import { decodeDelete, decodeGet, decodeSet, encodeGetHit, encodeGetMiss, encodeSetOk } from "./codec-items.ts";
import { decodePublish, decodeSubscribe, encodeDiscontinuity, encodeTopicItem, heartbeat } from "./codec-topics.ts";
import { ListCachesResponseSchema } from "./gen/control_pb.ts";
import * as ourPermissions from "./gen/permissions_pb.ts";
import { CacheResult, ItemGetTypeResponse_ItemType } from "./gen/scs_pb.ts";
import { GenerateDisposableTokenRequestSchema } from "./gen/token_pb.ts";

const theirPubsub = pubsub.cache_client.pubsub;
const theirCache = cache.cache_client;
const { Permissions, PermissionsType, CacheRole, TopicRole } = permission_messages;
type TheirPermissions = permission_messages.Permissions;

describe("Momento's topic classes", () => {
  it.each([
    ["text", { text: "届く" }, { isText: true, bytes: Buffer.from("届く") }],
    ["binary", { binary: Uint8Array.of(0, 255) }, { isText: false, bytes: Buffer.of(0, 255) }],
  ])("write a publish of %s that we read", (_, kind, value) => {
    const request = { cache_name: "cache", topic: "topic", value: new theirPubsub._TopicValue(kind) };
    const bytes = new theirPubsub._PublishRequest(request).serialize();
    expect(decodePublish(Buffer.from(bytes))).toEqual({ cache: "cache", topic: "topic", value });
  });

  it("write a subscription that we read", () => {
    const bytes = new theirPubsub._SubscriptionRequest({
      cache_name: "cache",
      topic: "topic",
      resume_at_topic_sequence_number: Number.MAX_SAFE_INTEGER,
      sequence_page: 1_780_000_000,
    }).serialize();
    expect(decodeSubscribe(bytes)).toEqual({
      cache: "cache",
      topic: "topic",
      resumeAt: Number.MAX_SAFE_INTEGER,
      page: 1_780_000_000,
    });
  });

  it.each([true, false])("read our items (text: %s)", (isText) => {
    const bytes = encodeTopicItem({
      page: 2 ** 40 + 1,
      sequence: 2 ** 33 + 1,
      value: { isText, bytes: Buffer.from("届く") },
      tokenId: "user-1",
      publishedAtMs: 0,
      attributes: undefined,
    });
    const { item } = theirPubsub._SubscriptionItem.deserialize(bytes);
    expect(item.topic_sequence_number).toBe(2 ** 33 + 1);
    expect(item.sequence_page).toBe(2 ** 40 + 1);
    expect(item.publisher_id).toBe("user-1");
    expect(item.value.kind).toBe(isText ? "text" : "binary");
    expect(isText ? item.value.text : Buffer.from(item.value.binary).toString()).toBe("届く");
  });

  it("read our discontinuities and heartbeats", () => {
    const gap = encodeDiscontinuity({ last: 7, newSequence: 9, newPage: 2 ** 52 });
    expect(theirPubsub._SubscriptionItem.deserialize(gap).toObject()).toEqual({
      discontinuity: { last_topic_sequence: 7, new_topic_sequence: 9, new_sequence_page: 2 ** 52 },
    });
    expect(theirPubsub._SubscriptionItem.deserialize(heartbeat).kind).toBe("heartbeat");
  });
});

describe("Momento's item classes", () => {
  const key = Buffer.from("key");
  const value = Buffer.from("value");

  it("write requests that we read", () => {
    const set = new theirCache._SetRequest({ cache_key: key, cache_body: value, ttl_milliseconds: 60_000 });
    expect(decodeSet(Buffer.from(set.serialize()))).toEqual({ key, value, ttlMs: 60_000 });
    const get = new theirCache._GetRequest({ cache_key: key });
    expect(decodeGet(Buffer.from(get.serialize()))).toEqual({ key });
    const deletion = new theirCache._DeleteRequest({ cache_key: key });
    expect(decodeDelete(Buffer.from(deletion.serialize()))).toEqual({ key });
  });

  it("read our answers", () => {
    const hit = theirCache._GetResponse.deserialize(encodeGetHit(value));
    expect([hit.result, Buffer.from(hit.cache_body)]).toEqual([theirCache.ECacheResult.Hit, value]);
    expect(theirCache._GetResponse.deserialize(encodeGetMiss()).result).toBe(theirCache.ECacheResult.Miss);
    expect(theirCache._SetResponse.deserialize(encodeSetOk()).result).toBe(theirCache.ECacheResult.Ok);
  });
});

describe("Momento's control classes", () => {
  it("read our list of caches with its limits", () => {
    const bytes = toBinary(
      ListCachesResponseSchema,
      create(ListCachesResponseSchema, {
        cache: [
          {
            cacheName: "cache",
            cacheLimits: { maxTrafficRate: 1, maxThroughputKbps: 2, maxItemSizeKb: 3, maxTtlSeconds: 86_400n },
            topicLimits: { maxPublishRate: 4, maxSubscriptionCount: 5, maxPublishMessageSizeKb: 6 },
          },
        ],
      }),
    );
    expect(control.control_client._ListCachesResponse.deserialize(bytes).toObject()).toEqual({
      cache: [
        {
          cache_name: "cache",
          cache_limits: { max_traffic_rate: 1, max_throughput_kbps: 2, max_item_size_kb: 3, max_ttl_seconds: 86_400 },
          topic_limits: { max_publish_rate: 4, max_subscription_count: 5, max_publish_message_size_kb: 6 },
        },
      ],
      next_token: "",
    });
  });
});

describe("Momento's permission classes", () => {
  /** The permissions of a token request that their classes wrote and we read. */
  function readByUs(permissions: TheirPermissions) {
    const request = new token.token._GenerateDisposableTokenRequest({
      expires: new token.token._GenerateDisposableTokenRequest.Expires({ valid_for_seconds: 60 }),
      auth_token: "caller",
      token_id: "user-1",
      permissions,
    });
    const ours = decodeMessage(GenerateDisposableTokenRequestSchema, request.serialize());
    expect(ours).toMatchObject({ expires: { validForSeconds: 60 }, authToken: "caller", tokenId: "user-1" });
    return ours.permissions?.kind;
  }

  it("keep the presence of the super user, whose value is 0", () => {
    const kind = readByUs(new Permissions({ super_user: permission_messages.SuperUserPermissions.SuperUser }));
    expect(kind).toEqual({ case: "superUser", value: 0 });
  });

  const oneCache = { cache_selector: new PermissionsType.CacheSelector({ cache_name: "cache" }) };
  const anyCache = { all_caches: new PermissionsType.All() };
  const ourCache = { cache: { case: "cacheSelector", value: { kind: { case: "cacheName", value: "cache" } } } };
  const { CachePermissions, TopicPermissions, CacheItemSelector, TopicSelector } = PermissionsType;

  it.each([
    ["no item part", {}, { case: undefined }],
    ["all items", { all_items: new PermissionsType.All() }, { case: "allItems" }],
    [
      "a key",
      { item_selector: new CacheItemSelector({ key: Buffer.from("k") }) },
      { case: "itemSelector", value: { kind: { case: "key", value: Uint8Array.from(Buffer.from("k")) } } },
    ],
    [
      "a key prefix",
      { item_selector: new CacheItemSelector({ key_prefix: Buffer.from("p") }) },
      { case: "itemSelector", value: { kind: { case: "keyPrefix", value: Uint8Array.from(Buffer.from("p")) } } },
    ],
  ])("write cache permissions with %s that we read", (_, items, cacheItem) => {
    const cache_permissions = new CachePermissions({ role: CacheRole.CacheWriteOnly, ...oneCache, ...items } as never);
    const permissions = [new PermissionsType({ cache_permissions })];
    const kind = readByUs(new Permissions({ explicit: new permission_messages.ExplicitPermissions({ permissions }) }));
    expect(kind).toMatchObject({
      case: "explicit",
      value: { permissions: [{ kind: { case: "cachePermissions", value: { role: 3, ...ourCache, cacheItem } } }] },
    });
  });

  it.each([
    ["all topics", { all_topics: new PermissionsType.All() }, { case: "allTopics" }],
    [
      "a topic",
      { topic_selector: new TopicSelector({ topic_name: "t" }) },
      { case: "topicSelector", value: { kind: { case: "topicName", value: "t" } } },
    ],
    [
      "a topic prefix",
      { topic_selector: new TopicSelector({ topic_name_prefix: "p" }) },
      { case: "topicSelector", value: { kind: { case: "topicNamePrefix", value: "p" } } },
    ],
  ])("write topic permissions with %s that we read", (_, topics, topic) => {
    const topic_permissions = new TopicPermissions({ role: TopicRole.TopicReadOnly, ...anyCache, ...topics } as never);
    const permissions = [new PermissionsType({ topic_permissions })];
    const kind = readByUs(new Permissions({ explicit: new permission_messages.ExplicitPermissions({ permissions }) }));
    const value = { role: 2, cache: { case: "allCaches" }, topic };
    expect(kind).toMatchObject({
      case: "explicit",
      value: { permissions: [{ kind: { case: "topicPermissions", value } }] },
    });
  });
});

describe("Momento's enums", () => {
  /** Their `CacheReadOnly` is our `CACHE_READ_ONLY`. */
  const numbers = (theirs: object) =>
    Object.entries(theirs)
      .filter(([, number]) => typeof number === "number")
      .map(([name, number]) => [name.toLowerCase(), number]);
  const ourNumbers = (ours: object) =>
    Object.entries(ours).map(([name, number]) => [name.replaceAll("_", "").toLowerCase(), number]);

  it.each([
    ["CacheRole", ourPermissions.CacheRole, permission_messages.CacheRole],
    ["TopicRole", ourPermissions.TopicRole, permission_messages.TopicRole],
    ["FunctionRole", ourPermissions.FunctionRole, permission_messages.FunctionRole],
    ["SuperUserPermissions", ourPermissions.SuperUserPermissions, permission_messages.SuperUserPermissions],
    ["CacheResult", CacheResult, theirCache.ECacheResult],
    ["ItemType", ItemGetTypeResponse_ItemType, theirCache._ItemGetTypeResponse.ItemType],
  ])("%s has the same numbers", (_, ours, theirs) => {
    expect(ourNumbers(ours)).toEqual(
      numbers(theirs).map(([name, number]) => [String(name).replaceAll("_", ""), number]),
    );
  });
});
