import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { TestMachine } from "../../../test/support/clock.ts";
import { aNode, clock, engine, me, node, startMs, useWebhooks } from "../../../test/support/webhook-nodes.ts";
import { createClock } from "../../lib/clock.ts";
import { silentLog } from "../../lib/log.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Principal } from "../auth/principal.ts";
import { MasterKey } from "../encryption/master-key.ts";
import { createSealer } from "../encryption/sealer.ts";
import { makeBuiltIns } from "../environments/built-ins.ts";
import { TodokuError } from "../errors.ts";
import type { SnsConfirmation } from "../event-topics/confirmation.ts";
import { eventTopicKeyOf } from "../event-topics/event-topic.ts";
import { createEventTopics } from "../event-topics/event-topics.ts";
import { limits } from "../limits.ts";
import { createQueues } from "../queues/queues.ts";
import type { Outcome } from "./destination.ts";
import { createEventSubscriptions, type EventSubscriptionRequest } from "./event-subscriptions.ts";

useWebhooks();

const sealer = () => createSealer(engine.records, new MasterKey(randomBytes(32)));
const place = { region: "us-east-1", baseUrl: "http://todoku.test" };
const toUrl = { protocol: "https", endpoint: "https://example.com/sns", place };
const toQueue = { protocol: "sqs", endpoint: "arn:aws:sqs:us-east-1:000000000000:jobs", place };
const delivered: Outcome = { verdict: "delivered", status: 200, latencyMs: 1 };
const away: Outcome = { verdict: "retry", isOutage: true, error: "no answer", latencyMs: 1 };

beforeEach(async () => {
  await makeBuiltIns(engine.records, me.environment, startMs);
  await node.caches.refresh(me.environment);
});

/** One server's event subscriptions, with a topic "orders" and a queue "jobs". */
async function aService({
  outcome = () => delivered,
  topic = "orders",
}: {
  outcome?: () => Outcome;
  topic?: string;
} = {}) {
  const { registry, caches } = node;
  const wallMs = () => clock.nowMs;
  const machine = new TestMachine();
  const wheel = new TimerWheel(createClock(machine));
  const eventTopics = createEventTopics(engine, wallMs);
  await eventTopics.start();
  await eventTopics.create(me, topic);
  const queues = createQueues(engine, wallMs);
  await queues.start();
  if (!queues.known(me.environment, "jobs")) await queues.create(me, "jobs");
  const asked: SnsConfirmation[] = [];
  const reportParts = { engine, caches, circuitOf: () => "closed" as const, waitingOf: () => 0 };
  const subscriptions = createEventSubscriptions({
    ...{ engine, sealer: sealer(), caches, queues, eventTopics, registry, reportParts, wheel, log: silentLog, wallMs },
    confirmations: {
      async sendConfirmation(confirmation) {
        asked.push(confirmation);
        return outcome();
      },
    },
    refusal: (url) => (url.includes("10.0.0.1") ? "this address is private" : undefined),
  });
  await subscriptions.start();
  const pass = async (ms: number) => {
    machine.pass(ms);
    wheel.runOnce();
    await new Promise(setImmediate);
  };
  const subscribe = (request: EventSubscriptionRequest) => subscriptions.subscribe(me, "orders", request);
  return { subscriptions, eventTopics, queues, asked, pass, subscribe };
}

const storedPending = async () => engine.records.list("pending-subscription", me.environment);

