// Random commands against a store and against plain lists; the two must tell the same story.
import fc from "fast-check";
import { expect, it } from "vitest";
import { limits } from "../limits.ts";
import { type EngineSubject, oneReopen } from "../records/store.contract.ts";
import type { QueueKey } from "./queue.ts";
import type { DeadLetterOrigin, QueueMessage, QueueStore, Receipt, ReceiptOutcome } from "./store.ts";

const maxReceives = 2;
const retentionMs = 600_000;

interface ModelMessage {
  readonly body: string;
  readonly messageId: string;
  readonly sentAtMs: number;
  enqueuedAtMs: number;
  readyAtMs: number;
  receives: number;
  firstReceivedAtMs: number | undefined;
  /** Of its last receive. */
  holder: Held | undefined;
  deadLetter: DeadLetterOrigin | undefined;
}

interface ModelQueue {
  readonly key: QueueKey;
  messages: ModelMessage[];
  readonly ids: Map<string, number>;
}

/** One receive, as its receiver remembers it. */
interface Held {
  readonly queue: ModelQueue;
  readonly message: ModelMessage;
  readonly receipt: Receipt;
  readonly wasReadyAtMs: number;
}

const command = fc.record({
  act: fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom("send", "send", "receive", "receive", "receive", "delete", "change") },
    { weight: 6, arbitrary: fc.constantFrom("giveBack", "trim", "move", "move back") },
    { weight: 1, arbitrary: fc.constant("reopen") },
  ),
  passesMs: fc.constantFrom(0, 0, 1, 10, 10, 50, limits.messageIdWindowMs),
  handle: fc.constantFrom(0 as const, 1 as const),
  queue: fc.constantFrom(0, 0, 0, 1),
  count: fc.integer({ min: 1, max: 3 }),
  delayMs: fc.constantFrom(0, 0, 10, 60),
  chosenId: fc.constantFrom(undefined, undefined, "a", "b"),
  hiddenMs: fc.constantFrom(0, 10, 20, 100),
  hasRule: fc.boolean(),
  /** Which of the receipts so far, from the newest. */
  receipt: fc.integer({ min: 0, max: 5 }),
});
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

