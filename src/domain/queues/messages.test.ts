import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aQueueStore, aReceiver, type QueueDomain, type TestQueueStore } from "../../../test/support/queues.ts";
import { silentLog } from "../../lib/log.ts";
import type { Grant } from "../auth/grants.ts";
import { openPrincipal as me } from "../auth/open-access.ts";
import { type Principal, serverPrincipal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueMessages } from "./messages.ts";

let store: TestQueueStore;
let domain: QueueDomain;
let messages: QueueMessages;
const warnings: unknown[] = [];

beforeAll(async () => {
  store = await aQueueStore();
});
beforeEach(async () => {
  warnings.length = 0;
  domain = await store.domain({ ...silentLog, warn: (...line) => warnings.push(line) });
  messages = domain.messages;
  await domain.queues.create(me, "q");
});
afterEach(() => store.empty());
afterAll(() => store[Symbol.asyncDispose]());

const withGrants = (...grants: Grant[]): Principal => ({ ...me, kind: "token", isSuperUser: false, grants });
const now = () => domain.clock.wallMs();
const handles = (taken: readonly { readonly receiptHandle: string }[]) => taken.map((one) => one.receiptHandle);

describe("send", () => {
  it("gives each message a random id, or keeps the one that was chosen and adds it once", async () => {
    const attributes = { kind: { type: "String", value: "x" } };
    const sent = await messages.send(me, "q", [{ body: "a" }, { body: "b", messageId: "m", attributes }]);
    expect(sent).toEqual([
      { messageId: expect.stringMatching(/^[\da-f-]{36}$/), isRepeat: false },
      { messageId: "m", isRepeat: false },
    ]);
    expect(await messages.send(me, "q", [{ body: "c", messageId: "m" }])).toEqual([{ messageId: "m", isRepeat: true }]);
    const taken = await domain.take("q");
    expect(taken.map(({ body, attributes }) => [body, attributes])).toEqual([
      ["a", undefined],
      ["b", attributes],
    ]);
    expect(messages.stats().get("dev")).toMatchObject({ sent: 2, received: 2, deleted: 0 });
  });

  it("keeps to the queue's own size but for what the server itself sends, and counts what base64 stands for", async () => {
    await domain.queues.update(me, "q", { messageMaxBytes: 1024 });
    const binary = { b: { type: "Binary", value: Buffer.alloc(1000).toString("base64") } };
    const bodies = [{ body: "x".repeat(1024) }, { body: "x".repeat(1025) }];
    const [fits, large, bytes, moreBytes] = await messages.send(me, "q", [
      ...bodies,
      ...[
        { body: "x".repeat(17), attributes: binary },
        { body: "x".repeat(18), attributes: binary },
      ],
    ]);
    expect([fits, bytes]).toEqual(Array(2).fill({ messageId: expect.any(String), isRepeat: false }));
    const error = { code: "limit_exceeded", subject: "message_size" };
    expect(large).toMatchObject({ ...error, message: expect.stringContaining("has 1025 bytes; must be <= 1024") });
    expect(moreBytes).toMatchObject({ ...error, message: expect.stringContaining("has 1025 bytes") });
    const server = serverPrincipal("dev");
    const most = limits.queue.messageMaxBytes.max;
    const [own, tooMuch] = await messages.send(server, "q", [
      { body: "x".repeat(most) },
      { body: "x".repeat(most + 1) },
    ]);
    expect([own, tooMuch]).toMatchObject([{ isRepeat: false }, error]);
  });

  it("refuses a batch that is too large as a whole", async () => {
    await domain.queues.update(me, "q", { messageMaxBytes: limits.queue.messageMaxBytes.max });
    const body = "x".repeat(1_000_000);
    await expect(messages.send(me, "q", [{ body }, { body }, { body }])).rejects.toMatchObject({
      ...{ code: "limit_exceeded", message: expect.stringContaining("have 3000000 bytes; must be <= 2621440") },
    });
    expect(await messages.counts(me, "q")).toMatchObject({ ready: 0 });
  });

  it("remembers who sent a message, and its trace header", async () => {
    const senders: Partial<Principal>[] = [
      { keyId: "dev-key", kind: "key" },
      { userId: "alice", keyId: "dev-key" },
      {},
    ];
    for (const sender of senders)
      await messages.send({ ...me, ...sender }, "q", [{ body: "a", traceHeader: "Root=1" }]);
    const taken = await domain.take("q");
    expect(taken.map(({ sender, traceHeader }) => [sender, traceHeader])).toEqual([
      ...[
        ["dev-key", "Root=1"],
        ["alice", "Root=1"],
        ["", "Root=1"],
      ],
    ]);
    expect((await messages.peek(me, "q", 0, 1))[0]).toMatchObject({ sender: "dev-key", traceHeader: "Root=1" });
    expect(await messages.send(me, "q", [{ body: "a", traceHeader: "x".repeat(1025) }])).toMatchObject([
      { code: "invalid_argument", message: expect.stringContaining("1025 characters") },
    ]);
  });

  it("says of each message of a batch what is wrong with it, and adds the others", async () => {
    const big = "x".repeat(limits.queue.messageMaxBytes.default);
    const attribute = (name: string, value: string) => ({ [name]: { type: "String", value } });
    const results = await messages.send(me, "q", [
      { body: "" },
      { body: "\ud800" },
      { body: `${big}x` },
      { body: big, attributes: attribute("k", "v") },
      { body: "a", attributes: attribute("k", "\udfff") },
      { body: "a", messageId: "" },
      { body: "a", messageId: "x".repeat(129) },
      { body: "a", delayMs: 900_001 },
      { body: big },
      { body: "a" },
    ]);
    const texts = results.map((result) => (result instanceof TodokuError ? [result.code, result.message] : "sent"));
    expect(texts).toEqual([
      ["invalid_argument", "the body must not be empty"],
      ["invalid_argument", "the body is not well-formed Unicode"],
      ["limit_exceeded", expect.stringContaining("262145 bytes; must be <= 262144")],
      ["limit_exceeded", expect.stringContaining("262152 bytes; must be <= 262144")],
      ["invalid_argument", expect.stringContaining("attribute's name, type or value")],
      ["invalid_argument", "messageId must not be empty"],
      ["invalid_argument", expect.stringContaining("messageId has 129 characters")],
      ["invalid_argument", expect.stringContaining("delayMs 900001")],
      "sent",
      "sent",
    ]);
    expect(results[2]).toMatchObject({ subject: "message_size" });
    expect((await domain.take("q")).map(({ body }) => body.length)).toEqual([big.length, 1]);
  });

  it("takes batches of 1 to 10, into queues that exist", async () => {
    await expect(messages.send(me, "q", [])).rejects.toThrow("a batch has 0 entries");
    await expect(messages.send(me, "q", Array(11).fill({ body: "a" }))).rejects.toThrow("a batch has 11 entries");
    await expect(messages.send(me, "none", [{ body: "a" }])).rejects.toMatchObject({
      code: "not_found",
      subject: "queue",
    });
  });

  it("delays a message by its own delay, else by its queue's", async () => {
    await domain.queues.update(me, "q", { delayMs: 5000 });
    await messages.send(me, "q", [{ body: "late" }, { body: "soon", delayMs: 0 }, { body: "later", delayMs: 9000 }]);
    const bodies = async () => (await domain.take("q")).map(({ body }) => body);
    expect(await bodies()).toEqual(["soon"]);
    expect(await messages.counts(me, "q")).toMatchObject({ ready: 0, delayed: 2, inFlight: 1 });
    domain.advance(5000);
    expect(await bodies()).toEqual(["late"]);
    domain.advance(4000);
    expect(await bodies()).toEqual(["later"]);
  });

  it("that races with a purge loses nothing that is acknowledged: it is in the old incarnation or in the new one", async () => {
    const sends: Promise<unknown>[] = [];
    for (let n = 0; n < 30; n++) {
      sends.push(domain.send("q", `${n}`));
      if (n % 10 === 5) await Promise.race([domain.queues.purge(me, "q"), new Promise(setImmediate)]);
    }
    const results = (await Promise.all(sends)) as unknown[][];
    expect(results.flat().filter((result) => result instanceof TodokuError)).toEqual([]);
    await domain.send("q", "last");
    const left = await messages.peek(me, "q", 0, 100);
    expect(left.map(({ body }) => body)).toContain("last");
  });
});