describe("a subscription of a URL", () => {
  it("is kept with the hash of its token alone, for three days", async () => {
    const { subscriptions, asked, subscribe } = await aService();
    const { id, isPending } = await subscribe(toUrl);
    expect(isPending).toBe(true);
    const token = asked[0]?.token ?? "";
    expect(token).toMatch(/^[0-9a-f]{64}\./);
    expect(JSON.stringify(await storedPending())).not.toContain(token.slice(0, 64));
    expect(await subscriptions.count(me, "orders")).toEqual({ confirmed: 0, pending: 1 });

    clock.nowMs += limits.eventSubscription.pendingKeptMs;
    await expect(subscriptions.confirm(token, "orders")).rejects.toMatchObject({ code: "invalid_argument" });
    await expect(subscriptions.get(me, id)).rejects.toMatchObject({ code: "not_found" });
    expect(await storedPending()).toEqual([]);
  });

  it("is confirmed by its last token, for its topic, and by nobody of another environment", async () => {
    const { subscriptions, asked, subscribe } = await aService();
    const { id } = await subscribe(toUrl);
    await subscribe({ ...toUrl, isRaw: true });
    const [first = "", last = ""] = asked.map(({ token }) => token);
    const refused = { code: "invalid_argument", subject: "token" };
    await expect(subscriptions.confirm(first, "orders")).rejects.toMatchObject(refused);
    await expect(subscriptions.confirm(last, "messages")).rejects.toMatchObject(refused);
    const stranger: Principal = { ...me, environment: "elsewhere" };
    await expect(subscriptions.confirm(last, "orders", stranger)).rejects.toMatchObject(refused);
    expect(await subscriptions.confirm(last, "orders", me)).toMatchObject({
      ...{ id, isPending: false, isRaw: true, isConfirmedWithCredentials: true, place },
      target: { kind: "sns-http", address: toUrl.endpoint },
    });
    // Who has no answer asks again.
    expect((await subscriptions.confirm(last, "orders")).id).toBe(id);
    expect(await subscriptions.signingSecret(me, id)).toMatch(/^whsec_/);
    expect(await subscriptions.count(me, "orders")).toEqual({ confirmed: 1, pending: 0 });
    await subscriptions.unsubscribe(me, id);
    await expect(subscriptions.confirm(last, "orders")).rejects.toMatchObject(refused);
  });

  it("is asked about four times, 20 s apart, while nobody answers there", async () => {
    const { asked, pass, subscribe } = await aService({ outcome: () => away });
    await subscribe(toUrl);
    await pass(19_000);
    expect(asked).toHaveLength(1);
    for (let n = 0; n < 6; n++) await pass(21_000);
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map(({ token, messageId }) => token + messageId)).size).toBe(1);
  });

  it("is asked about no more when it is subscribed anew, confirmed or taken away", async () => {
    const { asked, pass, subscribe, subscriptions } = await aService({ outcome: () => away });
    await subscribe(toUrl);
    const { id } = await subscribe(toUrl);
    expect(asked).toHaveLength(2);
    await pass(21_000);
    expect(asked).toHaveLength(3);
    await subscriptions.unsubscribe(me, id);
    await pass(21_000);
    expect(asked).toHaveLength(3);
    await subscribe(toUrl);
    await subscriptions.confirm(asked[3]?.token ?? "", "orders");
    await pass(21_000);
    expect(asked).toHaveLength(4);
  });

  it("waits once when two subscribe it at the same time", async () => {
    const { subscriptions, subscribe } = await aService();
    await Promise.all([subscribe(toUrl), subscribe(toUrl)]);
    expect(await storedPending()).toHaveLength(1);
    expect(await subscriptions.count(me, "orders")).toEqual({ confirmed: 0, pending: 1 });
  });

  it("is asked about once when the answer is no", async () => {
    const { asked, pass, subscribe } = await aService({
      outcome: () => ({ verdict: "dead", isOutage: false, status: 404, error: "it answered 404", latencyMs: 1 }),
    });
    await subscribe(toUrl);
    for (let n = 0; n < 3; n++) await pass(21_000);
    expect(asked).toHaveLength(1);
  });

  it("is refused where the server may not call", async () => {
    const { subscribe } = await aService();
    const refused = subscribe({ ...toUrl, endpoint: "https://10.0.0.1/" });
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining("this address is private") });
    await expect(subscribe({ ...toUrl, protocol: "http" })).rejects.toMatchObject({ code: "invalid_argument" });
  });

  it("waits with so many others in an environment, and no more", async () => {
    const { subscribe, asked } = await aService();
    await subscribe({ ...toUrl, endpoint: "https://example.com/first" });
    const [record] = await storedPending();
    const { pendingMax } = limits.eventSubscription;
    const copies = Array.from({ length: pendingMax - 1 }, (_, n) => {
      const key = { kind: "pending-subscription", environment: me.environment, name: `copy ${n}` };
      return engine.records.create(key, { ...record?.document, id: `copy ${n}` });
    });
    await Promise.all(copies);
    await expect(subscribe(toUrl)).rejects.toMatchObject({ code: "limit_exceeded", subject: "subscriptions" });
    expect(asked).toHaveLength(1);
  });
});

