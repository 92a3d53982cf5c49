import http2 from "node:http2";
import { connect } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { limits } from "../../src/domain/limits.ts";
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

it("a server that stops takes back what clients have not read to the end, uncounted, over HTTP/1.1 and HTTP/2", async () => {
  await using directory = await aDirectory();
  await using first = await aServer({ dataDir: directory.path });
  // More than the kernel holds of a socket that nobody reads.
  const messages = Array(10).fill({ body: "\u0001".repeat(limits.queue.messageMaxBytes.default) });
  const [path, other] = ["/v1/queues/q/receive", "/v1/queues/other/receive"];
  for (const name of ["q", "other"]) {
    await post(first.url, "/v1/queues", { name, visibilitySeconds: 600 });
    await post(first.url, `/v1/queues/${name}/send`, { messages });
  }
  const text = '{"maxMessages":10}';
  const head = `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${text.length}`;
  const socket = connect(first.port, "127.0.0.1");
  const answered = new Promise((resolve) => socket.once("readable", resolve));
  socket.on("error", () => {}).write(`${head}\r\n\r\n${text}`);
  const session = http2.connect(first.url).on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": other, "content-type": "application/json" });
  stream.on("error", () => {}).end(text);
  await Promise.all([answered, new Promise((resolve) => stream.once("response", resolve))]);
  await first.close();
  session.destroy();
  socket.destroy();
  await using second = await aServer({ dataDir: directory.path });
  for (const queue of [path, other]) {
    const received = (await post(second.url, queue, { maxMessages: 10 })).json.messages;
    expect(
      received.map((one: { receiveCount: number }) => one.receiveCount),
      queue,
    ).toEqual(Array(10).fill(1));
  }
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
