// Momento's Auth service with the unmodified Node SDK: each rule of section 3.3 of the Momento reference is a test.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  AllDataReadWrite,
  AllTopics,
  CacheGet,
  CacheRole,
  CacheSet,
  CreateCache,
  type CredentialProvider,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateApiKey,
  GenerateDisposableToken,
  ListCaches,
  MomentoErrorCode,
  type PermissionScope,
  PermissionScopes,
  RefreshApiKey,
  TopicPublish,
  TopicRole,
} from "@gomomento/sdk";
import { InternalSuperUserPermissions } from "@gomomento/sdk-core/dist/src/internal/utils/auth.js";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unwrapCredential, wrapCredential } from "../../src/domain/auth/credential.ts";
import { GenerateApiTokenRequestSchema } from "../../src/protocols/momento/gen/auth_pb.ts";
import { SuperUserPermissions } from "../../src/protocols/momento/gen/permissions_pb.ts";
import { aSession, GrpcCall } from "../support/grpc.ts";
import { keyCredential, localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;
/** The empty credential of dev mode: an operator, as somebody who is signed in to Momento is. */
let root: ReturnType<typeof momentoClients>;

beforeAll(async () => {
  server = await aServer();
  root = momentoClients(localCredential(server.port));
  for (const name of ["app", "other"]) await root.cache.createCache(name);
});
afterAll(async () => {
  root[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const { AUTHENTICATION_ERROR: unknown, INVALID_ARGUMENT_ERROR: invalid, PERMISSION_ERROR: denied } = MomentoErrorCode;
const superUser = new InternalSuperUserPermissions();

function errorCode(response: unknown): MomentoErrorCode | undefined {
  return (response as { errorCode?: () => MomentoErrorCode }).errorCode?.();
}

/** Makes a key, and fails when it is refused. */
async function generate(scope: PermissionScope, expiresIn: ExpiresIn = ExpiresIn.never(), clients = root) {
  const made = await clients.auth.generateApiKey(scope, expiresIn);
  if (!(made instanceof GenerateApiKey.Success)) throw new Error(made.toString());
  return made;
}

const clientsOf = (apiKey: string) => momentoClients(keyCredential(apiKey, server.port));

/** A super-user key, as the command line makes it. */
async function aSuperUserKey(): Promise<{ apiKey: string; apiKeyV2: string }> {
  const response = await fetch(`${server.url}/v1/keys`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"superUser": true}',
  });
  return (await response.json()) as { apiKey: string; apiKeyV2: string };
}

describe("generateApiKey", () => {
  it("makes a key that the SDK takes as it is, and that says when it ends", async () => {
    const before = Math.floor(Date.now() / 1000);
    const made = await generate(AllDataReadWrite, ExpiresIn.hours(1));
    expect(made.endpoint).toBe(`127.0.0.1:${server.port}`);
    expect([made.expiresAt.doesExpire(), made.is_success]).toEqual([true, true]);
    expect(made.expiresAt.epoch()).toBeGreaterThanOrEqual(before + 3600);
    expect(made.expiresAt.epoch()).toBeLessThanOrEqual(before + 3610);
    expect(unwrapCredential(made.apiKey)).toMatch(/^tdk_dev-[0-9a-f]{16}_[\w-]{43}$/);
  });

  it("says of a key that never ends that it does not expire", async () => {
    expect((await generate(AllDataReadWrite)).expiresAt.doesExpire()).toBe(false);
  });

  it("lets a signed-in caller make a super user, and a super-user key make other keys but no super user", async () => {
    using made = clientsOf((await generate(superUser)).apiKey);
    using ours = clientsOf((await aSuperUserKey()).apiKey);
    for (const clients of [made, ours]) {
      const refused = await clients.auth.generateApiKey(superUser, ExpiresIn.never());
      expect([errorCode(refused), String(refused)]).toEqual([
        denied,
        expect.stringContaining("Insufficient permissions"),
      ]);
      expect(await clients.auth.generateApiKey(AllDataReadWrite, ExpiresIn.never())).toBeInstanceOf(
        GenerateApiKey.Success,
      );
    }
    expect(await made.cache.createCache("by-super-user")).toBeInstanceOf(CreateCache.Success);
  });

  it("is denied to data-plane keys and to tokens, AllDataReadWrite included", async () => {
    using data = clientsOf((await generate(AllDataReadWrite)).apiKey);
    expect(errorCode(await data.auth.generateApiKey(AllDataReadWrite, ExpiresIn.never()))).toBe(denied);
    const scope = DisposableTokenScopes.topicPublishSubscribe("app", AllTopics);
    expect(errorCode(await data.auth.generateDisposableToken(scope, ExpiresIn.minutes(1)))).toBe(denied);
    const token = await root.auth.generateDisposableToken(scope, ExpiresIn.minutes(1));
    if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
    using page = clientsOf(token.authToken);
    expect(errorCode(await page.auth.generateApiKey(AllDataReadWrite, ExpiresIn.never()))).toBe(denied);
  });

  it.each<[string, PermissionScope]>([
    ["no permissions", { permissions: [] }],
    [
      "two for one cache that differ only in role",
      {
        permissions: [
          { role: CacheRole.ReadOnly, cache: "app" },
          { role: CacheRole.WriteOnly, cache: "app" },
        ],
      },
    ],
    [
      "two for one topic that differ only in role",
      {
        permissions: [
          { role: TopicRole.PublishOnly, cache: "app", topic: "t" },
          { role: TopicRole.SubscribeOnly, cache: "app", topic: "t" },
        ],
      },
    ],
  ])("refuses %s", async (_, scope) => {
    expect(errorCode(await root.auth.generateApiKey(scope, ExpiresIn.never()))).toBe(invalid);
  });

  it("refuses a lifetime of 0 seconds", async () => {
    expect(errorCode(await root.auth.generateApiKey(AllDataReadWrite, ExpiresIn.seconds(0)))).toBe(invalid);
    const scope = DisposableTokenScopes.topicSubscribeOnly("app", "t");
    expect(errorCode(await root.auth.generateDisposableToken(scope, ExpiresIn.seconds(0)))).toBe(invalid);
  });
});

describe("a generated key", () => {
  it("with AllDataReadWrite reads, writes, publishes and subscribes, and may not make or delete caches", async () => {
    using data = clientsOf((await generate(AllDataReadWrite)).apiKey);
    expect(await data.cache.set("app", "k", "v")).toBeInstanceOf(CacheSet.Success);
    expect(await data.cache.get("app", "k")).toBeInstanceOf(CacheGet.Hit);
    expect(await data.cache.listCaches()).toBeInstanceOf(ListCaches.Success);
    const received = await subscribe(data.topics, "app", "data");
    expect(await data.topics.publish("app", "data", "hello")).toBeInstanceOf(TopicPublish.Success);
    expect((await received.waitFor(1))[0]?.valueString()).toBe("hello");
    received.subscription.unsubscribe();
    expect(errorCode(await data.cache.createCache("mine"))).toBe(denied);
    expect(errorCode(await data.cache.deleteCache("app"))).toBe(denied);
  });

  it("may do in a cache what its role says, and only in that cache", async () => {
    await root.cache.set("app", "k", "v");
    using reader = clientsOf((await generate(PermissionScopes.cacheReadOnly("app"))).apiKey);
    expect(await reader.cache.get("app", "k")).toBeInstanceOf(CacheGet.Hit);
    expect(errorCode(await reader.cache.set("app", "k", "v"))).toBe(denied);
    expect(errorCode(await reader.cache.get("other", "k"))).toBe(denied);
    using writer = clientsOf((await generate(PermissionScopes.cacheWriteOnly("app"))).apiKey);
    expect(await writer.cache.set("app", "k", "v")).toBeInstanceOf(CacheSet.Success);
    expect(errorCode(await writer.cache.get("app", "k"))).toBe(denied);
    expect(errorCode(await writer.cache.set("other", "k", "v"))).toBe(denied);
  });

  it("may do with a topic what its role says, and only with that topic", async () => {
    using listener = clientsOf((await generate(PermissionScopes.topicSubscribeOnly("app", "t"))).apiKey);
    const received = await subscribe(listener.topics, "app", "t");
    expect(errorCode(await listener.topics.publish("app", "t", "x"))).toBe(denied);
    await expect(subscribe(listener.topics, "app", "u")).rejects.toThrow();
    using publisher = clientsOf((await generate(PermissionScopes.topicPublishOnly("app", "t"))).apiKey);
    expect(await publisher.topics.publish("app", "t", "x")).toBeInstanceOf(TopicPublish.Success);
    expect(errorCode(await publisher.topics.publish("app", "u", "x"))).toBe(denied);
    await expect(subscribe(publisher.topics, "app", "t")).rejects.toThrow();
    await received.waitFor(1);
    received.subscription.unsubscribe();
  });

  it("is refused on every call once it has expired, and its open subscription ends", async () => {
    const { apiKey, refreshToken } = await generate(AllDataReadWrite, ExpiresIn.seconds(1));
    using clients = clientsOf(apiKey);
    const received = await subscribe(clients.topics, "app", "expiring");
    await expect.poll(() => received.errors[0]?.errorCode(), { timeout: 5000 }).toBe(unknown);
    expect(errorCode(await clients.cache.get("app", "k"))).toBe(unknown);
    expect(errorCode(await clients.cache.listCaches())).toBe(unknown);
    expect(errorCode(await clients.topics.publish("app", "t", "x"))).toBe(unknown);
    expect(errorCode(await clients.auth.generateApiKey(AllDataReadWrite, ExpiresIn.never()))).toBe(unknown);
    expect(errorCode(await clients.auth.refreshApiKey(refreshToken))).toBe(unknown);
  });
});

describe("refreshApiKey", () => {
  it("gives a new key with the same rights and a new refresh token, which work beside the old ones", async () => {
    const old = await generate(PermissionScopes.cacheReadOnly("app"), ExpiresIn.minutes(10));
    using before = clientsOf(old.apiKey);
    const made = await before.auth.refreshApiKey(old.refreshToken);
    if (!(made instanceof RefreshApiKey.Success)) throw new Error(made.toString());
    expect([made.apiKey === old.apiKey, made.refreshToken === old.refreshToken]).toEqual([false, false]);
    using after = clientsOf(made.apiKey);
    for (const { cache } of [before, after]) {
      expect(errorCode(await cache.get("app", "k"))).toBeUndefined();
      expect(errorCode(await cache.set("app", "k", "v"))).toBe(denied);
    }
    expect(await after.auth.refreshApiKey(made.refreshToken)).toBeInstanceOf(RefreshApiKey.Success);
  });

  it("keeps at least the original lifetime, and never for a key that never ends", async () => {
    const short = await generate(AllDataReadWrite, ExpiresIn.minutes(10));
    using clients = clientsOf(short.apiKey);
    const made = await clients.auth.refreshApiKey(short.refreshToken);
    if (!(made instanceof RefreshApiKey.Success)) throw new Error(made.toString());
    expect(made.expiresAt.epoch()).toBeGreaterThanOrEqual(short.expiresAt.epoch());
    const endless = await generate(AllDataReadWrite);
    using others = clientsOf(endless.apiKey);
    const renewed = await others.auth.refreshApiKey(endless.refreshToken);
    if (!(renewed instanceof RefreshApiKey.Success)) throw new Error(renewed.toString());
    expect(renewed.expiresAt.doesExpire()).toBe(false);
  });

  it("takes a refresh token once, and only with its own key", async () => {
    const [one, other] = [await generate(AllDataReadWrite), await generate(AllDataReadWrite)];
    using clients = clientsOf(one.apiKey);
    expect(errorCode(await clients.auth.refreshApiKey(other.refreshToken))).toBe(unknown);
    expect(errorCode(await clients.auth.refreshApiKey("nonsense"))).toBe(unknown);
    expect(await clients.auth.refreshApiKey(one.refreshToken)).toBeInstanceOf(RefreshApiKey.Success);
    expect(errorCode(await clients.auth.refreshApiKey(one.refreshToken))).toBe(unknown);
    expect(errorCode(await root.auth.refreshApiKey(other.refreshToken))).toBe(unknown);
  });
});

describe("a key in v2 form", () => {
  it("is taken as `authorization`, as a client made by fromApiKeyV2 sends it", async () => {
    const { apiKeyV2 } = await aSuperUserKey();
    using clients = momentoClients(bareCredential(apiKeyV2));
    expect(await clients.cache.set("app", "v2", "v")).toBeInstanceOf(CacheSet.Success);
    expect(await clients.cache.get("app", "v2")).toBeInstanceOf(CacheGet.Hit);
    expect(await clients.auth.generateApiKey(AllDataReadWrite, ExpiresIn.never())).toBeInstanceOf(
      GenerateApiKey.Success,
    );
  });
});

describe("auth.Auth/GenerateApiToken, as another client might send it", () => {
  const permissions = { kind: { case: "superUser", value: SuperUserPermissions.SUPER_USER } } as const;
  const never = { case: "never", value: {} } as const;

  async function send(request: MessageInitShape<typeof GenerateApiTokenRequestSchema>): Promise<number> {
    using session = aSession(server.port);
    const bytes = toBinary(GenerateApiTokenRequestSchema, create(GenerateApiTokenRequestSchema, request));
    return (await new GrpcCall(session, "/auth.Auth/GenerateApiToken", bytes).ended).status;
  }

  it("is answered for a super user that never expires", async () => {
    expect(await send({ permissions, expiry: never })).toBe(status.OK);
  });

  it.each([
    ["that says nothing of its expiry", { permissions }],
    ["with a token id", { permissions, expiry: never, tokenId: "alice" }],
    ["without permissions", { expiry: never }],
  ])("is refused %s", async (_, request) => {
    expect(await send(request)).toBe(status.INVALID_ARGUMENT);
  });

  it("is refused with a credential that is none", async () => {
    expect(await send({ permissions, expiry: never, authToken: "nonsense" })).toBe(status.UNAUTHENTICATED);
  });
});

/** The SDK's v1 wrapping around any text: what is inside goes out as `authorization`. */
function bareCredential(text: string): CredentialProvider {
  return keyCredential(wrapCredential("127.0.0.1", text), server.port);
}
