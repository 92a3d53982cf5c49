// A server that lets users of an identity provider in, over its HTTP door; what the configuration says wrong ends its start.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../test/support/cli.ts";
import { aKey, anIssuer } from "../../test/support/issuer.ts";
import { JsonApi } from "../../test/support/json-api.ts";
import { aTarget } from "../../test/support/outbound-target.ts";
import { aDirectory, aServer } from "../../test/support/server.ts";
import { type Config, configSchema, type Mode } from "../config/schema.ts";
import type { TodokuError } from "../domain/errors.ts";
import { createClock } from "../lib/clock.ts";
import { type Log, silentLog } from "../lib/log.ts";
import { createIdentityService } from "./identity.ts";

const issuer = await anIssuer(aKey("ES256", "k1"));
const directory = await aDirectory();
afterAll(async () => {
  await issuer[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

describe("a server with an authorizer", () => {
  const grants = { subscribe: ["chat/{claims.rooms}"], publish: ["chat/{claims.rooms}", "events/messages"] };
  let server: Awaited<ReturnType<typeof aServer>>;
  let operator: JsonApi;
  beforeAll(async () => {
    // The dev issuer is on this machine; nothing else has to be permitted for it.
    const authorizers = [{ issuer: issuer.issuer, audiences: ["app"], grants }];
    server = await aServer({ gateway: { authorizers } });
    operator = new JsonApi(server.port);
    await operator.post("/v1/caches", { name: "chat" });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const as = async (claims: Record<string, unknown> = {}) => {
    const token = await issuer.token({ rooms: ["red"], ...claims });
    return { token, api: new JsonApi(server.port, token) };
  };
  const refusal = async (api: JsonApi, path: string, body: unknown) => {
    const response = await api.send("POST", path, body);
    return `${response.status} ${await response.text()}`;
  };

  it("takes the token in the Authorization header with Bearer (B2), for what its claims give and nothing else (B10)", async () => {
    const { api } = await as();
    await api.post("/v1/topics/chat/red", { text: "hello" });
    expect(await refusal(api, "/v1/topics/chat/blue", { text: "x" })).toContain("403");
    expect(await refusal(api, "/v1/topics/events/notifications", { text: "{}" })).toContain("403");
    expect(await refusal(api, "/v1/notifications", { data: 1 })).toContain("403");
    const { items } = await operator.get("/v1/topics/chat/red/items");
    expect(items).toMatchObject([{ text: "hello", tokenId: "alice" }]);
  });

  it("lets nobody write who a message is from", async () => {
    const attributes = { user_id: { type: "String", value: "bob" } };
    const { api } = await as();
    await api.post("/v1/topics/events/messages", { text: "x" });
    const answer = await refusal(api, "/v1/topics/events/messages", { text: "x", attributes });
    expect(answer).toMatch(/^403 .*attribute \\"user_id\\" of messages/);
    await operator.post("/v1/topics/events/messages", { text: "x", attributes });
  });

  it("says to the caller what is wrong with the token (B9)", async () => {
    const { api } = await as({ aud: "another" });
    expect(await refusal(api, "/v1/topics/chat/red", { text: "x" })).toMatch(/^401 .*claim \\"aud\\"/);
  });

  it("takes back what a user has when the user is revoked (B10)", async () => {
    const { api } = await as({ sub: "mallory" });
    await api.post("/v1/topics/chat/red", { text: "x" });
    await operator.post("/v1/revocations", { userId: "mallory" });
    expect(await refusal(api, "/v1/topics/chat/red", { text: "x" })).toMatch(/^401 .*sign-in was revoked/);
  });

  it("explains a token to whoever has it", async () => {
    const { token } = await as();
    const command = runCommand(["token", "inspect", "--url", server.url], {}, [Buffer.from(token)]);
    expect(await command.done, command.stderr).toBe(0);
    expect(command.stdout).toContain('the sign-in of the user "alice" of the environment "dev". It is valid.');
    expect(command.stdout).toContain('- subscribe to the topic "red" of the cache "chat"');
    expect(command.stdout).toContain('- use the route "publish" of the gateway');
    expect(command.stdout.includes(token)).toBe(false);
  });
});

it("a server that stops waits for no hook that is slow", async () => {
  const asked = Promise.withResolvers<void>();
  await using backend = await aTarget(() => asked.resolve());
  const config = configSchema.parse({ gateway: { endpoints: [{ path: "/push", hook: { url: backend.url } }] } });
  const service = createIdentityService({ mode: "dev", config, clock: createClock(), log: silentLog });
  const [endpoint] = config.gateway.endpoints;
  const question = {
    environment: "dev",
    credential: "",
    headers: {},
    query: {},
    path: "/push",
    address: "203.0.113.9",
  };
  const outcome = service
    .connectHook(endpoint ?? {})
    ?.authorize(question)
    .catch(({ code }: TodokuError) => code);
  await asked.promise;
  await service.close();
  expect(await outcome).toBe("unavailable");
});

describe("what the configuration says", () => {
  const start = (
    authorizer: Record<string, unknown>,
    mode: Mode = "production",
    endpoints: Config["gateway"]["endpoints"] = [],
  ) => {
    const lines: string[] = [];
    const log: Log = { ...silentLog, warn: (_, message) => void lines.push(message) };
    const given = { issuer: "https://issuer.example", audiences: ["app"], environment: "prod", ...authorizer };
    const config = configSchema.parse({ gateway: { authorizers: [given] } });
    const gateway = { ...config.gateway, ...(endpoints.length > 0 && { endpoints }) };
    createIdentityService({ mode, config: { ...config, gateway }, clock: createClock(), log });
    return lines;
  };
  const endpoint = (environment: string) => ({
    ...configSchema.parse({}).gateway.endpoints[0],
    path: `/${environment}`,
    environment,
  });

  it("must say where users are, unless the endpoints or dev mode do", () => {
    const nowhere = { environment: undefined };
    expect(() => start(nowhere)).toThrow("gateway.authorizers[0].environment: must be given");
    expect(() => start(nowhere, "dev")).not.toThrow();
    const [one, two] = [endpoint("one"), endpoint("two")] as Config["gateway"]["endpoints"];
    if (!one || !two) throw new Error("there is no endpoint by default");
    expect(() => start(nowhere, "production", [one])).not.toThrow();
    expect(() => start(nowhere, "production", [one, two])).toThrow("environment: must be given");
  });

  it("must say where the users of a hook are, and keep credentials off plain wires or hear of it", () => {
    const [one] = [endpoint("one")] as Config["gateway"]["endpoints"];
    if (!one) throw new Error("there is no endpoint by default");
    const hook = { url: "http://backend:3000/connect" };
    const nowhere = [{ ...one, environment: undefined, hook }];
    expect(() => start({}, "production", nowhere)).toThrow("gateway.endpoints[0].environment: must be given");
    expect(() => start({}, "dev", nowhere)).not.toThrow();
    expect(start({}, "production", [{ ...one, hook }])).toEqual([expect.stringContaining("without TLS")]);
    expect(start({}, "production", [{ ...one, hook: { url: "https://backend.example/connect" } }])).toEqual([]);
  });

  it("must name addresses that can be called", () => {
    const problem = "gateway.authorizers[0]: the address of its keys cannot be called: ";
    expect(() => start({ jwksUri: "https://user:hunter2@id.example/jwks" })).toThrow(
      `${problem}it has a user name or a password`,
    );
    expect(() => start({ jwksUri: "https://10.0.0.7/jwks" })).not.toThrow();
    const [one] = [endpoint("one")] as Config["gateway"]["endpoints"];
    if (!one) throw new Error("there is no endpoint by default");
    const hook = { url: "https://user:hunter2@backend.example/connect" };
    expect(() => start({}, "production", [{ ...one, hook }])).toThrow(
      "gateway.endpoints[0].hook.url: cannot be called: it has a user name or a password",
    );
  });

  it("must name a file that holds keys", () => {
    const path = join(directory.path, "jwks.json");
    expect(() => start({ jwksFile: path })).toThrow(`gateway.authorizers[0].jwksFile: ${path} cannot be read (ENOENT)`);
    writeFileSync(path, '{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}');
    expect(() => start({ jwksFile: path })).toThrow("none of its keys can be used: is a shared secret");
    writeFileSync(path, "keys");
    expect(() => start({ jwksFile: path })).toThrow("it is no JSON");
  });

  it("is warned of when it lets anybody's tokens in, or keys are read without TLS", () => {
    expect(start({})).toEqual([]);
    expect(start({ audiences: [] })).toEqual([expect.stringMatching(/^gateway\.authorizers\[0\]\.audiences is empty/)]);
    expect(start({ jwksUri: "http://keycloak:8080/certs" })).toEqual([expect.stringContaining("is read without TLS")]);
    expect(start({ jwksUri: "http://127.0.0.1:8080/certs" })).toEqual([]);
  });
});