/** The law behind the laws. `newQueue` makes a queue in the subject's store. */
export function queueStoreModel(subject: () => EngineSubject, newQueue: () => Promise<QueueKey>): void {
  it("agrees with plain lists, whatever the order of calls and the time between them", async () => {
    await fc.assert(
      fc.asyncProperty(oneReopen(fc.array(command, { maxLength: 60 })), async (commands) => {
        const model = new Model(await newQueue(), await newQueue());
        for (const [n, one] of commands.entries()) {
          if (one.act === "reopen") await subject().reopen();
          await model.run(subject().handles[one.handle].queues, one, n);
          await model.check(subject().handles[1].queues);
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);
}

/** A queue, its dead-letter queue, and everybody who ever received. */
class Model {
  readonly #queue: ModelQueue;
  readonly #dead: ModelQueue;
  readonly #held: Held[] = [];
  #nowMs = 1_000_000;

  constructor(queue: QueueKey, dead: QueueKey) {
    this.#queue = { key: queue, messages: [], ids: new Map() };
    this.#dead = { key: dead, messages: [], ids: new Map() };
  }

  async run(store: QueueStore, command: Command, n: number): Promise<void> {
    this.#nowMs += command.passesMs;
    const queue = command.queue === 0 ? this.#queue : this.#dead;
    const held = this.#held.at(-1 - command.receipt);
    if (command.act === "send") await this.#send(store, queue, command, n);
    if (command.act === "receive") await this.#receive(store, queue, command);
    if (command.act === "delete" && held) await this.#delete(store, held);
    if (command.act === "change" && held) await this.#change(store, held, this.#nowMs + command.hiddenMs);
    if (command.act === "giveBack" && held) await this.#giveBack(store, held);
    if (command.act === "trim") await this.#trim(store);
    if (command.act === "move") await this.#move(store, command.count, false);
    if (command.act === "move back") await this.#move(store, command.count, true);
  }

  async check(store: QueueStore): Promise<void> {
    for (const { key, messages } of [this.#queue, this.#dead]) {
      const seen = await store.peek(key, 0, { maxMessages: 1000, maxBytes: 1e9 });
      expect(seen.map(({ sequence, ...rest }) => rest)).toEqual(messages.map(asSeen));
      const hidden = messages.filter((message) => message.readyAtMs > this.#nowMs);
      const inFlight = hidden.filter((message) => message.receives > 0).length;
      const { bytes, ...counts } = await store.counts(key, this.#nowMs);
      expect(counts).toEqual({
        ready: messages.length - hidden.length,
        delayed: hidden.length - inFlight,
        inFlight,
        oldestAtMs: messages[0]?.enqueuedAtMs,
      });
      expect(bytes > 0).toBe(messages.length > 0);
    }
  }

  async #send(store: QueueStore, queue: ModelQueue, { count, delayMs, chosenId }: Command, n: number): Promise<void> {
    const sentAtMs = this.#nowMs;
    const batch = Array.from({ length: count }, (_, i) => ({
      messageId: chosenId ?? `${n}.${i}`,
      isIdChosen: chosenId !== undefined,
      body: `${n}.${i}`.padEnd(i === 1 ? 2000 : 0, "."),
      attributes: undefined,
      sender: "",
      traceHeader: undefined,
      sentAtMs,
      readyAtMs: sentAtMs + delayMs,
    }));
    const expected = batch.map(({ isIdChosen, readyAtMs, messageId, body }) => {
      const isRepeat = isIdChosen && (queue.ids.get(messageId) ?? 0) > sentAtMs - limits.messageIdWindowMs;
      if (isRepeat) return { messageId, isRepeat };
      if (isIdChosen) queue.ids.set(messageId, sentAtMs);
      queue.messages.push({ body, messageId, sentAtMs, readyAtMs, ...asArrived(sentAtMs), deadLetter: undefined });
      return { messageId, isRepeat };
    });
    expect(await store.send(queue.key, batch)).toEqual(expected);
  }

  async #receive(store: QueueStore, queue: ModelQueue, { count, hiddenMs, hasRule }: Command): Promise<void> {
    const nowMs = this.#nowMs;
    const hiddenUntilMs = nowMs + hiddenMs;
    const isRuled = hasRule && queue === this.#queue;
    const deadLetter = isRuled ? { key: this.#dead.key, maxReceives } : undefined;
    const got = await store.receive(queue.key, { maxMessages: count, nowMs, hiddenUntilMs, deadLetter });
    const inOrder = queue.messages.filter((message) => message.readyAtMs <= nowMs).sort(compareReady);
    const good = inOrder.filter((message) => !isRuled || message.receives < maxReceives).slice(0, count);
    // Of the dead letters, those that stand before the last one received.
    const last = good.length < count ? inOrder.length : inOrder.indexOf(good.at(-1) as ModelMessage);
    const dead = inOrder.slice(0, last).filter((message) => !good.includes(message));
    this.#bury(dead);
    for (const [n, message] of good.entries()) {
      const wasReadyAtMs = message.readyAtMs;
      message.receives++;
      message.readyAtMs = hiddenUntilMs;
      message.firstReceivedAtMs ??= nowMs;
      const receipt = got.messages[n]?.receipt ?? { sequence: 0, token: 0 };
      message.holder = { queue, message, receipt, wasReadyAtMs };
      this.#held.push(message.holder);
    }
    expect(got.deadLettered).toBe(dead.length);
    expect(got.messages.map(({ sequence, receipt, wasReadyAtMs, ...rest }) => [rest, wasReadyAtMs])).toEqual(
      good.map((message) => [asSeen(message), message.holder?.wasReadyAtMs]),
    );
    if (good.length === count) return;
    const times = queue.messages.map(({ readyAtMs }) => readyAtMs).filter((readyAtMs) => readyAtMs > nowMs);
    // A visibility of 0: those just received are ready again at this moment, and not told of.
    expect(got.nextReadyAtMs).toBe(times.length === 0 ? undefined : Math.min(...times));
  }

  async #delete(store: QueueStore, { queue, message, receipt }: Held): Promise<void> {
    const expected = outcomeOf(queue, message, receipt);
    expect(await store.delete(queue.key, [receipt])).toEqual([expected]);
    if (expected === "done") queue.messages = queue.messages.filter((one) => one !== message);
  }

  async #change(store: QueueStore, { queue, message, receipt }: Held, readyAtMs: number): Promise<void> {
    const known = outcomeOf(queue, message, receipt);
    const expected = known === "done" && message.readyAtMs <= this.#nowMs ? "expired" : known;
    expect(await store.changeVisibility(queue.key, [{ receipt, readyAtMs }], this.#nowMs)).toEqual([expected]);
    if (expected === "done") message.readyAtMs = readyAtMs;
  }

  async #giveBack(store: QueueStore, { queue, message, receipt, wasReadyAtMs }: Held): Promise<void> {
    await store.giveBack(queue.key, [{ receipt, wasReadyAtMs }]);
    if (outcomeOf(queue, message, receipt) !== "done") return;
    message.receives--;
    message.readyAtMs = wasReadyAtMs;
    message.holder = undefined;
    if (message.receives === 0) message.firstReceivedAtMs = undefined;
  }

  async #trim(store: QueueStore): Promise<void> {
    const nowMs = this.#nowMs;
    const deadLetter = { key: this.#dead.key, maxReceives };
    const rules = [
      { key: this.#queue.key, retentionMs, deadLetter },
      { key: this.#dead.key, retentionMs, deadLetter: undefined },
    ];
    let [expired, deadLettered] = [0, 0];
    for (let hasMore = true; hasMore; ) {
      const step = await store.trim(nowMs, rules);
      hasMore = step.hasMore;
      for (const count of step.expired.values()) expired += count;
      for (const count of step.deadLettered.values()) deadLettered += count;
    }
    const before = this.#queue.messages.length + this.#dead.messages.length;
    for (const queue of [this.#queue, this.#dead]) {
      queue.messages = queue.messages.filter(({ enqueuedAtMs }) => enqueuedAtMs > nowMs - retentionMs);
    }
    expect(expired).toBe(before - this.#queue.messages.length - this.#dead.messages.length);
    const dead = this.#queue.messages.filter((one) => one.receives >= maxReceives && one.readyAtMs <= nowMs);
    this.#bury(dead.sort(compareReady));
    expect(deadLettered).toBe(dead.length);
  }

  async #move(store: QueueStore, maxMessages: number, isByOrigin: boolean): Promise<void> {
    const to = isByOrigin ? { targets: [this.#queue.key] } : { target: this.#queue.key };
    const moved = await store.move(this.#dead.key, to, { maxMessages, nowMs: this.#nowMs });
    const ready = this.#dead.messages.filter(({ readyAtMs }) => readyAtMs <= this.#nowMs);
    const some = ready.filter(({ deadLetter }) => !isByOrigin || deadLetter !== undefined).slice(0, maxMessages);
    for (const message of some) this.#transfer(message, this.#dead, this.#queue, undefined);
    expect([...moved]).toEqual(some.length === 0 ? [] : [[this.#queue.key, some.length]]);
  }

  #bury(dead: readonly ModelMessage[]): void {
    for (const message of dead) {
      const origin = { queue: this.#queue.key.queue, receiveCount: message.receives, movedAtMs: this.#nowMs };
      this.#transfer(message, this.#queue, this.#dead, origin);
    }
  }

  // A new object: receipts of the old queue name nothing any more.
  #transfer(message: ModelMessage, from: ModelQueue, to: ModelQueue, deadLetter: DeadLetterOrigin | undefined): void {
    from.messages = from.messages.filter((one) => one !== message);
    to.messages.push({ ...message, ...asArrived(this.#nowMs), readyAtMs: this.#nowMs, deadLetter });
  }
}

function asArrived(enqueuedAtMs: number) {
  return { enqueuedAtMs, receives: 0, firstReceivedAtMs: undefined, holder: undefined };
}

function asSeen(message: ModelMessage): Omit<QueueMessage, "sequence"> {
  const { body, messageId, sentAtMs, readyAtMs, receives, firstReceivedAtMs, deadLetter } = message;
  const isTaken = receives > 0;
  const receiveCount = receives;
  return {
    ...{ body, messageId, sentAtMs, readyAtMs, receiveCount, firstReceivedAtMs, deadLetter, isTaken },
    ...{ attributes: undefined, sender: "", traceHeader: undefined },
  };
}

function outcomeOf(queue: ModelQueue, message: ModelMessage, receipt: Receipt): ReceiptOutcome {
  if (!queue.messages.includes(message)) return "gone";
  return message.holder?.receipt === receipt ? "done" : "stale";
}

/** Of those that became ready in the same millisecond the ones with fewer receives come first; sorting keeps the order of arrival. */
function compareReady(a: ModelMessage, b: ModelMessage): number {
  return a.readyAtMs - b.readyAtMs || a.receives - b.receives;
}
