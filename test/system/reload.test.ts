// What a running server takes of a new configuration, seen from outside.
import { expect, it } from "vitest";
import { type ConfigInput, configSchema } from "../../src/config/schema.ts";
import { aSession, subscribeByHand } from "../support/grpc.ts";
import { aServer } from "../support/server.ts";

const [unauthenticated, exhausted] = [16, 8];

it("the client's address is what trusted proxies say, for every protocol, until the configuration says otherwise", async () => {
  const settings: ConfigInput = { rates: { failedCredentialsPerMinute: 1 } };
  await using server = await aServer({ ...settings, trustedProxies: ["127.0.0.1"] });
  using session = aSession(server.port);
  /** Whether a wrong credential of this client is looked at, or its address has tried too often. */
  const http = async (client: string) => {
    const headers = { authorization: `Bearer wrong-${Math.random()}`, "x-forwarded-for": `203.0.113.9, ${client}` };
    return (await fetch(`${server.url}/v1/caches`, { headers })).status;
  };
  const grpc = async (client: string) => {
    const headers = { authorization: `wrong-${Math.random()}`, "x-forwarded-for": client };
    return (await subscribeByHand(session, "c", "t", { headers }).ended).status;
  };
  /** Is it answered so within five tries? */
  const tries = async (call: (client: string) => Promise<number>, client: string, refused: number) => {
    const answers = [];
    for (let n = 0; n < 5; n++) answers.push(await call(client));
    return answers.includes(refused);
  };
  expect(await tries(http, "198.51.100.1", 429)).toBe(true);
  expect(await grpc("198.51.100.1")).toBe(exhausted);
  expect(await http("198.51.100.2")).toBe(401);
  expect(await grpc("198.51.100.3")).toBe(unauthenticated);

  const next = configSchema.parse({ ...settings, dataDir: server.dataDir, port: 0, messageMaxBytes: 1000 });
  const { changed, needRestart } = await server.reload(next);
  expect(changed).toContain("trustedProxies");
  expect(needRestart).toContain("messageMaxBytes");
  expect(await tries(http, "198.51.100.4", 429)).toBe(true);
  expect(await http("198.51.100.5")).toBe(429);
  expect(await grpc("198.51.100.6")).toBe(exhausted);
});

it("bounds that change count for who is connected already", async () => {
  await using server = await aServer();
  await using strict = await aServer();
  const answers = async () => {
    const all = [];
    for (let n = 0; n < 5; n++) {
      const headers = { authorization: `Bearer wrong-${n}` };
      all.push((await fetch(`${strict.url}/v1/caches`, { headers })).status);
    }
    return all;
  };
  expect(await answers()).toEqual([401, 401, 401, 401, 401]);
  await strict.reload(configSchema.parse({ rates: { failedCredentialsPerMinute: 1 } }));
  expect(await answers()).toContain(429);
  expect((await fetch(`${server.url}/v1/caches`, { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
});
