// `memory` caches in a server with little memory: whatever is put in, it evicts and goes on. TEST_LONG puts in ten times as much.
import type { ClientHttp2Session } from "node:http2";
import { cache } from "@gomomento/generated-types";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aSession, GrpcCall, publishByHand } from "../support/grpc.ts";
import { JsonApi } from "../support/json-api.ts";
import { startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const { _ListConcatenateBackRequest, _SetRequest, _GetRequest, _GetResponse, ECacheResult } = cache.cache_client;
const heapMb = 128;
const times = process.env.TEST_LONG ? 10 : 1;
const environments = ["one", "two", "three"];
const caches = Array.from({ length: 8 }, (_, n) => `c${n}`);
const mb = 1_000_000;

let server: Awaited<ReturnType<typeof startDevProcess>>;
let directory: Awaited<ReturnType<typeof aDirectory>>;
/** API keys by environment. */
const apiKeys = new Map<string, string>();

beforeAll(async () => {
  directory = await aDirectory();
  const bounds = ["--memory-cache-max-bytes", `${20 * mb}`, "--memory-environment-max-bytes", `${40 * mb}`];
  server = await startDevProcess(["--port", "0", "--data-dir", directory.path, ...bounds], {
    NODE_OPTIONS: `--max-old-space-size=${heapMb}`,
  });
  for (const name of environments) {
    const { key } = await new JsonApi(server.port).post("/v1/environments", { name });
    apiKeys.set(name, key.apiKey);
    const api = new JsonApi(server.port, key.apiKey);
    for (const cacheName of caches) await api.post("/v1/caches", { name: cacheName, durability: "memory" });
  }
});
afterAll(async () => {
  await server.end("SIGKILL");
  await directory[Symbol.asyncDispose]();
});

const bytes = (text: string) => new TextEncoder().encode(text);
const headersOf = (environment: string, cacheName: string) => ({
  authorization: apiKeys.get(environment) as string,
  cache: cacheName,
});

/** Makes the call for 0 to `count` - 1, some at a time; every one must be good. */
async function repeat(count: number, call: (n: number) => Promise<{ status: number; message: string }>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) expect(await call(next++)).toMatchObject({ status: 0, message: "" });
  };
  await Promise.all(Array.from({ length: 32 }, lane));
}

function set(session: ClientHttp2Session, environment: string, cacheName: string, key: string, value: Uint8Array) {
  const request = new _SetRequest({ cache_key: bytes(key), cache_body: value, ttl_milliseconds: 600_000 });
  return new GrpcCall(session, "/cache_client.Scs/Set", request.serializeBinary(), headersOf(environment, cacheName))
    .ended;
}

function push(session: ClientHttp2Session, environment: string, cacheName: string, key: string, values: Uint8Array[]) {
  const request = new _ListConcatenateBackRequest({
    ...{ list_name: bytes(key), values, ttl_milliseconds: 600_000, refresh_ttl: true },
  });
  const path = "/cache_client.Scs/ListConcatenateBack";
  return new GrpcCall(session, path, request.serializeBinary(), headersOf(environment, cacheName)).ended;
}

async function has(session: ClientHttp2Session, environment: string, cacheName: string, key: string): Promise<boolean> {
  const request = new _GetRequest({ cache_key: bytes(key) }).serializeBinary();
  const call = new GrpcCall(session, "/cache_client.Scs/Get", request, headersOf(environment, cacheName));
  expect((await call.ended).status).toBe(0);
  return _GetResponse.deserializeBinary(call.messages[0] as Buffer).result === ECacheResult.Hit;
}

/** One figure of `/metrics`, as its line begins. */
async function metric(line: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((one) => one.startsWith(`${line} `))
      ?.slice(line.length + 1),
  );
}

describe(`a server with ${heapMb} MB of heap`, () => {
  const totalMaxBytes = heapMb * 2 ** 20 * 0.4;

  it("evicts small items, large ones and lists of many caches and environments, by each bound, and keeps the latest", {
    timeout: times * 30_000,
  }, async () => {
    using session = aSession(server.port);
    const small = bytes("small");
    const large = new Uint8Array(200_000);
    const elements = Array.from({ length: 1000 }, (_, n) => bytes(`element ${n}`));
    const environmentOf = (n: number) => environments[n % environments.length] as string;
    const cacheOf = (n: number) => caches[n % caches.length] as string;

    await repeat(110, (n) => set(session, "one", "c0", `first ${n}`, large));
    await repeat(110, (n) => set(session, "one", `c${1 + (n % 7)}`, `first ${n}`, large));
    await repeat(times * 2000, (n) => set(session, environmentOf(n), cacheOf(n), `small ${n}`, small));
    await repeat(times * 60, (n) => push(session, environmentOf(n), cacheOf(n), `list ${n}`, elements));
    await repeat(times * 30, (n) => push(session, "two", "c1", `long list ${n % times}`, elements));
    await repeat(times * 120, (n) => set(session, environmentOf(n), cacheOf(n), `last ${n}`, large));

    for (const reason of ["cache", "environment", "total"]) {
      expect(await metric(`todoku_storage_memory_evictions_total{reason="${reason}"}`), reason).toBeGreaterThan(0);
    }
    expect(await metric("todoku_storage_memory_item_bytes")).toBeLessThanOrEqual(totalMaxBytes);
    expect(await metric("todoku_storage_memory_item_bytes")).toBeGreaterThan(totalMaxBytes * 0.9);
    const last = times * 120 - 1;
    expect(await has(session, environmentOf(last), cacheOf(last), `last ${last}`)).toBe(true);
    expect(await has(session, "one", "c0", "first 0")).toBe(false);
  });

  it("drops the oldest messages of topics, and goes on", { timeout: times * 30_000 }, async () => {
    using session = aSession(server.port);
    const [text, short] = ["x".repeat(200_000), "short"];
    const publish = (n: number, value: string) => {
      const environment = environments[n % environments.length] as string;
      return publishByHand(session, caches[n % caches.length] as string, `t${n % 10}`, value, {
        authorization: apiKeys.get(environment) as string,
      });
    };
    await repeat(times * 110, (n) => publish(n, text));
    await repeat(times * 500, (n) => publish(n, short));
    expect(await metric("todoku_storage_memory_topic_bytes")).toBeLessThanOrEqual(heapMb * 2 ** 20 * 0.15);
    expect(await metric("todoku_storage_memory_topic_bytes")).toBeGreaterThan(heapMb * 2 ** 20 * 0.1);
    expect(server.child.exitCode).toBe(null);
  });
});
