// The examples of docs/reference/websocket.md against a server: each frame behind ">" is sent, each behind "<" is received.
// Takes some seconds: a credential has to come near its end.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../src/domain/limits.ts";
import { closeLabel } from "../src/protocols/gateway/stats.ts";
import { aFunctionEndpoint } from "../test/support/function-endpoint.ts";
import { connect, type GatewayClient, socketUrl } from "../test/support/gateway.ts";
import { JsonApi } from "../test/support/json-api.ts";
import { aServer } from "../test/support/server.ts";

const page = readFileSync(join(resolve(import.meta.dirname, ".."), "docs/reference/websocket.md"), "utf8");

interface Example {
  readonly heading: string;
  readonly lines: readonly string[];
}

/** All examples, each with the heading that it stands under. */
const examples: Example[] = page.split(/^#+ /m).flatMap((section) => {
  const [heading = ""] = section.split("\n");
  return [...section.matchAll(/^```frames\n(.*?)^```$/gms)].map(([, text = ""]) => ({
    heading,
    lines: text.trimEnd().split("\n"),
  }));
});

let server: Awaited<ReturnType<typeof aServer>>;
let api: JsonApi;
let alice: GatewayClient;
let orders: Awaited<ReturnType<typeof aFunctionEndpoint>>;

beforeAll(async () => {
  orders = await aFunctionEndpoint(({ body }) => {
    const { item, count } = JSON.parse(body);
    return { statusCode: 200, body: JSON.stringify({ ordered: item, total: count * 25 }) };
  });
  server = await aServer({
    handlers: { orders: { url: orders.url } },
    gateway: {
      endpoints: [{ path: "/push" }, { path: "/shop", routes: { order: { handler: "orders" } } }],
      presence: { graceSeconds: 0 },
    },
  });
  api = new JsonApi(server.port);
  await api.post("/v1/caches", { name: "demo" });
  alice = await open("alice");
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await orders?.[Symbol.asyncDispose]();
});

const open = (user: string) => connect(socketUrl(server, `/push?user=${user}`));

async function aToken(more: object): Promise<string> {
  const role = "publish-subscribe";
  const grants = [{ resource: "topic", role, cache: { all: true }, topic: { all: true } }];
  return (await api.post("/v1/tokens", { grants, validForSeconds: 600, ...more })).token;
}

/** What differs from time to time, by its form. `supported` is told in dev mode only. */
function toForm(frame: object): unknown {
  const form = (name: string, value: unknown) => {
    if (name === "supported") return undefined;
    if (["position", "after", "now"].includes(name)) return String(value).replace(/^\d+-\d+$/, "a position");
    if (name === "messageId") return String(value).replace(/^\d+-\d+$/, "a position");
    if (["connectionId", "requestId"].includes(name)) return String(value).replace(/^[\w-]{15}=$/, "an id");
    const isNumber = ["publishedAtMs", "timestamp", "seq", "expiresAtMs", "inMs"].includes(name);
    return isNumber && typeof value === "number" && value > 0 ? "a number" : value;
  };
  return JSON.parse(JSON.stringify(frame, form));
}

/** Goes through an example; `replace` gives what stands for another thing, `before` happens before a line. */
async function converse(
  client: GatewayClient,
  { lines }: Example,
  steps: { replace?: (line: string) => string; before?: (line: string) => unknown } = {},
): Promise<void> {
  for (const line of lines) {
    await steps.before?.(line);
    const frame = JSON.parse((steps.replace?.(line) ?? line).slice(2));
    if (line.startsWith("> ")) client.send(frame);
    else expect(toForm(await client.next())).toEqual(toForm(frame));
  }
}

