// Calls as SNS makes them, taken by a receiver of loopback and verified by the library that receivers of SNS use.

import { createHmac, randomUUID, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, globalAgent } from "node:https";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { aSecret } from "../../../test/support/deliveries.ts";
import { anEngine } from "../../../test/support/engine.ts";
import { aTarget, type Received } from "../../../test/support/outbound-target.ts";
import { makeDevTls } from "../../cli/commands/tls-dev.ts";
import { MasterKey } from "../../domain/encryption/master-key.ts";
import { createSealer } from "../../domain/encryption/sealer.ts";
import type { Delivery } from "../../domain/subscriptions/destination.ts";
import type { SnsHttpSubscription } from "../../domain/subscriptions/subscription.ts";
import { createGuardedClient } from "../../lib/guarded-client/guarded-client.ts";
import { createSnsHttp } from "./destination.ts";
import { createSigningKeys } from "./signing-key.ts";

interface Validator {
  validate(
    message: Record<string, unknown>,
    done: (error: Error | null, message?: Record<string, unknown>) => void,
  ): void;
}
const MessageValidator: new (host: RegExp) => Validator = createRequire(import.meta.url)("sns-validator");

const nowMs = Date.UTC(2026, 10, 23, 12);
const store = await anEngine({ wallMs: () => nowMs });
const { records } = store.engine;
const sealer = createSealer(records, new MasterKey(Buffer.alloc(32, 7)));
const keys = createSigningKeys({ records, sealer, wallMs: () => nowMs });
let secrets: readonly string[];
let answer: number;
const receiver = await aTarget((_received, _request, response) => void response.writeHead(answer).end("why"));
const client = createGuardedClient({ allowed: [], permitsLoopback: true });
const sns = createSnsHttp({ client, keys, signingSecrets: async () => secrets, wallMs: () => nowMs, version: "1.2.3" });

// Receivers fetch certificates by https alone: a server with a certificate of its own, whose CA this process trusts meanwhile.
const directory = await mkdtemp(join(tmpdir(), "todoku-sns-"));
const made = await makeDevTls({ endpoint: "localhost", out: directory, names: [], nowMs: Date.now() });
const [cert, key, ca] = await Promise.all([made.certFile, made.keyFile, made.caFile].map((file) => readFile(file)));
const certificates = createServer({ cert, key }, async (request, response) => {
  const found = await sns.certificate(request.url ?? "");
  response.writeHead(found === undefined ? 404 : 200).end(found);
});
await once(certificates.listen(0, "localhost"), "listening");
const baseUrl = `https://localhost:${(certificates.address() as AddressInfo).port}`;
const trusted = globalAgent.options.ca;
globalAgent.options.ca = ca;

