import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import type { EngineSubject, OpenSubject } from "../records/store.contract.ts";
import type { QueueKey } from "./queue.ts";
import type { DeadLetterRule, NewQueueMessage, QueueStore, ReceivedMessage } from "./store.ts";
import { queueStoreModel } from "./store-model.contract.ts";

const t0 = 1_000_000;
const hiddenMs = 30_000;
const budgetBytes = 100_000;
const all = { maxMessages: 1000, maxBytes: 2 ** 30 };
const fromNobody = { sender: "", traceHeader: undefined };
let messages = 0;

/** A valid message; `more` overrides. */
function aMessage(body: string, more: Partial<NewQueueMessage> = {}): NewQueueMessage {
  const sentAtMs = more.sentAtMs ?? t0;
  const messageId = `message ${messages++}`;
  return {
    messageId,
    isIdChosen: false,
    body,
    attributes: undefined,
    ...fromNobody,
    sentAtMs,
    readyAtMs: sentAtMs,
    ...more,
  };
}

const bodiesOf = (all: readonly { readonly body: string }[]) => all.map(({ body }) => body);

/** Receives up to ten; `more` overrides. */
async function receive(
  store: QueueStore,
  key: QueueKey,
  nowMs: number,
  more: { maxMessages?: number; hiddenUntilMs?: number; deadLetter?: DeadLetterRule } = {},
) {
  const hiddenUntilMs = nowMs + hiddenMs;
  return store.receive(key, { maxMessages: 10, nowMs, hiddenUntilMs, deadLetter: undefined, ...more });
}

/** The one message that is ready. */
async function receiveOne(store: QueueStore, key: QueueKey, nowMs: number): Promise<ReceivedMessage> {
  const [message] = (await receive(store, key, nowMs, { maxMessages: 1 })).messages;
  if (message === undefined) throw new Error(`nothing is ready at ${nowMs}`);
  return message;
}

/** Upkeep until there is nothing left to do; what it counted on the way. */
async function drain(store: QueueStore, nowMs: number, rules: Parameters<QueueStore["trim"]>[1] = []) {
  const [deadLettered, expired] = [new Map<string, number>(), new Map<string, number>()];
  const add = (to: Map<string, number>, from: ReadonlyMap<QueueKey, number>) => {
    for (const [{ queue }, count] of from) to.set(queue, (to.get(queue) ?? 0) + count);
  };
  for (let hasMore = true; hasMore; ) {
    const step = await store.trim(nowMs, rules);
    add(deadLettered, step.deadLettered);
    add(expired, step.expired);
    hasMore = step.hasMore;
  }
  return { deadLettered: [...deadLettered], expired: [...expired] };
}