describe("receive", () => {
  it("gives messages in the order in which they became ready, hidden from others until their visibility is over", async () => {
    await domain.send("q", "a", "b", "c");
    const [first] = await domain.take("q", { maxMessages: 1, visibilityMs: 1000 });
    expect(first).toMatchObject({ body: "a", receiveCount: 1, sentAtMs: now(), firstReceivedAtMs: now() });
    expect((await domain.take("q")).map(({ body }) => body)).toEqual(["b", "c"]);
    domain.advance(1000);
    expect(await domain.take("q")).toMatchObject([
      { body: "a", receiveCount: 2, firstReceivedAtMs: first?.firstReceivedAtMs },
    ]);
  });

  it("refuses bounds that are out of theirs", async () => {
    const receive = (request: object) =>
      messages.receive(me, "q", { maxMessages: 1, waitMs: 0, ...request }, aReceiver());
    await expect(receive({ maxMessages: 0 })).rejects.toThrow("maxMessages 0 must be");
    await expect(receive({ maxMessages: 11 })).rejects.toThrow("maxMessages 11 must be");
    await expect(receive({ waitMs: 20_001 })).rejects.toThrow("waitMs 20001 must be");
    await expect(receive({ waitMs: -1 })).rejects.toThrow("waitMs -1 must be");
    await expect(receive({ visibilityMs: 43_200_001 })).rejects.toThrow("visibilityMs 43200001 must be");
    await expect(messages.receive(me, "none", { maxMessages: 1, waitMs: 0 }, aReceiver())).rejects.toMatchObject({
      code: "not_found",
    });
  });

  it("never happened for what is given back", async () => {
    await domain.send("q", "a", "b");
    const received = await messages.receive(me, "q", { maxMessages: 1, waitMs: 0 }, aReceiver());
    await received.giveBack();
    expect(await messages.delete(me, "q", handles(received.messages))).toEqual(["stale"]);
    expect(await domain.take("q")).toMatchObject([
      { body: "a", receiveCount: 1 },
      { body: "b", receiveCount: 1 },
    ]);
  });
});