beforeEach(() => {
  secrets = [aSecret()];
  answer = 200;
});
afterAll(async () => {
  globalAgent.options.ca = trusted;
  globalAgent.destroy();
  certificates.close();
  await client.close();
  await receiver[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const validate = (message: Record<string, unknown>) => {
  const validator = new MessageValidator(/^localhost:\d+$/);
  return promisify((done: (error: Error | null) => void) => validator.validate(message, done))();
};
const last = () => receiver.received.at(-1) as Received;
const lastMessage = (): Record<string, unknown> => JSON.parse(last().body.toString());

function aDelivery(text: string, { isRaw = false, environment = "dev" } = {}): Delivery<SnsHttpSubscription> {
  const attributes = { source: { type: "String", value: "s" }, "AWS.SNS.Subject": { type: "String", value: "Hi" } };
  return {
    subscription: {
      ...{ id: 1, environment, cache: "events", name: "11111111-2222-5333-8444-555555555555", topic: "orders" },
      ...{ isOrdered: false, filter: undefined, deadLetterQueue: undefined, pause: undefined, createdAtMs: 1 },
      destination: { kind: "sns-http", url: `${receiver.url}hook?a=1`, isRaw },
      place: { region: "eu-west-1", baseUrl },
    },
    topic: "orders",
    item: {
      ...{ page: 1, sequence: 7, value: { isText: true, bytes: Buffer.from(text) } },
      ...{ attributes, tokenId: "", publishedAtMs: nowMs },
    },
    ...{ attempt: 1, isTest: false },
  };
}

describe("a notification", () => {
  it("is what receivers of SNS verify, and has its headers", async () => {
    const outcome = await sns.deliver(aDelivery('{"a":"ä\n"}'));
    expect(outcome).toEqual({ verdict: "delivered", status: 200, latencyMs: expect.any(Number) });
    const { path, headers } = last();
    expect(path).toBe("/hook?a=1");
    const topicArn = "arn:aws:sns:eu-west-1:000000000000:orders";
    expect(headers).toMatchObject({
      "content-type": "text/plain; charset=UTF-8",
      "x-amz-sns-message-type": "Notification",
      "x-amz-sns-message-id": lastMessage().MessageId,
      "x-amz-sns-topic-arn": topicArn,
      "x-amz-sns-subscription-arn": `${topicArn}:11111111-2222-5333-8444-555555555555`,
      "user-agent": "Todoku/1.2.3 (SNS)",
    });
    expect(headers).not.toHaveProperty("x-amz-sns-rawdelivery");
    expect(lastMessage()).toMatchObject({
      Type: "Notification",
      Subject: "Hi",
      Message: '{"a":"ä\n"}',
      TopicArn: topicArn,
    });
    await validate(lastMessage());
  });

  it.each(["Message", "Subject", "Timestamp", "MessageId"])("does not verify with another %s", async (name) => {
    await sns.deliver(aDelivery("hello"));
    await expect(validate({ ...lastMessage(), [name]: "another" })).rejects.toThrow("signature is invalid");
  });

  it("is signed with the subscription's own secret too, and with former ones while they last", async () => {
    secrets = [aSecret(), aSecret()];
    await sns.deliver(aDelivery("hello"));
    const { headers, body } = last();
    const t = nowMs / 1000;
    const of = (secret: string) => createHmac("sha256", secret).update(`${t}.${body}`).digest("hex");
    expect(headers["x-todoku-signature"]).toBe(`t=${t},${secrets.map((secret) => `v1=${of(secret)}`).join(",")}`);
  });

  it("that is raw is the message alone, signed with the subscription's secret", async () => {
    await sns.deliver(aDelivery("plain", { isRaw: true }));
    const { headers, body } = last();
    expect(body.toString()).toBe("plain");
    expect(headers).toMatchObject({ "x-amz-sns-rawdelivery": "true", "x-amz-sns-message-type": "Notification" });
    expect(headers["x-todoku-signature"]).toMatch(/^t=\d+,v1=[0-9a-f]{64}$/);
  });

  it.each([
    [204, "delivered"],
    [302, "dead"],
    [400, "dead"],
    [404, "dead"],
    [410, "gone"],
    [408, "retry"],
    [429, "retry"],
    [500, "retry"],
    [503, "retry"],
  ])("that is answered with %i is %s", async (status, verdict) => {
    answer = status;
    expect(await sns.deliver(aDelivery("hello"))).toMatchObject({ verdict, status });
  });

  it("waits while the keys cannot be read", async () => {
    const broken = createSnsHttp({
      ...{ client, signingSecrets: async () => secrets, wallMs: () => nowMs, version: "1" },
      keys: createSigningKeys({ records, sealer: createSealer(records, undefined), wallMs: () => nowMs }),
    });
    const calls = receiver.received.length;
    const outcome = await broken.deliver(aDelivery("hello", { environment: "other" }));
    expect(outcome).toMatchObject({ verdict: "retry", isOutage: true });
    expect(receiver.received.length).toBe(calls);
  });
});

it("a confirmation asks with a URL to visit, and verifies", async () => {
  const token = "a".repeat(64);
  const outcome = await sns.sendConfirmation({
    ...{ environment: "dev", messageId: randomUUID(), topicArn: "arn:aws:sns:us-east-1:000000000000:orders", token },
    ...{ place: { region: "us-east-1", baseUrl }, url: receiver.url, timestamp: new Date(nowMs).toISOString() },
  });
  expect(outcome.verdict).toBe("delivered");
  expect(last().headers).toMatchObject({ "x-amz-sns-message-type": "SubscriptionConfirmation" });
  const message = lastMessage();
  expect(message).toMatchObject({ Type: "SubscriptionConfirmation", Token: token });
  expect(message.SubscribeURL).toContain(`${baseUrl}/?Action=ConfirmSubscription&`);
  await validate(message);
});

describe("the key of an environment", () => {
  it("is made once, whoever asks at the same time, and kept sealed", async () => {
    const others = createSigningKeys({ records, sealer, wallMs: () => nowMs });
    const made = await Promise.all([keys.of("once"), keys.of("once"), others.of("once")]);
    expect(new Set(made.map(({ certificatePath }) => certificatePath)).size).toBe(1);
    const signatures = await Promise.all(made.map((one) => one.sign("text")));
    expect(new Set(signatures).size).toBe(1);
    const [record] = await records.list("sns-signing-key", "once");
    expect(JSON.stringify(record)).not.toMatch(/PRIVATE KEY|MII[A-Z]{2}Q?IBADAN/);
    await expect(sealer.open("another", "sns-signing-key/current", String(record?.document.sealed))).rejects.toThrow();
  });

  it("has a certificate that it signed itself, of which nobody can make a CA", async () => {
    const { certificatePath } = await keys.of("dev");
    const certificate = new X509Certificate((await keys.certificate(certificatePath)) ?? "");
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.ca).toBe(false);
    expect(certificate.subject).toBe("CN=Todoku SNS");
    expect(certificate.publicKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 });
    expect(certificate.validFromDate.getTime()).toBeLessThan(nowMs);
    expect(certificate.validToDate.getTime()).toBeGreaterThan(nowMs + 29 * 365 * 24 * 3600 * 1000);
    expect(certificatePath).toMatch(/^\/SimpleNotificationService-[0-9a-f]{32}\.pem$/);
    expect(await keys.certificate("/SimpleNotificationService-00.pem")).toBeUndefined();
  });

  it("goes with its environment: the next one of that name has another", async () => {
    const was = await keys.of("again");
    await records.remove({ kind: "sns-signing-key", environment: "again", name: "current" });
    const now = await keys.of("again");
    expect(now.certificatePath).not.toBe(was.certificatePath);
    expect(await keys.certificate(was.certificatePath)).toBeUndefined();
  });
});
