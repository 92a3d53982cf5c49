// One line per call, at debug, of every protocol on the one port.
import { describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { createLog } from "../../src/lib/leveled-log.ts";
import { startServer } from "../../src/server/server.ts";
import { keyCredential, localCredential, momentoClients } from "../support/momento-node.ts";
import { aDirectory } from "../support/server.ts";

async function aLoggedServer() {
  const directory = await aDirectory();
  const lines: Record<string, unknown>[] = [];
  const levels = { level: "warn", areas: {}, environments: {} } as const;
  const log = createLog(levels, { write: (line) => void lines.push(JSON.parse(line)) });
  const config = configSchema.parse({ port: 0, dataDir: directory.path, drain: { delaySeconds: 0, seconds: 0 } });
  const server = await startServer(config, log);
  return {
    ...{ ...server, log, lines },
    calls: () => lines.filter(({ msg }) => msg === "a call is over"),
    async [Symbol.asyncDispose]() {
      await server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const json = { "content-type": "application/json" };

describe("the call log", () => {
  it("says what was asked, how it ended and who asked, but no credential", async () => {
    await using server = await aLoggedServer();
    const body = JSON.stringify({ name: "k", description: "", superUser: true });
    const made = await fetch(`${server.url}/v1/keys`, { method: "POST", headers: json, body });
    const { apiKey, keyId } = (await made.json()) as { apiKey: string; keyId: string };
    expect(server.calls()).toEqual([]);
    server.log.setLevels({ level: "warn", areas: { http: "debug", momento: "debug" }, environments: {} });
    const headers = { authorization: `Bearer ${apiKey}` };
    await (await fetch(`${server.url}/v1/caches?token=${apiKey}`, { headers })).text();
    await (await fetch(`${server.url}/v1/caches`, { headers: { authorization: "Bearer wrong" } })).text();
    await (await fetch(`${server.url}/cache/nowhere?key=k&token=${apiKey}`)).text();
    using clients = momentoClients(keyCredential(apiKey, server.port));
    await clients.cache.createCache("c");
    await clients.cache.deleteCache("nowhere");
    await expect.poll(() => server.calls().length).toBe(5);
    expect(server.calls()).toMatchObject([
      { area: "http", method: "GET", path: "/v1/caches?token=REDACTED", status: 200, environment: "dev", keyId },
      { area: "http", path: "/v1/caches", status: 401 },
      { area: "momento", path: "/cache/nowhere?key=REDACTED&token=REDACTED", status: 404, keyId },
      { area: "momento", method: "gRPC", path: "/control_client.ScsControl/CreateCache", status: "0", keyId },
      { area: "momento", path: "/control_client.ScsControl/DeleteCache", status: "5", keyId },
    ]);
    for (const { ms } of server.calls()) expect(ms).toBeGreaterThan(0);
    expect(server.calls()[1]).not.toHaveProperty("environment");
    const inner = JSON.parse(Buffer.from(apiKey, "base64").toString()).api_key as string;
    for (const secret of [apiKey, inner, "wrong"]) expect(JSON.stringify(server.lines)).not.toContain(secret);
  });

  it("follows a change of the level on connections that are open", async () => {
    await using server = await aLoggedServer();
    using clients = momentoClients(localCredential(server.port));
    await clients.cache.createCache("c");
    expect(server.calls()).toEqual([]);
    server.log.setLevels({ level: "error", areas: {}, environments: { dev: "debug" } });
    await clients.cache.createCache("d");
    await expect.poll(() => server.calls().length).toBe(1);
    server.log.setLevels({ level: "error", areas: {}, environments: { other: "debug" } });
    await clients.cache.createCache("e");
    await (await fetch(`${server.url}/v1/caches`)).text();
    expect(server.calls()).toHaveLength(1);
  });
});