/** What has to be so before an example; the others need nothing. */
const settings: Readonly<Record<string, (example: Example) => Promise<void>>> = {
  async "topics.subscribe"(example) {
    if (example.lines[0]?.includes('"orders"')) {
      const device = new JsonApi(server.port, await aToken({ tokenId: "device-7" }));
      await device.post("/v1/topics/demo/orders", { binary: "AAH/" });
    }
    await converse(alice, example);
  },
  async Handlers(example) {
    const client = await connect(socketUrl(server, "/shop?user=alice"));
    await converse(client, example);
    await client.close();
  },
  async "topics.unsubscribe"(example) {
    const endsByItself = example.lines[0]?.startsWith("<");
    if (endsByItself) {
      await api.post("/v1/caches", { name: "brief" });
      await alice.ask({ action: "topics.subscribe", cache: "brief", topic: "news" });
      await api.call("DELETE", "/v1/caches/brief");
    }
    await converse(alice, example);
  },
  async "The end of a credential"(example) {
    const brief = await aToken({ userId: "alice", validForSeconds: 3 });
    const client = await connect(socketUrl(server), {}, ["todoku.v1", `bearer.${brief}`]);
    const token = await aToken({ userId: "alice" });
    await converse(client, example, { replace: (line) => line.replace("<new token>", token) });
    await client.close();
  },
  async Presence(example) {
    await alice.ask({ action: "presence.watch", users: ["bob"] });
    const bob = await open("bob");
    await alice.next();
    await alice.ask({ action: "presence.unwatch" });
    await converse(alice, example, { before: (line) => line.startsWith('< {"type":"presence",') && bob.close() });
  },
  async Notifications(example) {
    const data = { type: "push", text: "your order is on its way" };
    await api.post("/v1/notifications", { users: ["alice"], data, id: "n-1" });
    await converse(alice, example);
  },
  async "The end of a connection"(example) {
    const client = await open("dave");
    const kick = { userId: "dave", reconnect: true, afterMs: 2000, reason: "a newer version is there" };
    await api.post("/v1/connections/kick", kick);
    await converse(client, example);
    expect(await client.closed).toEqual([4503, "a newer version is there"]);
  },
};

describe("docs/reference/websocket.md", () => {
  it("has examples of every action and of every frame that the server sends", () => {
    const text = examples.flatMap(({ lines }) => lines).join("\n");
    const own = ["topics.subscribe", "topics.unsubscribe", "topics.publish", "auth.refresh", "presence.watch"];
    for (const action of ["ping", "publish", "send", "presence.unwatch", ...own]) {
      expect(text).toContain(`> {"action":"${action}"`);
    }
    const types = ["pong", "ack", "subscribed", "unsubscribed", "item", "discontinuity", "published", "error"];
    const others = [
      "auth.expiring",
      "auth.refreshed",
      "presence.watching",
      "presence",
      "presence.unwatched",
      "disconnect",
    ];
    for (const type of [...types, ...others]) expect(text).toContain(`< {"type":"${type}"`);
  });

  it.each(examples)("shows what happens under $heading: $lines.0", async (example) => {
    const run = settings[example.heading] ?? ((one) => converse(alice, one));
    await run(example);
  });

  it("has every close code", () => {
    const listed = [...page.matchAll(/^\| `(\d{4})` /gm)].map(([, code]) => Number(code));
    const known = Array.from({ length: 5000 }, (_, code) => code).filter((code) => closeLabel(code) !== "other");
    // 1005 is no code that is sent: a close frame that has none.
    expect(listed.toSorted()).toEqual(known.filter((code) => code !== 1005));
  });

  it("has the bounds of the code", () => {
    const { gateway } = limits;
    const section = page.split("\n## Limits\n")[1]?.split("\n## ")[0] ?? "";
    const bounds = [...section.matchAll(/^\|[^|]*\| +([\d,]+)/gm)].map(([, bound = ""]) =>
      Number(bound.replaceAll(",", "")),
    );
    expect(bounds).toEqual([
      ...[gateway.messageMaxBytes, gateway.subscriptionsMax, gateway.watchedUsersMax, gateway.frameIdMaxLength],
      ...[gateway.actionsMax, gateway.outboxMaxBytes / 2 ** 20, gateway.topicHighWaterBytes / 1024],
      ...[gateway.userConnections, gateway.framesPerSecond, gateway.connectionsPerSecond],
    ]);
  });
});