describe("receipts", () => {
  it("delete, or say why not", async () => {
    await domain.send("q", "a", "b");
    const [a, b] = handles(await domain.take("q", { visibilityMs: 1000 })) as [string, string];
    expect(await messages.delete(me, "q", [a])).toEqual(["done"]);
    domain.advance(1000);
    await domain.take("q");
    expect(await messages.delete(me, "q", [a, b])).toEqual(["gone", "stale"]);
    expect(messages.stats().get("dev")).toMatchObject({ deleted: 1 });
  });

  it("change how long a message stays hidden, or release it", async () => {
    await domain.send("q", "a", "b");
    const [a, b] = handles(await domain.take("q", { visibilityMs: 1000 })) as [string, string];
    const change = (receiptHandle: string, visibilityMs: number) =>
      messages.changeVisibility(me, "q", [{ receiptHandle, visibilityMs }]);
    expect([await change(a, 5000), await change(b, 0)]).toEqual([["done"], ["done"]]);
    expect((await domain.take("q")).map(({ body }) => body)).toEqual(["b"]);
    expect(await change(b, 10)).toEqual(["stale"]);
    domain.advance(4999);
    expect(await domain.take("q")).toEqual([]);
    domain.advance(1);
    expect(await change(a, 1)).toEqual(["expired"]);
    await expect(change(a, 43_200_001)).rejects.toThrow("visibilityMs 43200001 must be");
  });

  it("are gone after a purge, and refused when they are of another queue or none", async () => {
    await domain.queues.create(me, "other");
    await domain.send("q", "a");
    const [a] = handles(await domain.take("q")) as [string];
    const change = (queue: string, receiptHandle: string) =>
      messages.changeVisibility(me, queue, [{ receiptHandle, visibilityMs: 1 }]);
    await domain.queues.purge(me, "q");
    expect([await messages.delete(me, "q", [a]), await change("q", a)]).toEqual([["gone"], ["gone"]]);
    for (const call of [
      () => messages.delete(me, "other", [a]),
      () => change("other", a),
      () => messages.delete(me, "q", ["nonsense"]),
      () => messages.delete(me, "q", []),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: "invalid_argument" });
    }
  });
});

describe("peek", () => {
  it("shows what lies there without touching it", async () => {
    await domain.send("q", "a", "b", "c");
    await domain.take("q", { maxMessages: 1 });
    const [a, b] = await messages.peek(me, "q", 0, 2);
    expect([a, b]).toMatchObject([
      { body: "a", isTaken: true, receiveCount: 1 },
      { body: "b", isTaken: false, receiveCount: 0 },
    ]);
    expect(await messages.peek(me, "q", b?.sequence ?? 0, 100)).toMatchObject([{ body: "c" }]);
    expect(await messages.counts(me, "q")).toMatchObject({ ready: 2, inFlight: 1, oldestAtMs: now() });
    await expect(messages.peek(me, "q", -1, 1)).rejects.toThrow("after -1 must be");
    await expect(messages.peek(me, "q", 0, 101)).rejects.toThrow("maxMessages 101 must be");
  });
});

