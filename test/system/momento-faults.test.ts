// Faults that a client asks for, and what the unmodified Node SDK makes of them: retries, time-outs, error classes, streams that come back.
import { join } from "node:path";
import {
  CacheClient,
  CacheGet,
  type CacheListPushBack,
  CacheSet,
  Configurations,
  CreateCache,
  type CredentialProvider,
  type Middleware,
  MomentoErrorCode,
  TopicClient,
  TopicConfigurations,
} from "@gomomento/sdk";
import { ExperimentalMomentoLocalTestConfigMiddleware } from "@gomomento/sdk/dist/src/config/middleware/experimental-momento-local-test-config-middleware.js";
import { MomentoRPCMethod } from "@gomomento/sdk/dist/src/config/retry/momento-rpc-method.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../support/cli.ts";
import { keyCredential, localCredential, subscribe } from "../support/momento-node.ts";
import { aDirectory, aServer } from "../support/server.ts";

/** As in docs/guides/test-your-client.md. */
function faults(headers: Record<string, string>): Middleware {
  return {
    onNewRequest: () => ({
      async onRequestMetadata(metadata) {
        for (const [name, value] of Object.entries(headers)) metadata._grpcMetadata.set(name, value);
        return metadata;
      },
      onRequestBody: async (body) => body,
      onResponseMetadata: async (metadata) => metadata,
      onResponseBody: async (body) => body,
      onResponseStatus: async (status) => status,
    }),
  };
}

/** Counts the tries of each call: it stands behind the SDK's retries. */
function counter(): Middleware & { tries: number } {
  const plain = faults({});
  const counting = {
    tries: 0,
    shouldLoadLate: true,
    onNewRequest() {
      counting.tries++;
      return plain.onNewRequest();
    },
  };
  return counting;
}

let server: Awaited<ReturnType<typeof aServer>>;
let credential: CredentialProvider;
const clients: CacheClient[] = [];

beforeAll(async () => {
  server = await aServer({ faultAdminPort: 0 });
  credential = localCredential(server.port);
  const cache = cacheClient();
  expect(await cache.createCache("c")).toBeInstanceOf(CreateCache.Success);
  expect(await cache.set("c", "k", "v")).toBeInstanceOf(CacheSet.Success);
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server[Symbol.asyncDispose]();
});

function cacheClient(
  middlewares: Middleware[] = [],
  {
    timeoutMs = 5000,
    credentialProvider = credential,
  }: { timeoutMs?: number; credentialProvider?: CredentialProvider } = {},
): CacheClient {
  const configuration = Configurations.Laptop.latest().withMiddlewares(middlewares).withClientTimeoutMillis(timeoutMs);
  const client = new CacheClient({ configuration, credentialProvider, defaultTtlSeconds: 60 });
  clients.push(client);
  return client;
}

function topicClient(middlewares: Middleware[] = []): TopicClient {
  const configuration = TopicConfigurations.Default.latest().withMiddlewares(middlewares);
  return new TopicClient({ configuration, credentialProvider: credential });
}

function errorCode(response: unknown): MomentoErrorCode | undefined {
  return (response as { errorCode?: () => MomentoErrorCode }).errorCode?.();
}

let requests = 0;
const anId = () => `request-${++requests}`;

describe("the SDK's default retries", () => {
  it("get a value after two failures, and give up after four", async () => {
    const [asked, counting] = [{ "return-error": "unavailable", "error-rpcs": "get" }, counter()];
    const cache = cacheClient([faults({ ...asked, "error-count": "2", "request-id": anId() }), counting]);
    expect(await cache.get("c", "k")).toBeInstanceOf(CacheGet.Hit);
    expect(counting.tries).toBe(3);
    const failing = await cacheClient([faults(asked), counting]).get("c", "k");
    expect([errorCode(failing), counting.tries]).toEqual([MomentoErrorCode.SERVER_UNAVAILABLE, 7]);
  });

  it("do not repeat what may not happen twice, and a call that failed did not happen", async () => {
    const asked = { "return-error": "unavailable", "error-rpcs": "list-push-back", "error-count": "1" };
    const counting = counter();
    const cache = cacheClient([faults({ ...asked, "request-id": anId() }), counting]);
    expect(errorCode(await cache.listPushBack("c", "list", "x"))).toBe(MomentoErrorCode.SERVER_UNAVAILABLE);
    expect(counting.tries).toBe(1);
    const pushed = (await cache.listPushBack("c", "list", "x")) as CacheListPushBack.Success;
    expect(pushed.listLength()).toBe(1);
  });

  it("are driven by the SDK's own test middleware too", async () => {
    const middleware = new ExperimentalMomentoLocalTestConfigMiddleware({
      requestId: anId(),
      ...{ returnError: MomentoErrorCode.SERVER_UNAVAILABLE, errorRpcs: [MomentoRPCMethod.Get], errorCount: 1 },
      ...{ delayRpcs: [MomentoRPCMethod.Get], delayMs: 20, delayCount: 1 },
      ...{ streamErrorRpcs: [MomentoRPCMethod.TopicSubscribe], streamErrorMessageLimit: 3 },
      streamError: MomentoErrorCode.SERVER_UNAVAILABLE,
    });
    const counting = counter();
    expect(await cacheClient([middleware, counting]).get("c", "k")).toBeInstanceOf(CacheGet.Hit);
    expect(counting.tries).toBe(2);
  });
});

