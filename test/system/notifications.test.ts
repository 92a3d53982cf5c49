// Notifications from outside: requests by the three ways, over a real server and real sockets.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { aDirectory, aServer } from "../support/server.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: Awaited<ReturnType<typeof start>>;
const open: WebSocket[] = [];
const start = () => aServer({ dataDir: directory.path, gateway: { offline: "topic" } });
beforeAll(async () => {
  directory = await aDirectory();
  server = await start();
});
afterAll(async () => {
  for (const socket of open) socket.terminate();
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

/** A socket of the user, and what it got. */
async function connect(user: string) {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/push?user=${user}`);
  open.push(socket);
  const frames: unknown[] = [];
  let wake = () => {};
  socket.on("message", (data) => {
    frames.push(JSON.parse(String(data)));
    wake();
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    ...{ frames, socket, closed },
    async received(count: number) {
      while (frames.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return frames;
    },
  };
}

async function call(method: string, path: string, body?: unknown) {
  const json =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
  const response = await fetch(server.url + path, { method, ...json });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}

const send = (request: object) => call("POST", "/v1/queues/notifications/send", { body: JSON.stringify(request) });
const publish = (request: object) => call("POST", "/v1/topics/events/notifications", { text: JSON.stringify(request) });

describe("a request", () => {
  it("reaches the sockets of its users by queue, topic and call", async () => {
    const [alice, bob] = [await connect("alice"), await connect("bob")];
    const answer = await call("POST", "/v1/notifications", { users: ["alice"], data: { by: "call" }, id: "n-1" });
    expect(answer).toEqual({ connections: 1, undelivered: 0, held: 0, offlineUsers: 0, id: "n-1" });
    await send({ users: ["alice"], data: { by: "queue" } });
    await alice.received(2);
    await publish({ exclude_users: ["bob"], data: { by: "topic" } });
    expect(await alice.received(3)).toEqual([{ id: "n-1", by: "call" }, { by: "queue" }, { by: "topic" }]);
    expect(bob.frames).toEqual([]);
    for (const { socket, closed } of [alice, bob]) {
      socket.close();
      await closed;
    }
  });

  it("is held for a user who was there before a restart, and is back a moment after it", async () => {
    const carol = await connect("carol");
    while ((await call("GET", "/v1/users/carol")).status !== "ONLINE");
    await send({ users: ["carol"], data: 1 });
    await carol.received(1);
    await server.close();
    await carol.closed;
    expect(carol.socket.readyState).toBe(WebSocket.CLOSED);
    server = await start();
    await send({ users: ["carol"], data: 2 });
    await publish({ users: ["carol"], data: 3 });
    const again = await connect("carol");
    expect((await again.received(2)).toSorted()).toEqual([2, 3]);
    again.socket.close();
  });

  it("is told to the topic `offline` for users who are not there", async () => {
    await publish({ users: ["nobody"], data: { a: 1 } });
    let items: { text: string; attributes: object }[] = [];
    while (items.length === 0) items = (await call("GET", "/v1/topics/events/offline/items")).items;
    expect(items).toMatchObject([
      { text: '{"user_id":"nobody","data":{"a":1}}', attributes: { user_id: { type: "String", value: "nobody" } } },
    ]);
  });

  it("ends with its connection when that is kicked", async () => {
    const dave = await connect("dave");
    const { connections } = await call("GET", "/v1/users/dave/connections");
    expect(connections).toMatchObject([{ userId: "dave", path: "/push" }]);
    await call("DELETE", `/v1/connections/${encodeURIComponent(connections[0].connectionId)}`);
    await dave.closed;
    expect(await call("GET", "/v1/users/dave/connections")).toEqual({ connections: [] });
  });
});