describe("dead letters", () => {
  beforeEach(async () => {
    await domain.queues.create(me, "dead");
    await domain.queues.update(me, "q", { visibilityMs: 1000, deadLetter: { queue: "dead", maxReceives: 2 } });
  });

  it("go after so many receives, and come back when they are redriven", async () => {
    await domain.send("q", "a");
    for (let receive = 1; receive <= 2; receive++) {
      expect(await domain.take("q")).toMatchObject([{ receiveCount: receive }]);
      domain.advance(1000);
    }
    expect(await domain.take("q")).toEqual([]);
    const deadLetter = { queue: "q", receiveCount: 2, movedAtMs: now() };
    expect(await messages.peek(me, "dead", 0, 1)).toMatchObject([{ body: "a", receiveCount: 0, deadLetter }]);
    expect(messages.stats().get("dev")).toMatchObject({ deadLettered: 1 });
    expect(await messages.redrive(me, "dead", { maxMessages: 10 })).toEqual({ moved: 1, remaining: 0 });
    expect(await domain.take("q")).toMatchObject([{ body: "a", receiveCount: 1, deadLetter: undefined }]);
  });

  it("go by upkeep too, while nobody receives", async () => {
    await domain.queues.update(me, "q", { deadLetter: { queue: "dead", maxReceives: 1 } });
    await domain.send("q", "a");
    await domain.take("q");
    domain.advance(1000);
    const poll = domain.aPoll("dead");
    await domain.settled();
    await messages.trim(now(), 10);
    await poll.done;
    expect(poll.bodies).toEqual(["a"]);
    expect(messages.stats().get("dev")).toMatchObject({ deadLettered: 1 });
  });

  it("are redriven to another queue, or stay when their own has other plans", async () => {
    await domain.queues.create(me, "elsewhere");
    await domain.queues.update(me, "q", { deadLetter: { queue: "dead", maxReceives: 1 } });
    await domain.send("q", "a", "b");
    await domain.take("q");
    domain.advance(1000);
    await domain.take("q");
    await domain.queues.update(me, "q", { deadLetter: null });
    expect(await messages.redrive(me, "dead", { maxMessages: 10 })).toEqual({ moved: 0, remaining: 2 });
    expect(await messages.redrive(me, "dead", { to: "elsewhere", maxMessages: 1 })).toEqual({ moved: 1, remaining: 1 });
    expect(await domain.take("elsewhere")).toMatchObject([{ body: "a" }]);
    await expect(messages.redrive(me, "dead", { to: "none", maxMessages: 1 })).rejects.toMatchObject({
      code: "not_found",
    });
    await expect(messages.redrive(me, "dead", { to: "dead", maxMessages: 1 })).rejects.toThrow("cannot move to itself");
    await expect(messages.redrive(me, "dead", { maxMessages: 10_001 })).rejects.toThrow("maxMessages 10001 must be");
  });
});

describe("upkeep", () => {
  it("drops what is past its retention, counts it and tells it in the log", async () => {
    await domain.queues.update(me, "q", { retentionMs: 60_000 });
    await domain.send("q", "a", "b");
    await domain.take("q", { maxMessages: 1 });
    domain.advance(59_999);
    await messages.trim(now(), 10);
    expect(warnings).toEqual([]);
    domain.advance(1);
    await messages.trim(now(), 10);
    expect(await messages.counts(me, "q")).toMatchObject({ ready: 0, inFlight: 0 });
    expect(messages.stats().get("dev")).toMatchObject({ expired: 2 });
    expect(warnings).toEqual([[{ area: "queues", messages: 2, queues: { "dev/q": 2 } }, expect.any(String)]]);
  });
});

describe("permissions", () => {
  it("are those of the role on this queue", async () => {
    const may = async (principal: Principal) => {
      const calls = {
        send: () => messages.send(principal, "q", [{ body: "a" }]),
        receive: () => messages.receive(principal, "q", { maxMessages: 1, waitMs: 0 }, aReceiver()),
        delete: () => messages.delete(principal, "q", handles([])),
        change: () => messages.changeVisibility(principal, "q", []),
        peek: () => messages.peek(principal, "q", 0, 1),
        counts: () => messages.counts(principal, "q"),
        redrive: () => messages.redrive(principal, "q", { maxMessages: 1 }),
      };
      const allowed: string[] = [];
      for (const [name, call] of Object.entries(calls)) {
        const error = await call().then(
          () => undefined,
          (refused: TodokuError) => refused,
        );
        if (error?.code !== "permission_denied") allowed.push(name);
      }
      return allowed.join(" ");
    };
    const queue = { name: "q" };
    expect(await may(withGrants({ resource: "queue", role: "send", queue }))).toBe("send counts");
    expect(await may(withGrants({ resource: "queue", role: "receive", queue }))).toBe(
      "receive delete change peek counts",
    );
    expect(await may(withGrants({ resource: "queue", role: "send-receive", queue }))).toBe(
      "send receive delete change peek counts",
    );
    expect(await may(withGrants({ resource: "queue", role: "send-receive", queue: { name: "r" } }))).toBe("");
    expect(await may(me)).toBe("send receive delete change peek counts redrive");
  });
});
