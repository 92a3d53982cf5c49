import http2 from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { limits } from "../../domain/limits.ts";

let door: TestDoor;
/** Of each test its own: to open a door takes longer than most of them. */
let queue = "";
let queues = 0;
beforeAll(async () => {
  door = await anHttpDoor();
});
beforeEach(async () => {
  queue = `q${++queues}`;
  await door.queues.create(door.principal, queue);
});
afterAll(() => door[Symbol.asyncDispose]());

async function post(path: string, body: unknown) {
  const response = await fetch(`${door.url}/v1/queues/${queue}/${path}`, {
    ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
  });
  return { status: response.status, json: await response.json() };
}

const send = (...bodies: string[]) => post("send", { messages: bodies.map((body) => ({ body })) });
const receive = async (body: object = {}) => (await post("receive", body)).json.messages;
const polls = () => door.queueMessages.stats().get("dev")?.polls ?? 0;
const counts = () => door.queueMessages.counts(door.principal, queue);

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await nextTurn();
}

describe("send", () => {
  it("answers for one message, and for each of a batch in order", async () => {
    const attributes = { kind: { type: "String", value: "x" } };
    expect(await post("send", { body: "a", messageId: "m", attributes })).toEqual({
      status: 200,
      json: { messageId: "m", isRepeat: false },
    });
    const batch = await post("send", { messages: [{ body: "b", messageId: "m" }, { body: "" }, { body: "c" }] });
    expect(batch.json.messages).toEqual([
      { messageId: "m", isRepeat: true },
      {
        error: expect.objectContaining({ status: 400, code: "invalid_argument", detail: "the body must not be empty" }),
      },
      { messageId: expect.any(String), isRepeat: false },
    ]);
    expect(await receive({ maxMessages: 10 })).toMatchObject([
      { messageId: "m", body: "a", attributes, receiveCount: 1 },
      { body: "c", attributes: {} },
    ]);
  });

  it("takes a batch of the greatest messages, however JSON writes them", async () => {
    const body = "\u0001".repeat(limits.queue.messageMaxBytes.default);
    const { status, json } = await send(...Array(limits.queue.batchMaxMessages).fill(body));
    expect([status, json.messages.length]).toEqual([200, 10]);
    expect((await receive({ maxMessages: 10 })).map((message: { body: string }) => message.body === body)).toEqual(
      Array(10).fill(true),
    );
  });

  it.each([
    ["nothing", {}, 400, '"body"'],
    ["an empty body", { body: "" }, 400, "the body must not be empty"],
    ["a large body", { body: "x".repeat(limits.queue.messageMaxBytes.default + 1) }, 413, "must be <= 262144"],
    ["half a character", { body: "\ud800" }, 400, "well-formed"],
    ["a long delay", { body: "a", delaySeconds: 901 }, 400, "delaySeconds"],
    ["an empty id", { body: "a", messageId: "" }, 400, "messageId"],
    ["no messages", { messages: [] }, 400, '"messages"'],
    ["eleven messages", { messages: Array(11).fill({ body: "a" }) }, 400, '"messages"'],
    ["an unknown field", { body: "a", to: "b" }, 400, "to"],
  ])("refuses %s", async (_, body, status, detail) => {
    expect(await post("send", body)).toMatchObject({ status, json: { detail: expect.stringContaining(detail) } });
  });
});

describe("receive", () => {
  it("waits for the first message, and answers with nothing when the wait is over", async () => {
    const waiting = receive({ waitSeconds: 20 });
    await until(() => polls() === 1);
    await send("a");
    expect(await waiting).toEqual([
      {
        messageId: expect.any(String),
        receiptHandle: expect.any(String),
        body: "a",
        attributes: {},
        receiveCount: 1,
        sentAtMs: expect.any(Number),
        firstReceivedAtMs: expect.any(Number),
      },
    ]);
    const vain = receive({ waitSeconds: 1.5 });
    await until(() => polls() === 1);
    door.advance(1600);
    expect(await vain).toEqual([]);
  });

  it.each([[{ maxMessages: 11 }], [{ maxMessages: 0 }], [{ waitSeconds: 21 }], [{ visibilitySeconds: 43_201 }]])(
    "refuses %j",
    async (body) => {
      expect(await post("receive", body)).toMatchObject({ status: 400, json: { code: "invalid_argument" } });
    },
  );
});

describe("receipts", () => {
  it("delete and change the visibility, one or many", async () => {
    await send("a", "b", "c");
    const [a, b, c] = (await receive({ maxMessages: 3 })).map((one: { receiptHandle: string }) => one.receiptHandle);
    expect((await post("delete", { receiptHandle: a })).json).toEqual({ outcome: "done" });
    expect((await post("visibility", { receiptHandle: b, visibilitySeconds: 0 })).json).toEqual({ outcome: "done" });
    await receive();
    expect((await post("delete", { receiptHandles: [a, b, c] })).json).toEqual({ outcomes: ["gone", "stale", "done"] });
    const changes = [
      { receiptHandle: b, visibilitySeconds: 1 },
      { receiptHandle: c, visibilitySeconds: 1 },
    ];
    expect((await post("visibility", { changes })).json).toEqual({ outcomes: ["stale", "gone"] });
  });

  it.each([
    ["delete", { receiptHandle: "nonsense" }, "the receipt handle is not one that a receive gave"],
    ["visibility", { receiptHandle: "nonsense", visibilitySeconds: 1 }, "the receipt handle is not one"],
    ["delete", {}, "receiptHandle"],
    ["delete", { receiptHandles: [] }, "receiptHandles"],
    ["visibility", { receiptHandle: "x", visibilitySeconds: 43_201 }, "visibilitySeconds"],
  ])("%s refuses %j", async (path, body, detail) => {
    expect(await post(path, body)).toMatchObject({ status: 400, json: { detail: expect.stringContaining(detail) } });
  });
});

