import http2 from "node:http2";
import { connect } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { aDirectory, aServer } from "../support/server.ts";

async function post(url: string, path: string, body: object) {
  const response = await fetch(url + path, {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  });
  return { status: response.status, json: await response.json(), connection: response.headers.get("connection") };
}

/** Resolves when so many receives wait. */
async function polls(url: string, count: number): Promise<void> {
  const isSo = async () =>
    (await (await fetch(`${url}/metrics`)).text()).includes(`\ntodoku_queue_polls{environment="dev"} ${count}\n`);
  while (!(await isSo())) await nextTurn();
}

it("a server that stops answers who waits with nothing, and has every message again after its start", async () => {
  await using directory = await aDirectory();
  await using first = await aServer({ dataDir: directory.path });
  await post(first.url, "/v1/queues", { name: "orders" });
  const waiting = post(first.url, "/v1/queues/orders/receive", { waitSeconds: 20 });
  await polls(first.url, 1);
  await post(first.url, "/v1/queues", { name: "mails" });
  await post(first.url, "/v1/queues/mails/send", { body: "a" });
  await first.close();
  expect(await waiting).toEqual({ status: 200, json: { messages: [] }, connection: "close" });
  await using second = await aServer({ dataDir: directory.path });
  expect((await post(second.url, "/v1/queues/mails/receive", {})).json.messages).toMatchObject([
    { body: "a", receiveCount: 1 },
  ]);
});

it("a client that leaves its poll takes nothing along, over HTTP/1.1 and HTTP/2 on the one port", async () => {
  await using server = await aServer();
  await post(server.url, "/v1/queues", { name: "q" });
  const path = "/v1/queues/q/receive";
  const text = '{"waitSeconds":20}';
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${text.length}`;
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`${head}\r\n\r\n${text}`);
  const session = http2.connect(server.url);
  const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
  stream.end(text);
  await polls(server.url, 2);
  socket.end();
  await polls(server.url, 1);
  session.destroy();
  await polls(server.url, 0);
  await post(server.url, "/v1/queues/q/send", { body: "a" });
  expect((await post(server.url, path, {})).json.messages).toMatchObject([{ body: "a", receiveCount: 1 }]);
});
