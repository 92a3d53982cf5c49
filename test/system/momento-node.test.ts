// The unmodified Node SDK against a server of this process.
import {
  AllTopics,
  CacheDelete,
  CacheFlush,
  CacheGet,
  CacheSet,
  CreateCache,
  DeleteCache,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  type ListCaches,
  MomentoErrorCode,
  TopicPublish,
} from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keyCredential, localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;
let clients: ReturnType<typeof momentoClients>;

beforeAll(async () => {
  server = await aServer();
  clients = momentoClients(localCredential(server.port));
  expect(await clients.cache.createCache("c")).toBeInstanceOf(CreateCache.Success);
});

afterAll(async () => {
  clients[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** Every failed answer of the SDK has this. */
function errorCode(response: unknown): MomentoErrorCode | undefined {
  return (response as { errorCode?: () => MomentoErrorCode }).errorCode?.();
}

async function aToken(
  scope: Parameters<typeof clients.auth.generateDisposableToken>[0],
  options: { seconds?: number; tokenId?: string } = {},
) {
  const expiresIn = ExpiresIn.seconds(options.seconds ?? 60);
  const response = await clients.auth.generateDisposableToken(scope, expiresIn, { tokenId: options.tokenId ?? "" });
  if (!(response instanceof GenerateDisposableToken.Success)) throw new Error(response.toString());
  return response;
}

describe("caches", () => {
  it("are created once, listed and deleted", async () => {
    expect(await clients.cache.createCache("c")).toBeInstanceOf(CreateCache.AlreadyExists);
    expect(await clients.cache.createCache("second")).toBeInstanceOf(CreateCache.Success);
    const listed = (await clients.cache.listCaches()) as ListCaches.Success;
    expect(listed.getCaches().map((cache) => cache.getName())).toEqual(["c", "second"]);
    expect(await clients.cache.deleteCache("second")).toBeInstanceOf(DeleteCache.Success);
    expect(errorCode(await clients.cache.deleteCache("second"))).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });

  it("hold items until they are deleted or flushed", async () => {
    expect(await clients.cache.set("c", "k", "v")).toBeInstanceOf(CacheSet.Success);
    expect(((await clients.cache.get("c", "k")) as CacheGet.Hit).valueString()).toBe("v");
    expect(await clients.cache.delete("c", "k")).toBeInstanceOf(CacheDelete.Success);
    expect(await clients.cache.get("c", "k")).toBeInstanceOf(CacheGet.Miss);
    await clients.cache.set("c", "k", "v");
    expect(await clients.cache.flushCache("c")).toBeInstanceOf(CacheFlush.Success);
    expect(await clients.cache.get("c", "k")).toBeInstanceOf(CacheGet.Miss);
  });

  it("take values of 5,000,000 bytes and refuse 5,300,000", async () => {
    const big = new Uint8Array(5_000_000).fill(7);
    expect(await clients.cache.set("c", "big", big)).toBeInstanceOf(CacheSet.Success);
    expect(((await clients.cache.get("c", "big")) as CacheGet.Hit).valueUint8Array()).toHaveLength(5_000_000);
    const refused = await clients.cache.set("c", "big", new Uint8Array(5_300_000));
    expect(errorCode(refused)).toBe(MomentoErrorCode.LIMIT_EXCEEDED_ERROR);
  });
});

describe("topics", () => {
  it("deliver text and bytes in order, numbered from 1", async () => {
    const received = await subscribe(clients.topics, "c", "order");
    for (let i = 1; i <= 50; i++) {
      expect(await clients.topics.publish("c", "order", `m${i}`)).toBeInstanceOf(TopicPublish.Success);
    }
    await clients.topics.publish("c", "order", Uint8Array.of(0, 255));
    const items = await received.waitFor(51);
    expect(items.map((item) => item.sequenceNumber())).toEqual(Array.from({ length: 51 }, (_, i) => i + 1));
    expect(items[4]?.valueString()).toBe("m5");
    expect([...(items[50]?.valueUint8Array() ?? [])]).toEqual([0, 255]);
    expect(received.discontinuities).toEqual([]);
    received.subscription.unsubscribe();
  });

  it("say which cache is missing, and that a text is empty or too long", async () => {
    const missing = (await clients.topics.publish("nowhere", "t", "x")) as TopicPublish.Error;
    expect(errorCode(missing)).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
    expect(missing.message()).toContain('cache "nowhere" does not exist');
    const subscribing = await clients.topics.subscribe("nowhere", "t", { onItem() {} });
    expect(errorCode(subscribing)).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
    expect(errorCode(await clients.topics.publish("c", "t", ""))).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
    const big = (await clients.topics.publish("c", "t", "x".repeat(262_145))) as TopicPublish.Error;
    expect(errorCode(big)).toBe(MomentoErrorCode.LIMIT_EXCEEDED_ERROR);
    expect(big.message()).toContain("262145 bytes");
    expect(await clients.topics.publish("c", "t", "x".repeat(262_144))).toBeInstanceOf(TopicPublish.Success);
  });

  it("end with their cache", async () => {
    await clients.cache.createCache("short-lived");
    const received = await subscribe(clients.topics, "short-lived", "t");
    await clients.cache.deleteCache("short-lived");
    await expect.poll(() => received.errors[0]?.errorCode()).toBe(MomentoErrorCode.CACHE_NOT_FOUND_ERROR);
  });

  it("carry hundreds of subscriptions on one client", async () => {
    const all = await Promise.all(
      Array.from({ length: 300 }, (_, i) => subscribe(clients.topics, "c", `many-${i % 30}`)),
    );
    await Promise.all(Array.from({ length: 30 }, (_, i) => clients.topics.publish("c", `many-${i}`, `to ${i}`)));
    for (const [i, received] of all.entries()) {
      const [item] = await received.waitFor(1);
      expect(item?.valueString()).toBe(`to ${i % 30}`);
    }
    for (const received of all) received.subscription.unsubscribe();
  });
});

describe("disposable tokens", () => {
  it("for one topic can do nothing else", async () => {
    const token = await aToken(DisposableTokenScopes.topicPublishSubscribe("c", "mine"), { tokenId: "user-7" });
    using other = momentoClients(keyCredential(token.authToken, server.port));
    const received = await subscribe(other.topics, "c", "mine");
    expect(await other.topics.publish("c", "mine", "hello")).toBeInstanceOf(TopicPublish.Success);
    expect((await received.waitFor(1))[0]?.tokenId()).toBe("user-7");

    const scope = DisposableTokenScopes.topicSubscribeOnly("c", "mine");
    const refusals = [
      await other.topics.publish("c", "other", "x"),
      await other.topics.publish("other", "mine", "x"),
      await other.topics.subscribe("c", "other", { onItem() {} }),
      await other.cache.get("c", "k"),
      await other.cache.set("c", "k", "v"),
      await other.cache.delete("c", "k"),
      await other.cache.createCache("x"),
      await other.cache.deleteCache("c"),
      await other.cache.flushCache("c"),
      await other.cache.listCaches(),
      await other.auth.generateDisposableToken(scope, ExpiresIn.seconds(10)),
    ];
    for (const refusal of refusals)
      expect(errorCode(refusal), refusal.toString()).toBe(MomentoErrorCode.PERMISSION_ERROR);
    received.subscription.unsubscribe();
  });

  it("keep to their role and their keys", async () => {
    const subscriber = await aToken(DisposableTokenScopes.topicSubscribeOnly("c", AllTopics));
    using reader = momentoClients(keyCredential(subscriber.authToken, server.port));
    expect(errorCode(await reader.topics.publish("c", "t", "x"))).toBe(MomentoErrorCode.PERMISSION_ERROR);
    const keyed = await aToken(DisposableTokenScopes.cacheKeyPrefixReadWrite("c", "user-1-"));
    using owner = momentoClients(keyCredential(keyed.authToken, server.port));
    expect(await owner.cache.set("c", "user-1-name", "x")).toBeInstanceOf(CacheSet.Success);
    expect(errorCode(await owner.cache.set("c", "user-2-name", "x"))).toBe(MomentoErrorCode.PERMISSION_ERROR);
  });

  it("are refused past 25 hours, with an empty scope, or when forged", async () => {
    const scope = DisposableTokenScopes.topicSubscribeOnly("c", "t");
    const generate = (...args: Parameters<typeof clients.auth.generateDisposableToken>) =>
      clients.auth.generateDisposableToken(...args);
    expect(errorCode(await generate(scope, ExpiresIn.hours(26)))).toBe(MomentoErrorCode.INVALID_ARGUMENT_ERROR);
    expect(errorCode(await generate({ permissions: [] }, ExpiresIn.hours(1)))).toBe(
      MomentoErrorCode.INVALID_ARGUMENT_ERROR,
    );

    const { authToken } = await aToken(scope);
    const { api_key: inner, endpoint } = JSON.parse(Buffer.from(authToken, "base64").toString());
    expect(endpoint).toBe(`127.0.0.1:${server.port}`);
    const [head, body, signature] = inner.split(".");
    const claims = JSON.parse(Buffer.from(body, "base64url").toString());
    claims.grants[0].role = "publish-subscribe";
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
    const wrapped = Buffer.from(JSON.stringify({ endpoint, api_key: forged })).toString("base64");
    using forger = momentoClients(keyCredential(wrapped, server.port));
    expect(errorCode(await forger.topics.publish("c", "t", "x"))).toBe(MomentoErrorCode.AUTHENTICATION_ERROR);
  });

  it("end open streams when they expire", async () => {
    const token = await aToken(DisposableTokenScopes.topicSubscribeOnly("c", "t"), { seconds: 1 });
    using short = momentoClients(keyCredential(token.authToken, server.port));
    const received = await subscribe(short.topics, "c", "t");
    await expect
      .poll(() => received.errors[0]?.errorCode(), { timeout: 5000 })
      .toBe(MomentoErrorCode.AUTHENTICATION_ERROR);
    expect(errorCode(await short.cache.get("c", "k"))).toBe(MomentoErrorCode.AUTHENTICATION_ERROR);
  });
});
