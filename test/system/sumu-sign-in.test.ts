// Users of an identity provider at the gateway: the defects of the article's authorizer (B1), (B2), (B9), (B10), (B17) and (B32), over real sockets.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { createLog } from "../../src/lib/leveled-log.ts";
import { type RunningServer, startServer } from "../../src/server/server.ts";
import { SettableMachine } from "../support/clock.ts";
import { connect, type GatewayClient, refusal, socketUrl } from "../support/gateway.ts";
import { anIssuer } from "../support/issuer.ts";
import { JsonApi } from "../support/json-api.ts";
import { aDirectory } from "../support/server.ts";

const machine = new SettableMachine();
const lines: string[] = [];
let directory: Awaited<ReturnType<typeof aDirectory>>;
let issuer: Awaited<ReturnType<typeof anIssuer>>;
let server: RunningServer;
let operator: JsonApi;

beforeAll(async () => {
  directory = await aDirectory();
  issuer = await anIssuer();
  const log = createLog({ level: "debug", areas: {}, environments: {} }, { write: (line) => void lines.push(line) });
  const config = configSchema.parse({
    ...{ port: 0, dataDir: directory.path, drain: { delaySeconds: 0, seconds: 0 }, log: { level: "debug" } },
    gateway: { authorizers: [{ issuer: issuer.issuer, audiences: ["app"], leewayMs: 0 }] },
  });
  server = await startServer(config, log, { machineClocks: machine });
  operator = new JsonApi(server.port);
  await operator.post("/v1/caches", { name: "notifications" });
});
afterAll(async () => {
  await server?.close();
  await issuer?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const at = (path: string) => socketUrl(server, path);
const tokenFor = (claims: Record<string, unknown> = {}) => issuer.token(claims, {}, machine.wallMs());
const signedIn = async (claims: Record<string, unknown> = {}) =>
  connect(at("/push"), {}, ["todoku.v1", `bearer.${await tokenFor(claims)}`]);

type Place = "header" | "todoku.v1" | "sumu" | "authorization" | "token";
/** Connects as the article's client does, or better. */
function bring(token: string, place: Place): Promise<GatewayClient> {
  if (place === "header") return connect(at("/push"), { headers: { authorization: `Bearer ${token}` } });
  if (place === "authorization" || place === "token") return connect(at(`/push?${place}=${token}`));
  return connect(at("/push"), {}, [place, `bearer.${token}`]);
}

describe("a token of an identity provider", () => {
  it.each<Place>(["header", "todoku.v1", "sumu", "authorization", "token"])(
    "lets its user in from %s, also when it is longer than API Gateway's addresses (B1), (B2)",
    async (place) => {
      const token = await tokenFor({ sub: `by-${place}`, groups: Array.from({ length: 400 }, (_, n) => `group-${n}`) });
      expect(token.length).toBeGreaterThan(4096);
      const client = await bring(token, place);
      expect(await client.ask({ action: "publish", message: place })).toMatchObject({ type: "ack" });
      const { items } = await operator.get("/v1/topics/events/messages/items?limit=1000");
      const sent = items.find(({ text }: { text: string }) => text === place);
      expect(sent.attributes.user_id).toEqual({ type: "String", value: `by-${place}` });
      await client.close();
    },
  );

  it("that is refused says why, where pages can read it, and each refusal is counted (B9)", async () => {
    const token = await tokenFor({ aud: "another" });
    const count = async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      const sample = /^todoku_gateway_handshakes_refused_total\{.*reason="unauthenticated".*\} (\d+)$/m.exec(text);
      return Number(sample?.[1] ?? 0);
    };
    const before = await count();
    const page = await connect(at("/push"), {}, ["todoku.v1", `bearer.${token}`]);
    expect(await page.closed).toEqual([4401, expect.stringContaining('(claim "aud")')]);
    const { status, body } = await refusal(at(`/push?authorization=${token}`));
    expect({ status, body }).toMatchObject({
      status: 401,
      body: { message: "Unauthorized", error: { message: expect.stringContaining('(claim "aud")') } },
    });
    expect((await count()) - before).toBe(2);
  });

  it("gives its user the own topic, publish and send, and nothing of others (B10), (B17)", async () => {
    const client = await signedIn();
    const denied = { type: "error", error: { code: "permission_denied" } };
    const own = { cache: "notifications", topic: "alice" };
    expect(await client.ask({ action: "topics.subscribe", ...own })).toMatchObject({ type: "subscribed", ...own });
    for (const topic of ["bob", "alice/private", "*"]) {
      expect(await client.ask({ action: "topics.subscribe", cache: "notifications", topic })).toMatchObject(denied);
    }
    for (const topic of ["messages", "presence", "notifications"]) {
      const place = { cache: "events", topic };
      expect(await client.ask({ action: "topics.subscribe", ...place })).toMatchObject(denied);
      expect(await client.ask({ action: "topics.publish", ...place, text: "{}" })).toMatchObject(denied);
    }
    expect(await client.ask({ action: "topics.publish", ...own, text: "x" })).toMatchObject(denied);
    expect(await client.ask({ action: "presence.watch", users: ["bob"] })).toMatchObject(denied);
    await client.close();
  });

  it("that ends closes the connection with 4401, unless a new one came in time (B10)", async () => {
    const seconds = Math.floor(machine.wallMs() / 1000);
    const [leaves, stays] = [await signedIn({ exp: seconds + 300 }), await signedIn({ exp: seconds + 300 })];
    machine.pass(241_000);
    await Promise.all([leaves.ofType("auth.expiring"), stays.ofType("auth.expiring")]);
    stays.send({ action: "auth.refresh", token: await tokenFor() });
    await stays.ofType("auth.refreshed");
    machine.pass(61_000);
    expect(await leaves.closed).toEqual([4401, expect.stringContaining("expired")]);
    expect(await stays.ask({ action: "ping" })).toMatchObject({ type: "pong" });
    await stays.close();
  });

  it("is taken back from every connection of its user at once, and lets nobody in again (B10)", async () => {
    const token = await tokenFor({ sub: "mallory" });
    const open = [await bring(token, "sumu"), await bring(token, "header")];
    await operator.post("/v1/revocations", { userId: "mallory" });
    for (const { closed } of open) expect(await closed).toEqual([4401, expect.stringContaining("revoked")]);
    expect((await refusal(at(`/push?token=${token}`))).status).toBe(401);
  });
});

describe("the log, at its most talkative", () => {
  it("tells of connections and refusals without tokens, claims and what was said (B1), (B32)", async () => {
    const before = lines.length;
    const secrets = { said: "S3CRET-SAID", heard: "S3CRET-HEARD", claimed: "S3CRET-CLAIM" };
    const token = await tokenFor({ sub: "quiet", email: `${secrets.claimed}@example.com` });
    const refused = await tokenFor({ sub: "quiet", aud: "another", email: `${secrets.claimed}@example.com` });
    for (const place of ["header", "todoku.v1", "authorization", "token"] as const) {
      const client = await bring(token, place);
      for (const action of ["publish", "send", "unknown"]) await client.ask({ action, message: secrets.said });
      const data = { type: "news", text: secrets.heard };
      for (const users of [["quiet"], ["nobody"]]) await operator.post("/v1/notifications", { users, data });
      await client.ofType("news");
      await client.close();
      for (const [path, protocols] of [
        [`/push?token=${refused}`, ["todoku.v1"]],
        ["/push", ["todoku.v1", `bearer.${refused}`]],
      ] as const) {
        await (await connect(at(path), {}, [...protocols])).closed;
      }
    }
    const told = lines.slice(before).join("");
    expect(told).toContain('"userId":"quiet"');
    expect(told).toContain("a handshake was refused");
    const parts = [token, refused].flatMap((text) => text.split(".").slice(1));
    for (const secret of [...parts, ...Object.values(secrets)]) expect(told.includes(secret), "the log").toBe(false);
  });
});
