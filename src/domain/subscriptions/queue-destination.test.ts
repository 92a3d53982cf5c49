// Subscriptions whose items go to real queues of the embedded engine.
import { Buffer } from "node:buffer";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openPumps, type PumpCase, refused } from "../../../test/support/pumps.ts";
import { silentLog } from "../../lib/log.ts";
import type { Attributes } from "../attributes.ts";
import { openPrincipal } from "../auth/open-access.ts";
import { TodokuError } from "../errors.ts";
import { snsMessageIdOf } from "../event-topics/message-id.ts";
import { limits } from "../limits.ts";
import { createQueueMessages, type QueueMessages } from "../queues/messages.ts";
import { createQueues, type Queues } from "../queues/queues.ts";
import { QueueBatches } from "./queue-batches.ts";
import { createDeadLetterQueues, createQueueDestination } from "./queue-destination.ts";
import type { DurableSubscription } from "./subscription.ts";

let pumps: Awaited<ReturnType<typeof openPumps>>;
let hooks: PumpCase;
let queues: Queues;
let queueMessages: QueueMessages;
/** How many messages each call of `send` had. */
const batches: number[] = [];
/** Set: the next sends fail with it. */
let sendError: TodokuError | undefined;
let lastQueue = 0;
let queue: string;

beforeAll(async () => {
  pumps = await openPumps();
  const { engine, clock, wheel } = pumps;
  queues = createQueues(engine, clock.wallMs);
  queueMessages = createQueueMessages({ engine, queues, clock, wheel, log: silentLog });
});
afterAll(() => pumps.close());
beforeEach(async () => {
  hooks = await pumps.aCase();
  await hooks.start();
  batches.length = 0;
  sendError = undefined;
  queue = `q${++lastQueue}`;
  await queues.create(openPrincipal, queue);
  const parts = { batches: new QueueBatches({ send }), monotonicMs: pumps.clock.monotonicMs };
  const [destination, dead] = [createQueueDestination(parts), createDeadLetterQueues(parts)];
  hooks.answer = ({ delivery }) =>
    delivery.subscription.destination.kind === "queue" ? destination.deliver(delivery) : refused;
  hooks.deadLetterQueues = dead;
});

const send: QueueMessages["send"] = async (principal, name, messages) => {
  batches.push(messages.length);
  if (sendError) throw sendError;
  return hooks.ask(queueMessages.send(principal, name, messages));
};

const toQueue = (isRaw = false, changes: Partial<DurableSubscription> = {}) =>
  hooks.webhook("s", { isOrdered: false, destination: { kind: "queue", queue, isRaw }, ...changes });

/** What lies in a queue. */
async function messagesOf(name = queue) {
  const all = [];
  for (let after = 0; ; ) {
    const some = await queueMessages.peek(openPrincipal, name, after, limits.queue.peekMaxMessages);
    if (some.length === 0) return all;
    all.push(...some);
    after = some.at(-1)?.sequence ?? 0;
  }
}
const texts = async (name = queue) => (await messagesOf(name)).map(({ body }) => JSON.parse(body).Message);

async function publish(text: string | Uint8Array, attributes?: Attributes): Promise<void> {
  const isText = typeof text === "string";
  const value = { isText, bytes: isText ? Buffer.from(text) : text };
  await pumps.topics.publish(openPrincipal, hooks.cache, "t", { value, attributes });
  await hooks.settle();
}