describe("an event subscription", () => {
  it("is there again after a restart, and gone when its topic went while the server was away", async () => {
    const { subscribe } = await aService();
    const { id } = await subscribe(toQueue);
    const again = await aService();
    expect((await again.subscriptions.get(me, id)).target).toEqual({ kind: "queue", address: "jobs" });
    // A server that was killed behind the first step of a deletion.
    await engine.records.remove(eventTopicKeyOf(me.environment, "orders"));
    const later = await aService({ topic: "others" });
    await expect(later.subscriptions.get(me, id)).rejects.toMatchObject({ code: "not_found" });
  });

  it("goes with its topic, also when that is deleted while it is made", async () => {
    const { subscriptions, subscribe, eventTopics, queues } = await aService();
    const { id } = await subscribe(toQueue);
    await eventTopics.delete(me, "orders");
    await expect(subscriptions.get(me, id)).rejects.toMatchObject({ code: "not_found" });
    await eventTopics.create(me, "orders");
    const get = queues.get.bind(queues);
    queues.get = async (environment, name) => {
      await eventTopics.delete(me, "orders");
      return get(environment, name);
    };
    await expect(subscribe(toQueue)).rejects.toMatchObject({ code: "not_found", subject: "topic" });
    expect(node.registry.all(me.environment)).toEqual([]);
  });

  it("is made once by two that ask at the same time", async () => {
    const { subscriptions, subscribe } = await aService();
    const [one, two] = await Promise.all([subscribe(toQueue), subscribe(toQueue)]);
    expect(one).toEqual(two);
    expect(await subscriptions.list(me)).toEqual([one]);
  });

  it("of a function gets no raw messages, and needs the right to call it", async () => {
    const { subscriptions, subscribe } = await aService();
    const toFunction = { protocol: "lambda", endpoint: "arn:aws:lambda:us-east-1:1:function:f", place };
    await expect(subscribe({ ...toFunction, isRaw: true })).rejects.toMatchObject({ code: "invalid_argument" });
    const { id, protocol, target } = await subscribe(toFunction);
    expect([protocol, target]).toEqual(["lambda", { kind: "handler", address: "f" }]);
    await expect(subscriptions.change(me, id, { isRaw: true })).rejects.toMatchObject({ code: "invalid_argument" });
    const grants = [
      { resource: "topic", role: "subscribe", cache: { name: "events" }, topic: { all: true } },
      { resource: "webhook", role: "read-write", cache: { name: "events" }, webhook: { all: true } },
    ] as const;
    const key: Principal = { ...me, kind: "key", isSuperUser: false, isOperator: false, grants };
    await expect(subscriptions.subscribe(key, "orders", toFunction)).rejects.toMatchObject({
      code: "permission_denied",
      message: expect.stringContaining('handler.invoke on handler "f"'),
    });
  });

  it("shows its secret to nobody who may only read", async () => {
    const { subscriptions, asked, subscribe } = await aService();
    const { id } = await subscribe(toUrl);
    await subscriptions.confirm(asked[0]?.token ?? "", "orders");
    const grant = { resource: "webhook", role: "read", cache: { name: "events" }, webhook: { all: true } } as const;
    const reader: Principal = { ...me, kind: "key", isSuperUser: false, isOperator: false, grants: [grant] };
    expect((await subscriptions.list(reader)).map((one) => one.id)).toEqual([id]);
    expect(await subscriptions.report(reader, id)).toMatchObject({ circuit: "closed", waiting: 0 });
    expect(await subscriptions.signingSecret(reader, id)).toBeUndefined();
    await expect(subscriptions.unsubscribe(reader, id)).rejects.toMatchObject({ code: "permission_denied" });
    await expect(subscriptions.change(reader, id, { isRaw: true })).rejects.toMatchObject({
      code: "permission_denied",
    });
  });

  it("is no webhook, and a webhook is no event subscription", async () => {
    const { subscriptions, subscribe } = await aService();
    await subscribe(toQueue);
    await node.webhooks.put(me, "events", "w", { topic: "orders", url: "https://example.com/hook" });
    expect((await node.webhooks.list(me, "events")).map(({ name }) => name)).toEqual(["w"]);
    expect(await subscriptions.list(me)).toHaveLength(1);
    await expect(subscriptions.get(me, "w")).rejects.toBeInstanceOf(TodokuError);
  });

  it("is seen by another node", async () => {
    const { subscribe } = await aService();
    const { id } = await subscribe(toQueue);
    const other = await aNode();
    expect(other.registry.known({ environment: me.environment, cache: "events", name: id })).toBeDefined();
  });
});
