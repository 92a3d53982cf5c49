import { WebhookUtils } from "momento-sdk-1.111";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeEach, describe, expect, it, vi } from "vitest";
import { aDelivery, aSecret } from "../../../test/support/deliveries.ts";
import { aTarget, type Received } from "../../../test/support/outbound-target.ts";
import { limits } from "../../domain/limits.ts";
import type { Webhook as Subscription } from "../../domain/subscriptions/subscription.ts";
import { createGuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import { createWebhookDestination } from "./destination.ts";

/** What the receiver answers; 200 unless a test says otherwise. */
let answer: (received: Received) => number;
let secrets: readonly string[];
let shiftMs: number;
const receiver = await aTarget((received, _request, response) => {
  const status = answer(received);
  response.writeHead(status, status === 503 ? { "retry-after": "3" } : {}).end("why");
});
const destination = createWebhookDestination({
  client: createGuardedClient({ allowed: [], permitsLoopback: true }),
  signingSecrets: async () => secrets,
  wallMs: () => Date.now() + shiftMs,
  version: "1.2.3",
});
// The verifier of Momento prints both signatures.
vi.spyOn(console, "log").mockImplementation(() => undefined);
beforeEach(() => {
  answer = () => 200;
  secrets = [aSecret()];
  shiftMs = 0;
});
afterAll(async () => {
  await destination.close();
  await receiver[Symbol.asyncDispose]();
});

let nextId = 100;
const aHook = (url = receiver.url): Partial<Subscription> => ({
  id: nextId++,
  destination: { kind: "webhook", url },
});
const last = () => receiver.received.at(-1) as Received;
const standard = ({ body, headers }: Received, secret: string) =>
  new Webhook(secret).verify(body, headers as Record<string, string>);
const isMomento = ({ body, headers }: Received, signingSecret: string) =>
  WebhookUtils.validateWebhookRequest({
    ...{ body: body.toString(), signingSecret },
    signature: headers["momento-signature"] as string,
  }) === WebhookUtils.RequestValidation.VALID;

describe("a delivery", () => {
  it("is verified by Momento's own function and by the library of Standard Webhooks", async () => {
    const delivery = aDelivery({ subscription: aHook(`${receiver.url}hook?a=1`), item: { tokenId: "user-7" } });
    const outcome = await destination.deliver(delivery);
    expect(outcome).toEqual({ verdict: "delivered", status: 200, latencyMs: expect.any(Number) });
    const received = last();
    const [secret = ""] = secrets;
    expect(isMomento(received, secret)).toBe(true);
    expect(standard(received, secret)).toMatchObject({ token_id: "user-7", text: "hello" });
    expect(received.path).toBe("/hook?a=1");
    expect(received.headers).toMatchObject({
      ...{ "content-type": "application/json", "user-agent": "Todoku/1.2.3 (Webhooks)" },
      "webhook-id": expect.stringMatching(/^msg_[\w-]{22}_1_1$/),
      "momento-signature": expect.stringMatching(/^[0-9a-f]{64}$/),
      "webhook-signature": expect.stringMatching(/^v1,[\w+/]{43}=$/),
    });
    expect(received.headers).not.toHaveProperty("todoku-test");
  });

  it("that was changed on its way, or signed with another secret, is verified by neither", async () => {
    await destination.deliver(aDelivery({ subscription: aHook() }));
    const changed = { ...last(), body: Buffer.from(last().body.toString().replace("hello", "hallo")) };
    const [secret = ""] = secrets;
    expect([isMomento(changed, secret), isMomento(last(), aSecret())]).toEqual([false, false]);
    expect(() => standard(changed, secret)).toThrow("No matching signature");
    expect(() => standard(last(), aSecret())).toThrow("No matching signature");
    const renamed = { ...last(), headers: { ...last().headers, "webhook-id": "msg_other" } };
    expect(() => standard(renamed, secret)).toThrow("No matching signature");
  });

  it("carries the time of its own attempt, so that a late retry is taken and an old recording is not", async () => {
    const delivery = aDelivery({ subscription: aHook(), item: { publishedAtMs: 1000 }, attempt: 9 });
    await destination.deliver(delivery);
    const sent = JSON.parse(last().body.toString());
    expect(sent.event_timestamp).toBe(1000);
    expect(Math.abs(sent.publish_timestamp - Date.now())).toBeLessThan(10_000);
    expect(last().headers["webhook-timestamp"]).toBe(String(Math.floor(sent.publish_timestamp / 1000)));
    shiftMs = -301_000;
    await destination.deliver(delivery);
    expect(() => standard(last(), secrets[0] as string)).toThrow("Message timestamp too old");
  });

  it("has the same id at every attempt, and another one for each item, topic, cache and environment", async () => {
    const ids: string[] = [];
    const subscription = aHook();
    for (const delivery of [
      aDelivery({ subscription }),
      aDelivery({ subscription, attempt: 2 }),
      aDelivery({ subscription, item: { sequence: 2 } }),
      aDelivery({ subscription, item: { page: 2 } }),
      aDelivery({ subscription, topic: "u" }),
      aDelivery({ subscription: { ...subscription, cache: "d" } }),
      aDelivery({ subscription: { ...subscription, environment: "e" } }),
    ]) {
      await destination.deliver(delivery);
      ids.push(last().headers["webhook-id"] as string);
    }
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(6);
  });

  it("that tries the webhook says so, and never has the id of an item", async () => {
    const delivery = aDelivery({ subscription: aHook(), isTest: true });
    await destination.deliver(delivery);
    const first = last();
    await destination.deliver(delivery);
    expect(first.headers).toMatchObject({
      "todoku-test": "true",
      "webhook-id": expect.stringMatching(/^msg_test_[\w-]{22}$/),
    });
    expect(last().headers["webhook-id"]).not.toBe(first.headers["webhook-id"]);
    expect(isMomento(last(), secrets[0] as string)).toBe(true);
  });

  it("that fails says how, with the receiver's wish; what this machine answered is nobody's to see", async () => {
    answer = () => 503;
    expect(await destination.deliver(aDelivery({ subscription: aHook() }))).toEqual({
      ...{ verdict: "retry", isOutage: true, status: 503, error: "it answered 503", retryAfterMs: 3000 },
      latencyMs: expect.any(Number),
    });
    expect(await destination.deliver(aDelivery({ subscription: aHook("http://10.0.0.1/?token=hush") }))).toEqual({
      ...{ verdict: "retry", isOutage: true, latencyMs: 0 },
      error: "10.0.0.1 is no public address, and not permitted; the operator can permit it with outbound.allow",
    });
  });

  it("waits when the secret cannot be read: nothing goes out unsigned", async () => {
    const unread = createWebhookDestination({
      client: createGuardedClient({ allowed: [], permitsLoopback: true }),
      signingSecrets: () => Promise.reject(new Error("hush")),
      ...{ wallMs: Date.now, version: "1" },
    });
    const before = receiver.received.length;
    const outcome = await unread.deliver(aDelivery({ subscription: aHook() }));
    expect(outcome).toEqual({ verdict: "retry", isOutage: true, error: "its secret cannot be read", latencyMs: 0 });
    expect(receiver.received.length).toBe(before);
    await unread.close();
  });
});

describe("while two secrets sign", () => {
  /** A receiver that takes one secret only, as one does that verifies `momento-signature`. */
  const takesOnly = (secret: string) => (received: Received) => (isMomento(received, secret) ? 200 : 401);
  const calls = async (subscription: Partial<Subscription>) => {
    const before = receiver.received.length;
    const outcome = await destination.deliver(aDelivery({ subscription }));
    return [outcome.verdict, receiver.received.length - before];
  };
  beforeEach(() => {
    secrets = [aSecret(), aSecret()];
  });

  it("the library of Standard Webhooks takes either, and a third one is refused", async () => {
    await destination.deliver(aDelivery({ subscription: aHook() }));
    for (const secret of secrets) expect(standard(last(), secret)).toMatchObject({ text: "hello" });
    expect(() => standard(last(), aSecret())).toThrow("No matching signature");
    expect((last().headers["webhook-signature"] as string).split(" ")).toHaveLength(2);
    expect(isMomento(last(), secrets[0] as string)).toBe(true);
  });

  it("a receiver that has the previous one is asked twice once, then with what it took, until it takes the current one", async () => {
    const [current = "", previous = ""] = secrets;
    const subscription = aHook();
    answer = takesOnly(previous);
    expect(await calls(subscription)).toEqual(["delivered", 2]);
    expect(await calls(subscription)).toEqual(["delivered", 1]);
    expect(await calls(aHook())).toEqual(["delivered", 2]);
    answer = takesOnly(current);
    expect(await calls(subscription)).toEqual(["delivered", 2]);
    expect(await calls(subscription)).toEqual(["delivered", 1]);
    // Both calls of a delivery are the same message.
    const [first, second] = receiver.received.slice(-3, -1) as [Received, Received];
    expect(first.headers["webhook-id"]).toBe(second.headers["webhook-id"]);
    expect(first.body).toEqual(second.body);
  });

  it("a receiver that has the one before the previous one is found out too, and known to be behind", async () => {
    secrets = [aSecret(), aSecret(), aSecret()];
    const [current = "", , oldest = ""] = secrets;
    const subscription = aHook();
    answer = takesOnly(oldest);
    expect(await calls(subscription)).toEqual(["delivered", 3]);
    expect(await calls(subscription)).toEqual(["delivered", 1]);
    const known = aDelivery({ subscription }).subscription;
    expect(destination.usesFormerSecret(known)).toBe(true);
    answer = takesOnly(current);
    expect(await calls(subscription)).toEqual(["delivered", 2]);
    expect(destination.usesFormerSecret(known)).toBe(false);
  });

  it("a receiver that refuses both is asked twice each time, and the item ends", async () => {
    const subscription = aHook();
    answer = () => 403;
    expect(await calls(subscription)).toEqual(["dead", 2]);
    expect(await calls(subscription)).toEqual(["dead", 2]);
    expect(isMomento(last(), secrets[1] as string)).toBe(true);
    secrets = secrets.slice(0, 1);
    expect(await calls(subscription)).toEqual(["dead", 1]);
  });

  it("another failure is no reason to ask twice", async () => {
    answer = () => 500;
    expect(await calls(aHook())).toEqual(["retry", 1]);
  });

  it("both calls together take no longer than one may", async () => {
    const { timeoutMs } = limits.webhook;
    const within: number[] = [];
    const client = createGuardedClient({ allowed: [], permitsLoopback: true });
    const slow = createWebhookDestination({
      client: {
        ...client,
        call: async (request) => {
          within.push(request.timeoutMs);
          return { ...(await client.call(request)), latencyMs: 4000 };
        },
      },
      ...{ signingSecrets: async () => secrets, wallMs: Date.now, version: "1" },
    });
    answer = () => 401;
    expect(await slow.deliver(aDelivery({ subscription: aHook() }))).toMatchObject({
      verdict: "dead",
      latencyMs: 8000,
    });
    expect(within).toEqual([timeoutMs, timeoutMs - 4000]);
    await slow.close();
  });
});