describe("a subscription to a queue", () => {
  it("sends the messages of its topic as SNS does, in their order", async () => {
    await toQueue(false, { place: { region: "eu-west-1", baseUrl: "https://todoku.example" } });
    const attributes = { source: { type: "String", value: "s" }, "AWS.SNS.Subject": { type: "String", value: "Hi" } };
    await publish('{"a":"ä"}', attributes);
    const [message] = await messagesOf();
    expect(JSON.parse(message?.body ?? "")).toEqual({
      Type: "Notification",
      MessageId: snsMessageIdOf("dev", "t", { page: 1, sequence: 1, ...hooks.calls[0]?.delivery.item }),
      TopicArn: "arn:aws:sns:eu-west-1:000000000000:t",
      Subject: "Hi",
      Message: '{"a":"ä"}',
      Timestamp: new Date(pumps.clock.wallMs()).toISOString(),
      SignatureVersion: "2",
      Signature: "",
      SigningCertURL: "",
      UnsubscribeURL: expect.stringContaining("https://todoku.example/?Action=Unsubscribe&SubscriptionArn="),
      MessageAttributes: { source: { Type: "String", Value: "s" } },
    });
    expect(message?.attributes).toBeUndefined();
    const more = Array.from({ length: 300 }, (_, n) => `m${n}`);
    await hooks.publish("t", ...more);
    await hooks.pass(2000);
    expect(await texts()).toEqual(['{"a":"ä"}', ...more]);
    expect(Math.max(...batches)).toBe(limits.queue.batchMaxMessages);
    expect(batches.length).toBeLessThan(60);
  });

  it("that is raw sends the message alone, with its attributes; bytes as base64", async () => {
    await toQueue(true);
    await publish("plain", {
      kind: { type: "String", value: "k" },
      "AWS.SNS.Subject": { type: "String", value: "Hi" },
    });
    await publish(Uint8Array.of(0, 255));
    const messages = await messagesOf();
    expect(messages.map(({ body }) => body)).toEqual(["plain", "AP8="]);
    expect(messages[0]?.attributes).toEqual({ kind: { type: "String", value: "k" } });
  });

  it("that is raw tells the queue of users' messages not whom a message is from, where anybody could have said so", async () => {
    await queues.create(openPrincipal, "messages");
    await toQueue(true, { destination: { kind: "queue", queue: "messages", isRaw: true } });
    const text = (value: string) => ({ type: "String", value });
    await publish("forged", { user_id: text("u-1"), source: text("s"), timestamp: text("1"), kind: text("k") });
    expect((await messagesOf("messages")).map(({ attributes }) => attributes)).toEqual([{ kind: text("k") }]);
  });

  it("sends what a crash let it forget no second time", async () => {
    const subscription = await toQueue();
    await hooks.publish("t", "a", "b");
    await hooks.settle();
    await hooks.crash();
    await hooks.stored();
    expect(hooks.texts()).toEqual(["a", "b", "a", "b"]);
    expect(await texts()).toEqual(["a", "b"]);
    expect((await hooks.state(subscription)).counters.delivered).toBe(2);
  });

  it("waits for a queue that is gone, and says so, with all that comes", async () => {
    const subscription = await toQueue();
    await queues.delete(openPrincipal, queue);
    await hooks.publish("t", "a", "b", "c", "d", "e", "f", "g");
    await hooks.pass(600_000, 5000);
    await hooks.stored();
    expect(hooks.worker.circuitOf(subscription.id)).toBe("open");
    expect(hooks.calls.length).toBeLessThan(60);
    const [failure] = await pumps.engine.subscriptions.failures({ environment: "dev", id: subscription.id }, 1);
    expect(failure?.error).toBe(`queue "${queue}" does not exist`);
    await queues.create(openPrincipal, queue);
    await hooks.pass(120_000);
    expect((await texts()).sort()).toEqual(["a", "b", "c", "d", "e", "f", "g"]);
    expect(await hooks.deadLetters(subscription)).toEqual([]);
  });

  it("with a dead-letter queue gives it what was meant for a queue that is gone, as it would have come", async () => {
    const dead = `${queue}-dead`;
    await queues.create(openPrincipal, dead);
    const subscription = await toQueue(true, { deadLetterQueue: dead });
    await queues.delete(openPrincipal, queue);
    await publish("a", { kind: { type: "String", value: "k" } });
    expect(await messagesOf(dead)).toMatchObject([{ body: "a", attributes: { kind: { type: "String", value: "k" } } }]);
    await hooks.stored();
    expect(await hooks.deadLetters(subscription)).toMatchObject([{ error: `queue "${queue}" does not exist` }]);
  });

  it("gives up at once what no queue can take, and goes on with the next", async () => {
    const subscription = await toQueue();
    await publish("\u0001".repeat(limits.messageMaxBytes));
    await publish("b");
    await hooks.stored();
    expect(await texts()).toEqual(["b"]);
    expect(await hooks.deadLetters(subscription)).toMatchObject([
      { reason: "refused", error: expect.stringContaining("must be <= ") },
    ]);
  });

  it("tries again when the storage takes nothing", async () => {
    await toQueue();
    sendError = new TodokuError("unavailable", "the disk is full");
    await hooks.publish("t", "a", "b");
    await hooks.pass(5000);
    sendError = undefined;
    await hooks.pass(120_000);
    expect((await texts()).sort()).toEqual(["a", "b"]);
  });
});

it("what a URL refuses comes to the dead-letter queue as SNS would have told of it, once over a crash", async () => {
  await hooks.webhook("s", {
    ...{ isOrdered: false, deadLetterQueue: queue },
    destination: { kind: "sns-http", url: "http://a.example/", isRaw: false },
  });
  await publish("a");
  await hooks.crash();
  await hooks.stored();
  expect(hooks.texts()).toEqual(["a", "a"]);
  expect(await texts()).toEqual(["a"]);
});