/** The laws of `QueueStore`. */
export function queueStoreContract(name: string, open: OpenSubject): void {
  describe(`queues of ${name}`, () => {
    let subject: EngineSubject;
    let queues = 0;
    beforeAll(async () => {
      subject = await open({ queuesEnvironmentMaxBytes: 2 ** 30 });
    });
    afterAll(() => subject.close());
    const one = () => subject.handles[0].queues;
    const two = () => subject.handles[1].queues;
    async function newQueue(environment = "dev", on = subject): Promise<QueueKey> {
      const queue = `queue-${queues++}`;
      const record = await on.handles[0].records.create({ kind: "queue", environment, name: queue }, {});
      return { environment, queue, queueId: record.id };
    }
    async function remove({ environment, queue }: QueueKey): Promise<void> {
      await subject.handles[1].records.remove({ kind: "queue", environment, name: queue });
    }

    describe("sending and receiving", () => {
      it("what one handle sends, the other receives, as it was sent, with its first receive counted", async () => {
        const key = await newQueue();
        const attributes = { kind: { type: "String", value: "ü\u0000" } };
        const large = "\ufeffü\u0000".repeat(40_000);
        const from = { sender: "key ü", traceHeader: "Root=1-5759e988" };
        const sent = [
          aMessage("\ufefftext ü\u0000😀", { attributes, ...from }),
          aMessage(""),
          aMessage(large, { attributes }),
        ];
        expect(await one().send(key, sent)).toEqual(sent.map(({ messageId }) => ({ messageId, isRepeat: false })));
        const { messages, deadLettered, nextReadyAtMs } = await receive(two(), key, t0 + 5);
        expect(messages).toEqual(
          sent.map((message, n) => ({
            sequence: messages[0] === undefined ? 0 : messages[0].sequence + n,
            messageId: message.messageId,
            body: message.body,
            attributes: message.attributes,
            sender: message.sender,
            traceHeader: message.traceHeader,
            sentAtMs: t0,
            receiveCount: 1,
            firstReceivedAtMs: t0 + 5,
            readyAtMs: t0 + 5 + hiddenMs,
            wasReadyAtMs: t0,
            isTaken: true,
            deadLetter: undefined,
            receipt: { sequence: messages[n]?.sequence, token: messages[n]?.receipt.token },
          })),
        );
        expect(new Set(messages.map(({ receipt }) => receipt.token)).size).toBe(3);
        expect({ deadLettered, nextReadyAtMs }).toEqual({ deadLettered: 0, nextReadyAtMs: t0 + 5 + hiddenMs });
      });

      it("an empty batch has no results, and a queue that was never sent to has no messages", async () => {
        const key = await newQueue();
        expect(await one().send(key, [])).toEqual([]);
        expect(await receive(two(), key, t0)).toEqual({ messages: [], deadLettered: 0, nextReadyAtMs: undefined });
        expect(await one().peek(key, 0, all)).toEqual([]);
        expect(await two().delete(key, [{ sequence: 1, token: 1 }])).toEqual(["gone"]);
      });

      it("many that receive at once get different messages, and all of them", async () => {
        const key = await newQueue();
        const sends = Array.from({ length: 30 }, (_, n) => (n % 2 ? one() : two()).send(key, [aMessage(`${n}`)]));
        const receives = Array.from({ length: 20 }, (_, n) =>
          receive(n % 2 ? one() : two(), key, t0, { maxMessages: 3 }),
        );
        await Promise.all(sends);
        const taken = (await Promise.all(receives)).flatMap(({ messages }) => bodiesOf(messages));
        expect(taken.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
        expect((await receive(one(), key, t0)).messages).toEqual([]);
      });

      it("a message is hidden until its visibility is over, to the millisecond, and then has a new receipt", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("a")]);
        const first = await receiveOne(one(), key, t0);
        await subject.reopen();
        expect((await receive(two(), key, t0 + hiddenMs - 1)).messages).toEqual([]);
        const second = await receiveOne(two(), key, t0 + hiddenMs);
        expect(second).toMatchObject({ receiveCount: 2, firstReceivedAtMs: t0, wasReadyAtMs: t0 + hiddenMs });
        expect(second.receipt.token).not.toBe(first.receipt.token);
      });

      it("a delayed message is ready at its time, and an empty receive says when", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("late", { readyAtMs: t0 + 900 }), aMessage("soon", { readyAtMs: t0 + 100 })]);
        expect(await receive(two(), key, t0 + 99)).toMatchObject({ messages: [], nextReadyAtMs: t0 + 100 });
        const { messages, nextReadyAtMs } = await receive(two(), key, t0 + 100);
        expect(bodiesOf(messages)).toEqual(["soon"]);
        expect(nextReadyAtMs).toBe(t0 + 900);
      });

      it("messages come in the order in which they became ready: sent, delay over, or visibility over", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("retried"), aMessage("delayed", { readyAtMs: t0 + 20 })]);
        await receive(two(), key, t0, { hiddenUntilMs: t0 + 10 });
        for (const atMs of [5, 15, 25]) await two().send(key, [aMessage(`sent ${atMs}`, { sentAtMs: t0 + atMs })]);
        const order = [];
        for (let n = 0; n < 5; n++) order.push((await receiveOne(one(), key, t0 + 30)).body);
        expect(order).toEqual(["sent 5", "retried", "sent 15", "delayed", "sent 25"]);
      });

      it("a chosen messageId is taken once in its window and its queue, also in one batch and over a restart", async () => {
        const [key, other] = [await newQueue(), await newQueue()];
        const chosen = (body: string, sentAtMs = t0) => aMessage(body, { messageId: "m", isIdChosen: true, sentAtMs });
        const isRepeat = (results: readonly unknown[]) =>
          results.map((result) => (result as { isRepeat: boolean }).isRepeat);
        expect(isRepeat(await one().send(key, [chosen("a"), chosen("b")]))).toEqual([false, true]);
        expect(isRepeat(await two().send(other, [chosen("c")]))).toEqual([false]);
        await subject.reopen();
        await one().delete(key, [(await receiveOne(one(), key, t0)).receipt]);
        const last = t0 + limits.messageIdWindowMs - 1;
        await drain(one(), last);
        expect(await two().send(key, [chosen("d", last)])).toEqual([{ messageId: "m", isRepeat: true }]);
        expect(isRepeat(await two().send(key, [chosen("e", last + 1), aMessage("f", { messageId: "m" })]))).toEqual([
          false,
          false,
        ]);
        expect(bodiesOf((await receive(one(), key, last + 1)).messages).toSorted()).toEqual(["e", "f"]);
      });
    });

    describe("receipts", () => {
      it("a delete is done once, also when the time is over, and is for good", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("a"), aMessage("b")]);
        const { messages } = await receive(one(), key, t0, { hiddenUntilMs: t0 + 1 });
        const receipts = messages.map(({ receipt }) => receipt);
        expect(await two().delete(key, receipts)).toEqual(["done", "done"]);
        expect(await one().delete(key, receipts)).toEqual(["gone", "gone"]);
        expect(await two().changeVisibility(key, [{ receipt: receipts[0] ?? noReceipt, readyAtMs: t0 }], t0)).toEqual([
          "gone",
        ]);
        await subject.reopen();
        expect((await receive(one(), key, t0 + 10)).messages).toEqual([]);
        expect(await one().counts(key, t0)).toMatchObject({ ready: 0, delayed: 0, inFlight: 0, bytes: 0 });
      });

      it("an older receipt is stale once the message was received again: the later receiver decides", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("a")]);
        const first = await receiveOne(one(), key, t0);
        const second = await receiveOne(two(), key, t0 + hiddenMs);
        const change = { receipt: first.receipt, readyAtMs: t0 + 2 * hiddenMs + 99 };
        expect(await one().delete(key, [first.receipt, { sequence: 1, token: 0.5 }])).toEqual(["stale", "stale"]);
        expect(await one().changeVisibility(key, [change], t0 + hiddenMs)).toEqual(["stale"]);
        await one().giveBack(key, [first]);
        expect((await receive(one(), key, t0 + hiddenMs)).messages).toEqual([]);
        expect(await two().delete(key, [second.receipt])).toEqual(["done"]);
      });

      it("visibility can be made longer, shorter or ended, but not once it is over", async () => {
        const key = await newQueue();
        await one().send(
          key,
          ["longer", "shorter", "ended", "over"].map((body) => aMessage(body)),
        );
        const { messages } = await receive(one(), key, t0, { hiddenUntilMs: t0 + 100 });
        const change = (n: number, readyAtMs: number, nowMs: number) =>
          two().changeVisibility(key, [{ receipt: messages[n]?.receipt ?? noReceipt, readyAtMs }], nowMs);
        expect(await change(0, t0 + 500, t0 + 10)).toEqual(["done"]);
        expect(await change(1, t0 + 50, t0 + 10)).toEqual(["done"]);
        expect(await change(2, 0, t0 + 10)).toEqual(["done"]);
        expect(await change(2, t0 + 500, t0 + 10)).toEqual(["expired"]);
        expect(await change(3, t0 + 500, t0 + 100)).toEqual(["expired"]);
        const again = await receive(one(), key, t0 + 100);
        expect(again.messages.map(({ body, wasReadyAtMs }) => [body, wasReadyAtMs])).toEqual([
          ["ended", t0 + 10],
          ["shorter", t0 + 50],
          ["over", t0 + 100],
        ]);
        expect(again.messages.map(({ receiveCount }) => receiveCount)).toEqual([2, 2, 2]);
        expect(bodiesOf((await receive(one(), key, t0 + 500)).messages)).toEqual(["longer"]);
      });

      it("what is given back was never received: same place, same count, the receipt is worth nothing", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("a"), aMessage("b")]);
        const first = await receiveOne(one(), key, t0 + 5);
        await two().giveBack(key, [first]);
        expect(await two().peek(key, 0, all)).toMatchObject([
          { body: "a", receiveCount: 0, firstReceivedAtMs: undefined, readyAtMs: t0, isTaken: false },
          { body: "b", receiveCount: 0 },
        ]);
        expect(await one().delete(key, [first.receipt])).toEqual(["stale"]);
        const second = await receiveOne(one(), key, t0 + 6);
        expect(second).toMatchObject({ body: "a", receiveCount: 1, firstReceivedAtMs: t0 + 6 });
        const third = await receive(one(), key, t0 + 6 + hiddenMs, { maxMessages: 2 });
        await two().giveBack(key, third.messages);
        const seen = await two().peek(key, 0, all);
        expect(seen).toMatchObject([
          { body: "a", receiveCount: 1, firstReceivedAtMs: t0 + 6, readyAtMs: t0 + 6 + hiddenMs, isTaken: true },
          { body: "b", receiveCount: 0, readyAtMs: t0 },
        ]);
        expect(bodiesOf((await receive(one(), key, t0 + 6 + hiddenMs)).messages)).toEqual(["b", "a"]);
      });

      it("a receipt of one queue means nothing in another", async () => {
        const [key, other] = [await newQueue(), await newQueue()];
        for (const queue of [key, other]) await one().send(queue, [aMessage("a")]);
        const { receipt } = await receiveOne(one(), key, t0);
        await receiveOne(one(), other, t0);
        expect(await one().delete(other, [receipt])).toEqual(["stale"]);
        expect(await one().delete(key, [receipt])).toEqual(["done"]);
      });
    });

    describe("dead letters", () => {
      const send = (key: QueueKey, ...bodies: string[]) =>
        one().send(
          key,
          bodies.map((body) => aMessage(body)),
        );

      it("after maxReceives receives a message moves instead of being received, with its origin and without its count", async () => {
        const [key, dead] = [await newQueue(), await newQueue()];
        const deadLetter = { key: dead, maxReceives: 2 };
        const attributes = { a: { type: "Number", value: "1" } };
        const body = "bad".repeat(1000);
        await one().send(key, [
          aMessage(body, { attributes, messageId: "id", sender: "me", traceHeader: "Root=2" }),
          aMessage("late", { readyAtMs: t0 + 9e6 }),
        ]);
        for (const n of [0, 1]) {
          const { messages, deadLettered } = await receive(two(), key, t0 + n * hiddenMs, { deadLetter });
          expect([bodiesOf(messages), deadLettered]).toEqual([[body], 0]);
        }
        const movedAtMs = t0 + 2 * hiddenMs;
        const empty = await receive(two(), key, movedAtMs, { deadLetter });
        expect(empty).toEqual({ messages: [], deadLettered: 1, nextReadyAtMs: t0 + 9e6 });
        await subject.reopen();
        expect(await receiveOne(one(), dead, movedAtMs)).toMatchObject({
          body,
          attributes,
          messageId: "id",
          sender: "me",
          traceHeader: "Root=2",
          sentAtMs: t0,
          receiveCount: 1,
          firstReceivedAtMs: movedAtMs,
          wasReadyAtMs: movedAtMs,
          deadLetter: { queue: key.queue, receiveCount: 2, movedAtMs },
        });
        expect(await one().counts(dead, movedAtMs)).toMatchObject({ inFlight: 1, oldestAtMs: movedAtMs });
      });

      it("good messages behind dead letters are received by the same call; many dead letters take several", async () => {
        const [key, dead] = [await newQueue(), await newQueue()];
        const deadLetter = { key: dead, maxReceives: 1 };
        await send(key, ...Array.from({ length: 15 }, (_, n) => `bad ${n}`));
        await receive(one(), key, t0, { maxMessages: 15, hiddenUntilMs: t0 + 1 });
        await one().send(key, [aMessage("good", { sentAtMs: t0 + 2 })]);
        const { messages, deadLettered } = await receive(one(), key, t0 + 2, { deadLetter });
        expect([bodiesOf(messages), deadLettered]).toEqual([["good"], 15]);

        await send(key, ...Array.from({ length: 700 }, (_, n) => `bad ${n}`));
        await receive(one(), key, t0 + 3, { maxMessages: 700, hiddenUntilMs: t0 + 4 });
        let moved = 0;
        for (let nextReadyAtMs: number | undefined = t0 + 4; nextReadyAtMs === t0 + 4; ) {
          const step = await receive(two(), key, t0 + 4, { deadLetter });
          expect(step.messages).toEqual([]);
          moved += step.deadLettered;
          nextReadyAtMs = step.nextReadyAtMs;
        }
        expect(moved).toBe(700);
      });

      it("while the dead-letter queue is gone the message is received once more", async () => {
        const [key, dead] = [await newQueue(), await newQueue()];
        await send(key, "a");
        await remove(dead);
        await two().forget(dead);
        for (let n = 0; n < 3; n++) {
          const deadLetter = { key: dead, maxReceives: 1 };
          const { messages, deadLettered } = await receive(one(), key, t0 + n * hiddenMs, { deadLetter });
          expect([messages[0]?.receiveCount, deadLettered]).toEqual([n + 1, 0]);
        }
        const rule = { key, retentionMs: 9e9, deadLetter: { key: dead, maxReceives: 1 } };
        expect(await drain(one(), t0 + 9e6, [rule])).toEqual({ deadLettered: [], expired: [] });
      });

      it("trim moves what nobody receives any more, once its visibility is over", async () => {
        const [key, other, dead] = [await newQueue(), await newQueue(), await newQueue()];
        const rule = (queue: QueueKey, maxReceives: number) => ({
          key: queue,
          retentionMs: 9e9,
          deadLetter: { key: dead, maxReceives },
        });
        const rules = [rule(key, 2), rule(other, 1)];
        const trim = (nowMs: number) => drain(two(), nowMs, rules);
        await send(key, "bad", "good");
        await send(other, "bad too");
        await receive(one(), other, t0, { hiddenUntilMs: t0 + 10 });
        await receiveOne(one(), key, t0);
        expect(await trim(t0 + 9)).toEqual({ deadLettered: [], expired: [] });
        await receive(one(), key, t0 + hiddenMs, { hiddenUntilMs: t0 + hiddenMs + 10 });
        expect(await trim(t0 + hiddenMs + 9)).toEqual({ deadLettered: [[dead.queue, 1]], expired: [] });
        await subject.reopen();
        expect(await trim(t0 + hiddenMs + 10)).toEqual({ deadLettered: [[dead.queue, 1]], expired: [] });
        expect(await one().peek(dead, 0, all)).toMatchObject([
          { body: "bad too", deadLetter: { queue: other.queue, receiveCount: 1 } },
          { body: "bad", receiveCount: 0, deadLetter: { queue: key.queue, receiveCount: 2 } },
        ]);
        // One that was looked at and let stay, received again and released at once, and a rule that became stricter.
        const good = await receiveOne(one(), key, t0 + hiddenMs + 10);
        await one().changeVisibility(key, [{ receipt: good.receipt, readyAtMs: 0 }], t0 + hiddenMs + 10);
        expect(await trim(t0 + hiddenMs + 10)).toEqual({ deadLettered: [[dead.queue, 1]], expired: [] });
        await send(key, "once");
        await receive(one(), key, t0 + hiddenMs + 11, { hiddenUntilMs: t0 + hiddenMs + 12 });
        expect(await trim(t0 + hiddenMs + 20)).toEqual({ deadLettered: [], expired: [] });
        rules[0] = rule(key, 1);
        expect(await trim(t0 + hiddenMs + 20)).toEqual({ deadLettered: [[dead.queue, 1]], expired: [] });
      });
    });

    describe("moving", () => {
      const bury = async (key: QueueKey, dead: QueueKey, ...bodies: string[]) => {
        await one().send(
          key,
          bodies.map((body) => aMessage(body, { messageId: body })),
        );
        await receive(one(), key, t0, { maxMessages: 1000, hiddenUntilMs: t0 + 1 });
        await receive(one(), key, t0 + 1, { deadLetter: { key: dead, maxReceives: 1 } });
      };

      it("takes each message back to the queue it came from, if that is among the targets, ready and without a past", async () => {
        const [a, b, c, dead] = [await newQueue(), await newQueue(), await newQueue(), await newQueue()];
        await bury(a, dead, "a1", "a2".padEnd(3000, "."));
        await bury(b, dead, "b1");
        await bury(c, dead, "c1");
        await one().send(dead, [aMessage("sent")]);
        const nowMs = t0 + 50;
        const moved = await two().move(dead, { targets: [a, b] }, { maxMessages: 10, nowMs });
        expect([...moved]).toEqual([
          [a, 2],
          [b, 1],
        ]);
        expect(bodiesOf(await one().peek(dead, 0, all))).toEqual(["c1", "sent"]);
        const back = await receive(one(), a, nowMs);
        expect(bodiesOf(back.messages)).toEqual(["a1", "a2".padEnd(3000, ".")]);
        expect(back.messages[0]).toMatchObject({ receiveCount: 1, wasReadyAtMs: nowMs, sentAtMs: t0, messageId: "a1" });
        expect(back.messages.map(({ deadLetter }) => deadLetter)).toEqual([undefined, undefined]);
        expect(await one().counts(a, nowMs)).toMatchObject({ oldestAtMs: nowMs });
      });

      it("takes all to one target, at most maxMessages, and passes over what is hidden or delayed", async () => {
        const [key, target] = [await newQueue(), await newQueue()];
        await one().send(
          key,
          ["taken", "a", "b"].map((body) => aMessage(body)),
        );
        await one().send(key, [aMessage("delayed", { readyAtMs: t0 + 99 }), aMessage("c")]);
        await receiveOne(one(), key, t0);
        expect([...(await two().move(key, { target }, { maxMessages: 2, nowMs: t0 }))]).toEqual([[target, 2]]);
        expect(bodiesOf(await one().peek(target, 0, all))).toEqual(["a", "b"]);
        expect([...(await two().move(key, { target }, { maxMessages: 2, nowMs: t0 }))]).toEqual([[target, 1]]);
        expect([...(await two().move(key, { target }, { maxMessages: 2, nowMs: t0 }))]).toEqual([]);
        expect(bodiesOf(await one().peek(key, 0, all))).toEqual(["taken", "delayed"]);
      });

      it("moves thousands in one call, and nothing to a queue that is gone", async () => {
        const [key, target, gone] = [await newQueue(), await newQueue(), await newQueue()];
        await remove(gone);
        const bodies = Array.from({ length: 2000 }, (_, n) => `${n}`);
        await one().send(
          key,
          bodies.map((body) => aMessage(body)),
        );
        expect([...(await two().move(key, { target: gone }, { maxMessages: 10, nowMs: t0 }))]).toEqual([]);
        expect([...(await two().move(key, { target }, { maxMessages: 1500, nowMs: t0 }))]).toEqual([[target, 1500]]);
        expect(bodiesOf(await one().peek(target, 0, { ...all, maxMessages: 2000 }))).toEqual(bodies.slice(0, 1500));
        expect(await one().counts(key, t0)).toMatchObject({ ready: 500 });
      });
    });

    describe("looking", () => {
      it("peek goes on after a sequence, at most maxMessages, stops once maxBytes are reached, and changes nothing", async () => {
        const key = await newQueue();
        await one().send(
          key,
          ["a", "bb", "ccc", "d".repeat(5000)].map((body) => aMessage(body)),
        );
        const peek = async (after: number, maxMessages: number, maxBytes: number) =>
          bodiesOf(await two().peek(key, after, { maxMessages, maxBytes }));
        const [first, , third] = await two().peek(key, 0, all);
        expect(await peek(0, 2, 99)).toEqual(["a", "bb"]);
        expect(await peek(first?.sequence ?? 0, 9, 4)).toEqual(["bb", "ccc"]);
        expect(await peek(third?.sequence ?? 0, 9, 0)).toEqual(["d".repeat(5000)]);
        expect(await peek(2 ** 40, 9, 99)).toEqual([]);
        expect((await receive(one(), key, t0)).messages.map(({ receiveCount }) => receiveCount)).toEqual([1, 1, 1, 1]);
        expect(await two().peek(key, 0, { maxMessages: 1, maxBytes: 9 })).toMatchObject([
          { isTaken: true, receiveCount: 1, firstReceivedAtMs: t0, readyAtMs: t0 + hiddenMs },
        ]);
      });

      it("counts what is ready, delayed and in flight at a moment, bytes, and the age of the oldest", async () => {
        const key = await newQueue();
        await one().send(
          key,
          ["a", "b", "c"].map((body, n) => aMessage(body, { sentAtMs: t0 + n })),
        );
        await one().send(key, [aMessage("d", { readyAtMs: t0 + 500 })]);
        await receive(two(), key, t0 + 2, { maxMessages: 2, hiddenUntilMs: t0 + 100 });
        const { bytes, ...counts } = await two().counts(key, t0 + 2);
        expect(counts).toEqual({ ready: 1, delayed: 1, inFlight: 2, oldestAtMs: t0 });
        expect(bytes).toBeGreaterThan(4 * 200);
        expect(await one().counts(key, t0 + 100)).toMatchObject({ ready: 3, delayed: 1, inFlight: 0 });
        expect(await one().counts(key, t0 + 500)).toMatchObject({ ready: 4, delayed: 0, inFlight: 0 });
      });
    });

    describe("bounds", () => {
      it("many large messages at once come in parts, none twice, and each answer that is short says: ask again", async () => {
        const key = await newQueue();
        const body = "x".repeat(limits.queue.messageMaxBytes.default);
        for (let n = 0; n < 5; n++)
          await one().send(
            key,
            Array.from({ length: 10 }, () => aMessage(body)),
          );
        const sequences: number[] = [];
        while (sequences.length < 50) {
          const answers = await Promise.all(Array.from({ length: 8 }, () => receive(two(), key, t0)));
          for (const { messages, nextReadyAtMs } of answers) {
            sequences.push(...messages.map(({ sequence }) => sequence));
            if (messages.length < 10 && sequences.length < 50) expect(nextReadyAtMs).toBe(t0);
          }
          expect(answers[0]?.messages.length).toBeGreaterThan(0);
        }
        expect(new Set(sequences).size).toBe(50);
      });

      it("past inFlightMax nothing is received until one is deleted, given back, or its visibility is over", async () => {
        const key = await newQueue();
        const most = limits.queue.inFlightMax;
        for (let sent = 0; sent < most + 5; sent += 4001) {
          await one().send(
            key,
            Array.from({ length: Math.min(4001, most + 5 - sent) }, () => aMessage("x")),
          );
        }
        const messages: ReceivedMessage[] = [];
        while (messages.length < most - 1) {
          const maxMessages = Math.min(10_000, most - 1 - messages.length);
          messages.push(...(await receive(one(), key, t0, { maxMessages })).messages);
        }
        const [short] = (await receive(two(), key, t0, { hiddenUntilMs: t0 + 500 })).messages;
        await expect(receive(two(), key, t0)).rejects.toMatchObject({ code: "limit_exceeded" });
        await one().delete(key, [messages[0]?.receipt ?? noReceipt]);
        const [again] = (await receive(two(), key, t0)).messages;
        await expect(receive(two(), key, t0 + 499)).rejects.toMatchObject({ code: "limit_exceeded" });
        await one().giveBack(key, again === undefined ? [] : [again]);
        expect((await receive(two(), key, t0 + 499)).messages).toHaveLength(1);
        await subject.reopen();
        await expect(receive(two(), key, t0 + 499)).rejects.toMatchObject({ code: "limit_exceeded" });
        expect((await receive(two(), key, t0 + 600)).messages).toHaveLength(1);
        await expect(receive(two(), key, t0 + 600)).rejects.toMatchObject({ code: "limit_exceeded" });
        // It was visible again already, so its end makes no room.
        expect(await one().delete(key, [short?.receipt ?? noReceipt])).toEqual(["done"]);
        await expect(receive(two(), key, t0 + 600)).rejects.toMatchObject({ code: "limit_exceeded" });
        expect((await receive(two(), key, t0 + hiddenMs)).messages).toHaveLength(10);
      }, 60_000);

      it("over the environment's budget a message is refused, nothing is lost, and freed room can be used", async () => {
        const small = await open({ queuesEnvironmentMaxBytes: budgetBytes });
        try {
          const [key, second, other] = [
            await newQueue("full", small),
            await newQueue("full", small),
            await newQueue("else", small),
          ];
          const store = small.handles[0].queues;
          const large = (body: string) => aMessage(body.padEnd(30_000, "."));
          const results = await store.send(key, ["a", "b", "c", "d"].map(large));
          expect(results.slice(0, 3)).toMatchObject([{ isRepeat: false }, { isRepeat: false }, { isRepeat: false }]);
          expect(results[3]).toMatchObject({ code: "limit_exceeded" });
          expect(await store.send(second, [large("e")])).toMatchObject([{ code: "limit_exceeded" }]);
          expect(await store.send(other, [large("f")])).toMatchObject([{ isRepeat: false }]);
          const [first, ...rest] = (await receive(store, key, t0)).messages;
          expect(rest).toHaveLength(2);
          await store.delete(key, [first?.receipt ?? noReceipt]);
          await small.reopen();
          const again = small.handles[1].queues;
          expect(await again.send(second, [large("g"), large("h")])).toMatchObject([
            { isRepeat: false },
            { code: "limit_exceeded" },
          ]);
          await small.handles[0].records.remove({ kind: "queue", environment: "full", name: key.queue });
          await again.forget(key);
          await drain(again, t0);
          expect(await again.send(second, [large("i"), large("j")])).toMatchObject([
            { isRepeat: false },
            { isRepeat: false },
          ]);
        } finally {
          await small.close();
        }
      });

      it("trim drops what is past its retention, also when it is taken; a move starts the retention anew", async () => {
        const [key, kept, moved] = [await newQueue(), await newQueue(), await newQueue()];
        const rules = [key, kept, moved].map((queue) => ({ key: queue, retentionMs: 60_000, deadLetter: undefined }));
        rules[1] = { key: kept, retentionMs: 9e9, deadLetter: undefined };
        const many = Array.from({ length: 1300 }, (_, n) => aMessage(`${n}`.padEnd(n % 2 ? 2000 : 1, ".")));
        for (const queue of [key, kept]) await one().send(queue, many);
        await one().send(key, [aMessage("moved"), aMessage("later", { sentAtMs: t0 + 10 })]);
        const { receipt } = await receiveOne(one(), key, t0);
        const { messages } = await receive(one(), key, t0, { maxMessages: 1299 });
        await one().move(key, { target: moved }, { maxMessages: 1, nowMs: t0 + 5 });
        expect(await drain(two(), t0 + 59_999, rules)).toEqual({ deadLettered: [], expired: [] });
        expect(await drain(two(), t0 + 60_000, rules)).toEqual({ deadLettered: [], expired: [[key.queue, 1300]] });
        expect(await one().delete(key, [receipt, messages[0]?.receipt ?? noReceipt])).toEqual(["gone", "gone"]);
        expect(bodiesOf(await one().peek(key, 0, all))).toEqual(["later"]);
        expect(bodiesOf(await one().peek(moved, 0, all))).toEqual(["moved"]);
        expect(await one().counts(kept, t0)).toMatchObject({ ready: 1300 });
        expect(await drain(two(), t0 + 60_005, rules)).toEqual({ deadLettered: [], expired: [[moved.queue, 1]] });
      });

      it("trim reaches every queue, however many there are", async () => {
        const keys = [];
        for (let n = 0; n < 150; n++) keys.push(await newQueue("many"));
        await Promise.all(keys.map((key) => one().send(key, [aMessage("x")])));
        const rules = keys.map((key) => ({ key, retentionMs: 60_000, deadLetter: undefined }));
        expect((await drain(two(), t0 + 60_000, rules)).expired).toHaveLength(150);
      });
    });

    describe("forgetting", () => {
      it("a forgotten queue takes and gives nothing more; others are not touched, nor its next incarnation", async () => {
        const [gone, kept] = [await newQueue(), await newQueue()];
        const chosen = () => aMessage("x", { messageId: "chosen", isIdChosen: true });
        for (const key of [gone, kept]) await one().send(key, [chosen(), aMessage("b"), aMessage("c")]);
        const { receipt, ...rest } = await receiveOne(one(), gone, t0);
        const record = { kind: "queue", environment: gone.environment, name: gone.queue };
        const [renewed] = await Promise.all([subject.handles[1].records.renew(record), two().forget(gone)]);
        const check = async () => {
          expect(await one().send(gone, [aMessage("d")])).toMatchObject([{ code: "not_found", subject: "queue" }]);
          expect(await receive(two(), gone, t0)).toEqual({ messages: [], deadLettered: 0, nextReadyAtMs: undefined });
          expect(await one().delete(gone, [receipt])).toEqual(["gone"]);
          expect(await one().changeVisibility(gone, [{ receipt, readyAtMs: t0 }], t0)).toEqual(["gone"]);
          await one().giveBack(gone, [{ ...rest, receipt }]);
          expect(await one().peek(gone, 0, all)).toEqual([]);
          expect([...(await one().move(gone, { target: kept }, { maxMessages: 9, nowMs: t0 }))]).toEqual([]);
          expect(await one().counts(gone, t0)).toEqual({
            ready: 0,
            delayed: 0,
            inFlight: 0,
            bytes: 0,
            oldestAtMs: undefined,
          });
          expect(await two().counts(kept, t0)).toMatchObject({ ready: 3 });
        };
        await check();
        await drain(one(), t0);
        await check();
        await subject.reopen();
        await check();
        const next = { ...gone, queueId: renewed.id };
        expect(await one().peek(next, 0, all)).toEqual([]);
        expect(await one().send(next, [chosen()])).toMatchObject([{ isRepeat: false }]);
        expect(bodiesOf((await receive(two(), next, t0)).messages)).toEqual(["x"]);
      });

      it("a queue whose record is gone is forgotten too", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("a")]);
        await remove(key);
        expect((await receive(one(), key, t0)).messages).toEqual([]);
        expect(await two().send(key, [aMessage("b")])).toMatchObject([{ code: "not_found" }]);
        expect(await two().peek(key, 0, all)).toEqual([]);
      });

      it("a restored backup has the messages of its moment, and goes on from there", async () => {
        const key = await newQueue();
        await one().send(key, [aMessage("kept"), aMessage("taken")]);
        const first = await receiveOne(one(), key, t0);
        await subject.restore(async () => {
          await one().delete(key, [first.receipt]);
          await one().send(key, [aMessage("lost")]);
        });
        await one().send(key, [aMessage("new", { sentAtMs: t0 + 1 })]);
        expect(bodiesOf((await receive(two(), key, t0 + 1)).messages)).toEqual(["taken", "new"]);
        expect(await one().delete(key, [first.receipt])).toEqual(["done"]);
      });
    });

    queueStoreModel(() => subject, newQueue);
  });
}

const noReceipt = { sequence: 0, token: 0 };
