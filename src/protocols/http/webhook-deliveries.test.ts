import { Buffer } from "node:buffer";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { aWebhookReceiver, type WebhookReceiver } from "../../../test/support/webhook-receiver.ts";
import type { SubscriptionChange } from "../../domain/subscriptions/store.ts";
import { keyOf } from "../../domain/subscriptions/subscription.ts";

let door: TestDoor;
let receiver: WebhookReceiver;
/** One for each test. */
let name: string;
let count = 0;
beforeAll(async () => {
  door = await anHttpDoor();
  receiver = await aWebhookReceiver();
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});
beforeEach(async () => {
  name = `w${++count}`;
  await door.webhooks.put(door.principal, "c", name, { topic: "t", url: receiver.url });
});

async function call(method: string, path: string, body?: unknown, credential?: string) {
  const headers: Record<string, string> = credential === undefined ? {} : { authorization: `Bearer ${credential}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await fetch(`${door.url}/v1/webhooks/c/${name}${path}`, { method, headers, ...sent });
  return [response.status, await response.json()] as const;
}

/** Stores what the delivery worker would have. */
async function save(change: Omit<SubscriptionChange, "key">): Promise<void> {
  const { webhook } = await door.webhooks.get(door.principal, "c", name);
  await door.engine.subscriptions.save([{ key: keyOf(webhook), ...change }]);
}

const at = { page: 3, topic: "t", atMs: 1_800_000_000_000 };
const value = (text: string) => ({ isText: true, bytes: Buffer.from(text) });
const item = (sequence: number, more = {}) => ({
  ...{ page: 3, sequence, value: value(`text ${sequence}`), attributes: undefined, tokenId: "", publishedAtMs: 5 },
  ...more,
});
const death = {
  topic: "t",
  reason: "refused",
  diedAtMs: 7,
  attempts: 1,
  error: "it answered 400",
  status: 400,
} as const;

describe("deliveries", () => {
  it("come with the newest first, page by page, and say what became of each", async () => {
    const delivery = {
      ...at,
      outcome: "delivered",
      attempts: 1,
      status: 204,
      latencyMs: 12.5168,
      isReplay: false,
    } as const;
    const deliveries = [
      { ...delivery, sequence: 1 },
      { ...delivery, sequence: 2, outcome: "dead" as const, attempts: 9, status: undefined },
      { ...delivery, sequence: 2, isReplay: true },
    ];
    await save({ deliveries });
    const common = { topic: "t", atMs: at.atMs, number: expect.any(Number), latencyMs: 12.5 };
    const replayed = { ...common, position: "3-2", outcome: "delivered", attempts: 1, status: 204, replay: true };
    const [status, first] = await call("GET", "/deliveries?limit=1");
    expect([status, first]).toEqual([200, { deliveries: [replayed] }]);
    const [, rest] = await call("GET", `/deliveries?before=${first.deliveries[0].number}`);
    expect(rest).toEqual({
      deliveries: [
        { ...common, position: "3-2", outcome: "dead", attempts: 9 },
        { ...common, position: "3-1", outcome: "delivered", attempts: 1, status: 204 },
      ],
    });
    expect((await call("GET", ""))[1]).toMatchObject({ counters: { delivered: 1 } });
  });
});

describe("failures", () => {
  it("come with the newest first, page by page, and show answers to those who may write the webhook", async () => {
    const failure = { ...at, sequence: 1, status: 500, latencyMs: 3, error: "it answered 500" };
    await save({
      failures: [
        { ...failure, attempt: 1, answer: 'secret "stack trace"' },
        { ...failure, attempt: 2, status: undefined, error: "no answer within 5 s", answer: undefined },
      ],
    });
    const common = { topic: "t", position: "3-1", atMs: at.atMs, number: expect.any(Number), latencyMs: 3 };
    const [, first] = await call("GET", "/failures?limit=1");
    expect(first).toEqual({ failures: [{ ...common, attempt: 2, error: "no answer within 5 s" }] });
    const older = { ...common, attempt: 1, status: 500, error: "it answered 500" };
    const before = `/failures?before=${first.failures[0].number}`;
    expect(await call("GET", before)).toEqual([200, { failures: [{ ...older, answer: 'secret "stack trace"' }] }]);
    const grants = [{ resource: "webhook", role: "read", cache: { name: "c" }, webhook: { all: true } }];
    const made = await fetch(`${door.url}/v1/keys`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ grants }) },
    });
    const { apiKey } = (await made.json()) as { apiKey: string };
    expect(await call("GET", before, undefined, apiKey)).toEqual([200, { failures: [older] }]);
    expect((await call("POST", "/dead-letters/replay", {}, apiKey))[0]).toBe(403);
  });
});

describe("dead letters", () => {
  it("are items, with the reason, the oldest first, page by page", async () => {
    const attributes = { token_id: { type: "String", value: "no" } };
    const bytes = { isText: false, bytes: Buffer.of(0, 255) };
    await save({
      dead: [
        { ...death, item: item(1, { tokenId: "alice", attributes }) },
        { ...death, item: item(2, { value: bytes }), reason: "history", attempts: 0, error: "", status: undefined },
      ],
    });
    const common = {
      id: expect.any(Number),
      topic: "t",
      sequencePage: 3,
      publishedAtMs: 5,
      diedAtMs: 7,
      replaying: false,
    };
    const first = { ...common, position: "3-1", sequenceNumber: 1, text: "text 1", tokenId: "alice", attributes };
    const [status, answer] = await call("GET", "/dead-letters?limit=1");
    const refused = { reason: "refused", attempts: 1, error: "it answered 400", status: 400 };
    expect([status, answer]).toEqual([200, { deadLetters: [{ ...first, ...refused }] }]);
    const second = { ...common, position: "3-2", sequenceNumber: 2, binary: "AP8=" };
    expect(await call("GET", `/dead-letters?after=${answer.deadLetters[0].id}`)).toEqual([
      200,
      { deadLetters: [{ ...second, reason: "history", attempts: 0, error: "" }] },
    ]);
  });

  it("come in answers that are bounded in bytes", async () => {
    const large = value("x".repeat(256 * 1024));
    for (let i = 0; i < 40; i += 10) {
      await save({
        dead: Array.from({ length: 10 }, (_, k) => ({ ...death, item: item(i + k + 1, { value: large }) })),
      });
    }
    let after = 0;
    const sizes: number[] = [];
    for (;;) {
      const [, { deadLetters }] = await call("GET", `/dead-letters?limit=1000&after=${after}`);
      if (deadLetters.length === 0) break;
      sizes.push(deadLetters.length);
      after = deadLetters.at(-1).id;
    }
    expect(sizes).toEqual([32, 8]);
  });

  it("are replayed and dropped, one or all of them", async () => {
    await save({ dead: [1, 2, 3].map((sequence) => ({ ...death, item: item(sequence) })) });
    const [, { deadLetters }] = await call("GET", "/dead-letters");
    const [first, second] = deadLetters.map(({ id }: { id: number }) => id);
    expect(await call("POST", "/dead-letters/replay", { id: first })).toEqual([200, { replaying: 1 }]);
    expect(await call("POST", "/dead-letters/replay", {})).toEqual([200, { replaying: 2 }]);
    expect((await call("GET", ""))[1]).toMatchObject({ deadLetters: { count: 3, replaying: 3 } });
    expect((await call("GET", "/dead-letters"))[1]).toMatchObject({ deadLetters: [{}, {}, { replaying: true }] });
    expect(await call("DELETE", `/dead-letters?id=${second}`)).toEqual([200, { dropped: 1 }]);
    for (const [method, path, body] of [
      ["DELETE", `/dead-letters?id=${second}`],
      ["POST", "/dead-letters/replay", { id: second }],
    ] as const) {
      expect(await call(method, path, body)).toEqual([
        404,
        expect.objectContaining({ detail: `webhook "${name}" of cache "c" has no dead letter ${second}` }),
      ]);
    }
    expect(await call("DELETE", "/dead-letters")).toEqual([200, { dropped: 2 }]);
  });

  it("are not all dropped for a misspelled id", async () => {
    await save({ dead: [{ ...death, item: item(1) }] });
    for (const query of ["ID=1", "id=", "id=all", "id=0", "after=1"]) {
      expect((await call("DELETE", `/dead-letters?${query}`))[0], query).toBe(400);
    }
    for (const body of [{ ID: 1 }, { id: "1" }, { id: 0 }]) {
      expect((await call("POST", "/dead-letters/replay", body))[0], JSON.stringify(body)).toBe(400);
    }
    expect((await call("GET", ""))[1]).toMatchObject({ deadLetters: { count: 1, replaying: 0 } });
  });
});

describe("lists", () => {
  it("are refused with a bound that is out of its own", async () => {
    for (const list of ["deliveries", "failures", "dead-letters"]) {
      const [word, wrong] = list === "dead-letters" ? ["after", "-1"] : ["before", "0"];
      for (const query of ["limit=0", "limit=1001", "limit=1.5", "limit=x", `${word}=${wrong}`, `${word}=1e99`]) {
        const [status, { detail }] = await call("GET", `/${list}?${query}`);
        expect([status, detail], query).toEqual([400, expect.stringContaining(`"${query.split("=")[0]}"`)]);
      }
      expect((await call("GET", `/${list}?limit=1000`))[0]).toBe(200);
    }
  });
});

describe("a test delivery", () => {
  it("reaches the receiver, marked as one, and its outcome is answered", async () => {
    const latencyMs = expect.any(Number);
    expect(await call("POST", "/test")).toEqual([200, { delivered: true, status: 200, latencyMs }]);
    const sent = receiver.calls.at(-1);
    expect(sent?.headers).toMatchObject({ "todoku-test": "true", "webhook-id": expect.stringMatching(/^msg_test_/) });
    expect(JSON.parse(sent?.body.toString() ?? "")).toMatchObject({ cache: "c", topic: "t", token_id: "" });
    receiver.answer({ status: 500, body: "inner workings" });
    // The receiver is on this machine: what it answers is nobody's business.
    expect(await call("POST", "/test")).toEqual([
      200,
      { delivered: false, status: 500, latencyMs, error: expect.stringContaining("500") },
    ]);
    receiver.answer(200);
    expect((await call("GET", ""))[1]).toMatchObject({ counters: { delivered: 0, failures: 0 } });
  });
});
