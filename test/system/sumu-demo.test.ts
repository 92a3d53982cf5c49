// The demo's backend beside a server, with sockets that send what its page would not: the defects of the article's backend (B25), (B26) and (B27).
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { aFreePort } from "../../examples/course-comments/testing/application.ts";
import { toPageSettings } from "../../examples/sumu-demo/backend/page-settings.ts";
import { type RunningBackend, startBackend } from "../../examples/sumu-demo/backend/start-backend.ts";
import { setUp } from "../../examples/sumu-demo/shared/set-up.ts";
import { keyFileIn } from "../../examples/sumu-demo/shared/settings.ts";
import { silentLog } from "../../examples/task-notifications/testing/log.ts";
import { connect, type Frame, type GatewayClient, socketUrl } from "../support/gateway.ts";
import { aDirectory, aServer } from "../support/server.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: Awaited<ReturnType<typeof aServer>>;
let backend: RunningBackend;
let [alice, bob, shy]: GatewayClient[] = [];
const clientOf = {
  alice: () => alice as GatewayClient,
  bob: () => bob as GatewayClient,
  shy: () => shy as GatewayClient,
};

beforeAll(async () => {
  directory = await aDirectory();
  server = await aServer();
  const stateDir = join(directory.path, "state");
  const port = await aFreePort();
  const backendUrl = `http://127.0.0.1:${port}`;
  await setUp({ todokuUrl: server.url, stage: "dev", stateDir, backendUrl });
  const settings = { OIDC_ISSUER: "https://id.example.com", OIDC_CLIENT_ID: "sumu-demo", GATEWAY_PATH: "/push" };
  backend = await startBackend(
    {
      ...{ host: "127.0.0.1", port, todokuUrl: server.url, keyFile: keyFileIn(stateDir) },
      ...{ page: toPageSettings(settings, server.url), pageDirectory: directory.path },
      mayMessage: (_from, to) => to !== "shy",
    },
    silentLog,
  );
  const enter = (user: string) => connect(socketUrl(server, `/push?user=${user}`));
  // One after the other: lists have who came first first.
  [alice, bob, shy] = [await enter("alice"), await enter("bob"), await enter("shy")];
});
afterAll(async () => {
  for (const client of [alice, bob, shy]) client?.socket.terminate();
  await backend?.close();
  await server?.[Symbol.asyncDispose]();
  await directory?.[Symbol.asyncDispose]();
});

const messagesOf = ({ frames }: GatewayClient, type: string) =>
  frames.filter((frame) => frame.type === type).map(({ message }) => message as Frame);
/** Resolves with so many frames of the type. */
const heard = (client: GatewayClient, type: string, count: number) =>
  client.until(() => (messagesOf(client, type).length >= count ? messagesOf(client, type) : undefined));

describe.each(["publish", "send"])("what is said by %s", (action) => {
  const say = (message: object) => clientOf.alice().send({ action, message: { type: "message", message } });

  it("to nobody, by no mode, or to somebody who may not be written to reaches nobody; the sender hears why (B25), (B27)", async () => {
    const texts = (client: GatewayClient) => messagesOf(client, "message").map(({ text }) => text);
    const before = messagesOf(clientOf.alice(), "refused").length;
    const wrong = [
      ...[{ users: [] }, { users: null }, {}, { users: ["alice"] }, { users: ["bob", "shy"] }].map((users) => {
        return { push_mode: "MULTICAST", ...users };
      }),
      ...[{ push_mode: "EVERYCAST" }, { push_mode: null }, {}].map((mode) => ({ users: ["bob"], ...mode })),
    ];
    for (const one of wrong) say({ text: `${action} wrong`, ...one });
    const refused = (await heard(clientOf.alice(), "refused", before + wrong.length)).slice(before);
    const reasons = refused.map(({ reason }) => reason);
    expect(reasons.toSorted()).toEqual([
      ...Array(4).fill("No other user is chosen."),
      ...Array(3).fill("The push mode must be UNICAST, MULTICAST or BROADCAST."),
      "You may not message all of these users.",
    ]);
    // Each was answered once, so that nothing of them is under way.
    say({ text: `${action} right`, push_mode: "BROADCAST" });
    for (const client of [clientOf.bob(), clientOf.shy()]) {
      await client.until(() => (texts(client).includes(`${action} right`) ? true : undefined));
      expect(texts(client)).not.toContain(`${action} wrong`);
    }
    expect(texts(clientOf.alice())).toEqual([]);
  });

  it("ten times in one go arrives ten times, once each (B26)", async () => {
    const users = ["bob"];
    const wanted = Array.from({ length: 10 }, (_, n) => `${action} ${n}`);
    const before = messagesOf(clientOf.bob(), "message").length;
    for (const text of wanted) say({ text, push_mode: "MULTICAST", users });
    const got = (await heard(clientOf.bob(), "message", before + wanted.length)).slice(before);
    expect(got.map(({ text }) => String(text)).toSorted()).toEqual(wanted);
    expect(got).toEqual(Array(10).fill(expect.objectContaining({ user_id: "alice" })));
  });

  it("to ask who is connected is answered to who asks alone", async () => {
    const before = messagesOf(clientOf.alice(), "connected_users").length;
    clientOf.alice().send({ action, message: { type: "get_connected_users", message: { usage: "contact" } } });
    const lists = await heard(clientOf.alice(), "connected_users", before + 1);
    expect(lists.at(-1)).toMatchObject({ users: ["bob", "shy"] });
    await clientOf.bob().rest();
    expect(messagesOf(clientOf.bob(), "connected_users")).toEqual([]);
  });
});