it("a delay longer than the client waits is the SDK's time-out, and the next call is as quick as ever", async () => {
  const asked = { "delay-rpcs": "get", "delay-ms": "60000", "delay-count": "1", "request-id": anId() };
  const cache = cacheClient([faults(asked)], { timeoutMs: 500 });
  const startMs = performance.now();
  expect(errorCode(await cache.get("c", "k"))).toBe(MomentoErrorCode.TIMEOUT_ERROR);
  expect(performance.now() - startMs).toBeLessThan(5000);
  expect(await cache.get("c", "k")).toBeInstanceOf(CacheGet.Hit);
});

it.each([
  ["cancelled", MomentoErrorCode.CANCELLED_ERROR],
  ["unknown", MomentoErrorCode.UNKNOWN_SERVICE_ERROR],
  ["invalid-argument", MomentoErrorCode.INVALID_ARGUMENT_ERROR],
  ["deadline-exceeded", MomentoErrorCode.TIMEOUT_ERROR],
  ["not-found", MomentoErrorCode.CACHE_NOT_FOUND_ERROR],
  ["already-exists", MomentoErrorCode.CACHE_ALREADY_EXISTS_ERROR],
  ["permission-denied", MomentoErrorCode.PERMISSION_ERROR],
  ["resource-exhausted", MomentoErrorCode.LIMIT_EXCEEDED_ERROR],
  ["failed-precondition", MomentoErrorCode.FAILED_PRECONDITION_ERROR],
  ["aborted", MomentoErrorCode.INTERNAL_SERVER_ERROR],
  ["out-of-range", MomentoErrorCode.BAD_REQUEST_ERROR],
  ["unimplemented", MomentoErrorCode.BAD_REQUEST_ERROR],
  ["internal", MomentoErrorCode.INTERNAL_SERVER_ERROR],
  ["unavailable", MomentoErrorCode.SERVER_UNAVAILABLE],
  ["data-loss", MomentoErrorCode.INTERNAL_SERVER_ERROR],
  ["unauthenticated", MomentoErrorCode.AUTHENTICATION_ERROR],
])("%s is the SDK's %s", async (name, code) => {
  const cache = cacheClient([faults({ "return-error": name, "error-rpcs": "set" })]);
  expect(errorCode(await cache.set("c", "k", "v"))).toBe(code);
});

describe("a subscription", () => {
  it("whose stream fails after each three messages comes back and loses none", async () => {
    const asked = { "stream-error-rpcs": "topic-subscribe", "stream-error": "unavailable" };
    const topics = topicClient([faults({ ...asked, "stream-error-message-limit": "3" })]);
    const received = await subscribe(topics, "c", "failing");
    const texts = ["1", "2", "3", "4", "5"];
    for (const text of texts) await topics.publish("c", "failing", text);
    expect((await received.waitFor(5)).map((item) => item.valueString())).toEqual(texts);
    expect(received.connectionsLost).toBeGreaterThan(0);
    expect([received.errors, received.discontinuities]).toEqual([[], []]);
    received.subscription.unsubscribe();
  });

  it("comes back after an outage, and gets what was published before it was back", async () => {
    const counting = counter();
    const received = await subscribe(topicClient([counting]), "c", "outage");
    const publish = async (text: string) => {
      const headers = { "content-type": "application/json" };
      const { ok } = await fetch(`${server.url}/v1/topics/c/outage`, {
        method: "POST",
        headers,
        body: JSON.stringify({ text }),
      });
      expect(ok).toBe(true);
    };
    await publish("before");
    await received.waitFor(1);
    expect((await fetch(`${server.faultAdminUrl}/block`)).status).toBe(200);
    await expect.poll(() => received.connectionsLost).toBe(1);
    await expect(publish("during")).rejects.toThrow("fetch failed");
    await expect.poll(() => counting.tries, { timeout: 5000 }).toBeGreaterThan(1); // and that one failed too
    expect((await fetch(`${server.faultAdminUrl}/unblock`)).status).toBe(200);
    await publish("after");
    const items = await received.waitFor(2, 30_000);
    expect(items.map((item) => item.valueString())).toEqual(["before", "after"]);
    expect([received.errors, received.discontinuities]).toEqual([[], []]);
    received.subscription.unsubscribe();
  });
});

it("todoku start takes no notice of fault headers, and opens no fault port", async () => {
  await using data = await aDirectory();
  const [dataDir, masterKeyFile] = [join(data.path, "data"), join(data.path, "master.key")];
  const init = runCommand(["init", "--data-dir", dataDir, "--master-key-file", masterKeyFile]);
  expect(await init.done, init.stderr).toBe(0);
  const config = { dataDir, masterKeyFile };
  await expect(aServer({ ...config, faultAdminPort: 0 }, { mode: "production" })).rejects.toThrow(
    "faultAdminPort is for todoku dev",
  );
  await using production = await aServer(config, { mode: "production" });
  expect(production.faultAdminUrl).toBeUndefined();
  const credentialProvider = keyCredential(init.stdout.trim(), production.port);
  const asked = { "return-error": "unavailable", "error-rpcs": "get gett", "delay-rpcs": "get", "delay-ms": "60000" };
  const cache = cacheClient([faults(asked)], { credentialProvider, timeoutMs: 2000 });
  expect(await cache.createCache("c")).toBeInstanceOf(CreateCache.Success);
  expect(await cache.get("c", "k")).toBeInstanceOf(CacheGet.Miss);
});
