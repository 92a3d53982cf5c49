// "Two credentials: the API can only mint, the worker only publish to the one cache": the unmodified Node SDK with such API keys.
import {
  AllTopics,
  CacheSet,
  CredentialProvider,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  MomentoErrorCode,
  TopicPublish,
} from "@gomomento/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wrapCredential } from "../../src/domain/auth/credential.ts";
import type { Grant } from "../../src/domain/auth/grants.ts";
import { keyCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;

beforeAll(async () => {
  server = await aServer({ devKey: true });
  using admin = momentoClients(keyCredential(wrapCredential("localhost", server.devKey ?? ""), server.port));
  for (const name of ["app", "other"]) await admin.cache.createCache(name);
});
afterAll(() => server[Symbol.asyncDispose]());

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  const headers = { authorization: `Bearer ${server.devKey}`, "content-type": "application/json" };
  const response = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
  expect(response.ok).toBe(true);
  return response;
}

/** A new API key, and the SDK's clients that use it. */
async function aKey(...grants: Grant[]) {
  const { keyId, apiKey } = (await (await call("POST", "/v1/keys", { grants })).json()) as Record<string, string>;
  return {
    keyId: keyId ?? "",
    apiKey: apiKey ?? "",
    clients: momentoClients(keyCredential(apiKey ?? "", server.port)),
  };
}

function errorCode(response: unknown): MomentoErrorCode | undefined {
  return (response as { errorCode?: () => MomentoErrorCode }).errorCode?.();
}

const denied = MomentoErrorCode.PERMISSION_ERROR;
const issuing: Grant = {
  resource: "token",
  role: "issue",
  grants: [
    { resource: "topic", role: "subscribe", cache: { name: "app" }, topic: { prefix: "user:" } },
    { resource: "cache", role: "read", cache: { name: "app" }, key: { all: true } },
  ],
};
const publishing: Grant = { resource: "topic", role: "publish", cache: { name: "app" }, topic: { all: true } };

describe("the key of an API that may only issue tokens", () => {
  it("issues those that it covers, which then work", async () => {
    using worker = (await aKey(publishing)).clients;
    using api = (await aKey(issuing)).clients;
    const scope = DisposableTokenScopes.topicSubscribeOnly("app", "user:1");
    const token = await api.auth.generateDisposableToken(scope, ExpiresIn.minutes(5));
    if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
    using page = momentoClients(keyCredential(token.authToken, server.port));
    const received = await subscribe(page.topics, "app", "user:1");
    expect(await worker.topics.publish("app", "user:1", "hello")).toBeInstanceOf(TopicPublish.Success);
    expect((await received.waitFor(1))[0]?.valueString()).toBe("hello");
    expect(errorCode(await page.topics.publish("app", "user:1", "x"))).toBe(denied);
    expect(errorCode(await page.auth.generateDisposableToken(scope, ExpiresIn.minutes(5)))).toBe(denied);
    const reading = DisposableTokenScopes.cacheKeyReadOnly("app", "k");
    const other = await api.auth.generateDisposableToken(reading, ExpiresIn.minutes(5));
    expect(other).toBeInstanceOf(GenerateDisposableToken.Success);
    received.subscription.unsubscribe();
  });

  it.each([
    ["another role", DisposableTokenScopes.topicPublishSubscribe("app", "user:1")],
    ["another topic", DisposableTokenScopes.topicSubscribeOnly("app", "admin")],
    ["all topics", DisposableTokenScopes.topicSubscribeOnly("app", AllTopics)],
    ["another cache", DisposableTokenScopes.topicSubscribeOnly("other", "user:1")],
    ["writing", DisposableTokenScopes.cacheKeyReadWrite("app", "k")],
  ])("is denied one for %s", async (_, scope) => {
    using api = (await aKey(issuing)).clients;
    expect(errorCode(await api.auth.generateDisposableToken(scope, ExpiresIn.minutes(5)))).toBe(denied);
  });

  it("can do nothing else", async () => {
    using api = (await aKey(issuing)).clients;
    expect(errorCode(await api.topics.publish("app", "user:1", "x"))).toBe(denied);
    await expect(subscribe(api.topics, "app", "user:1")).rejects.toThrow();
    expect(errorCode(await api.cache.get("app", "k"))).toBe(denied);
    expect(errorCode(await api.cache.createCache("mine"))).toBe(denied);
  });
});

describe("the key of a worker that may only publish to one cache", () => {
  it("does that and nothing else", async () => {
    using worker = (await aKey(publishing)).clients;
    expect(await worker.topics.publish("app", "any", "x")).toBeInstanceOf(TopicPublish.Success);
    expect(errorCode(await worker.topics.publish("other", "any", "x"))).toBe(denied);
    await expect(subscribe(worker.topics, "app", "any")).rejects.toThrow();
    expect(errorCode(await worker.cache.set("app", "k", "v"))).toBe(denied);
    const scope = DisposableTokenScopes.topicPublishOnly("app", "any");
    expect(errorCode(await worker.auth.generateDisposableToken(scope, ExpiresIn.minutes(5)))).toBe(denied);
  });
});

describe("API keys", () => {
  it("are taken by CredentialProvider.fromString as they are", async () => {
    const { apiKey, keyId, clients } = await aKey(publishing);
    clients[Symbol.dispose]();
    const provider = CredentialProvider.fromString(apiKey);
    expect(provider.getAuthToken()).toMatch(new RegExp(`^tdk_${keyId}_`));
    expect(provider.getCacheEndpoint()).toBe(`cache.127.0.0.1:${server.port}`);
  });

  it("end what they have open, and are refused, when they are deleted", async () => {
    const { keyId, clients } = await aKey(
      { resource: "topic", role: "subscribe", cache: { name: "app" }, topic: { all: true } },
      { resource: "cache", role: "read-write", cache: { name: "app" }, key: { all: true } },
    );
    using _ = clients;
    const received = await subscribe(clients.topics, "app", "t");
    expect(await clients.cache.set("app", "k", "v")).toBeInstanceOf(CacheSet.Success);
    await call("DELETE", `/v1/keys/${keyId}`);
    expect(errorCode(await clients.cache.get("app", "k"))).toBe(MomentoErrorCode.AUTHENTICATION_ERROR);
    await expect.poll(() => received.errors[0]?.errorCode()).toBe(MomentoErrorCode.AUTHENTICATION_ERROR);
  });
});