describe("peek", () => {
  it("shows messages with their state, page by page", async () => {
    await post("send", { messages: [{ body: "a" }, { body: "b", delaySeconds: 5 }, { body: "c" }] });
    await receive();
    const { json } = await post("peek", { maxMessages: 2 });
    expect(json).toMatchObject({
      messages: [
        { sequenceNumber: 1, body: "a", state: "inFlight", receiveCount: 1, attributes: {} },
        { sequenceNumber: 2, body: "b", state: "delayed" },
      ],
      next: 2,
    });
    expect((await post("peek", { after: json.next })).json).toMatchObject({
      messages: [{ body: "c", state: "ready" }],
    });
    expect((await post("peek", { after: 3 })).json).toEqual({ messages: [], next: 3 });
    expect((await post("peek", { maxMessages: 101 })).status).toBe(400);
  });
});

/** A large answer: more than the kernel holds of a socket that nobody reads. */
async function sendLarge(): Promise<void> {
  await send(...Array(10).fill("\u0001".repeat(limits.queue.messageMaxBytes.default)));
}

async function expectUncounted(messages: number): Promise<void> {
  const received = await receive({ maxMessages: 10 });
  expect(received.map((one: { receiveCount: number }) => one.receiveCount)).toEqual(Array(messages).fill(1));
}

describe("a client that leaves, over HTTP/1.1,", () => {
  function ask(body: object): Socket {
    const text = JSON.stringify(body);
    const head = `POST /v1/queues/${queue}/receive HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${text.length}`;
    const socket = connect(Number(new URL(door.url).port), "127.0.0.1");
    socket.on("error", () => {}).write(`${head}\r\n\r\n${text}`);
    return socket;
  }

  it.each([
    ["closes its socket", (socket: Socket) => void socket.destroy()],
    ["resets its socket", (socket: Socket) => void socket.resetAndDestroy()],
    ["says that it sends nothing more", (socket: Socket) => void socket.end()],
  ])("and %s while it waits: the next receiver gets the message, uncounted", async (_, leave) => {
    const socket = ask({ waitSeconds: 20 });
    await until(() => polls() === 1);
    leave(socket);
    await until(() => polls() === 0);
    await send("a");
    await expectUncounted(1);
  });

  it("while the answer is written, gives everything back, uncounted", async () => {
    await sendLarge();
    const socket = ask({ maxMessages: 10 }).pause();
    await until(async () => (await counts()).inFlight === 10);
    expect(await receive()).toEqual([]);
    socket.destroy();
    await until(async () => (await counts()).ready === 10);
    await expectUncounted(10);
  });

  it("but has read the answer, keeps its messages", async () => {
    await send("a");
    const closed = new Promise((resolve) => {
      door.server.once("connection", (accepted) => accepted.once("close", resolve));
    });
    const socket = ask({});
    await new Promise((resolve) => socket.once("data", resolve));
    socket.destroy();
    await closed;
    expect(await counts()).toMatchObject({ ready: 0, inFlight: 1 });
  });
});

describe("a client that leaves, over HTTP/2,", () => {
  let server: http2.Http2Server;
  let session: http2.ClientHttp2Session;
  beforeEach(async () => {
    server = http2.createServer(door.door.handle as never);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    session.on("error", () => {});
  });
  afterEach(async () => {
    session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function ask(body: object): http2.ClientHttp2Stream {
    const headers = { ":method": "POST", ":path": `/v1/queues/${queue}/receive`, "content-type": "application/json" };
    const stream = session.request(headers);
    stream.on("error", () => {}).end(JSON.stringify(body));
    return stream;
  }

  it.each([
    ["resets its stream", (stream: http2.ClientHttp2Stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
    ["closes its connection", () => session.destroy()],
  ])("and %s while it waits: the next receiver gets the message, uncounted", async (_, leave) => {
    const stream = ask({ waitSeconds: 20 });
    await until(() => polls() === 1);
    leave(stream);
    await until(() => polls() === 0);
    await send("a");
    await expectUncounted(1);
  });

  it.each([
    ["resets its stream", (stream: http2.ClientHttp2Stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
    ["closes its connection", () => session.destroy()],
  ])("and %s while the answer is written, gives everything back, uncounted", async (_, leave) => {
    await sendLarge();
    const stream = ask({ maxMessages: 10 });
    await new Promise((resolve) => stream.once("response", resolve));
    leave(stream);
    await until(async () => (await counts()).ready === 10);
    await expectUncounted(10);
  });

  it("but has read the answer, keeps its messages", async () => {
    await send("a");
    const stream = ask({}).resume();
    await new Promise((resolve) => stream.once("close", resolve));
    session.destroy();
    expect(await counts()).toMatchObject({ ready: 0, inFlight: 1 });
  });
});
