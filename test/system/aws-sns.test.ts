// SNS for clients as they are: the JavaScript SDK and Debian's boto3.
import { createHmac, randomUUID } from "node:crypto";
import { Agent, globalAgent } from "node:https";
import { createRequire } from "node:module";
import {
  ConfirmSubscriptionCommand,
  CreateTopicCommand,
  DeleteTopicCommand,
  GetSubscriptionAttributesCommand,
  GetTopicAttributesCommand,
  ListSubscriptionsByTopicCommand,
  ListSubscriptionsCommand,
  ListTagsForResourceCommand,
  ListTopicsCommand,
  PublishBatchCommand,
  PublishCommand,
  SetSubscriptionAttributesCommand,
  SetTopicAttributesCommand,
  SNSClient,
  SubscribeCommand,
  TagResourceCommand,
  UnsubscribeCommand,
  UntagResourceCommand,
} from "@aws-sdk/client-sns";
import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteQueueCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AccessKey, type AwsServer, anAwsServer, pythonAws } from "../support/aws.ts";
import { aTlsServer } from "../support/tls.ts";
import { aWebhookReceiver, type WebhookReceiver } from "../support/webhook-receiver.ts";

/** It has no types of its own. */
type Validate = (body: string, done: (error: Error | null, message?: unknown) => void) => void;
const MessageValidator: new (hosts: RegExp) => { readonly validate: Validate } = createRequire(import.meta.url)(
  "sns-validator",
);

let server: AwsServer;
let receiver: WebhookReceiver;
beforeAll(async () => {
  server = await anAwsServer();
  receiver = await aWebhookReceiver();
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const sns = (key?: AccessKey) => new SNSClient(server.clientOptions(key));
const sqs = () => new SQSClient(server.clientOptions());
const arn = (name: string) => `arn:aws:sns:us-east-1:000000000000:${name}`;
const queueArn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A new topic, and as many queues; no test shares any with another. */
async function aTopic(queueCount = 0): Promise<{ topic: string; TopicArn: string; queues: string[] }> {
  const topic = `t-${randomUUID()}`;
  const queues = Array.from({ length: queueCount }, (_, n) => `${topic}-${n}`);
  const { TopicArn = "" } = await sns().send(new CreateTopicCommand({ Name: topic }));
  for (const QueueName of queues) await sqs().send(new CreateQueueCommand({ QueueName }));
  return { topic, TopicArn, queues };
}

async function subscribe(TopicArn: string, queue: string, Attributes: Record<string, string> = {}): Promise<string> {
  const request = { TopicArn, Protocol: "sqs", Endpoint: queueArn(queue), Attributes };
  const { SubscriptionArn = "" } = await sns().send(new SubscribeCommand(request));
  return SubscriptionArn;
}

/** The next `count` messages of a queue, which are deleted. */
async function received(queue: string, count: number): Promise<Message[]> {
  const messages: Message[] = [];
  while (messages.length < count) {
    const wanted = { MaxNumberOfMessages: 10, WaitTimeSeconds: 20, MessageAttributeNames: ["All"] };
    const { Messages = [] } = await sqs().send(new ReceiveMessageCommand({ QueueUrl: queue, ...wanted }));
    messages.push(...Messages);
    if (Messages.length === 0) continue;
    const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));
    await sqs().send(new DeleteMessageBatchCommand({ QueueUrl: queue, Entries }));
  }
  return messages;
}

const bodies = async (queue: string, count: number) => (await received(queue, count)).map(({ Body }) => Body);
const text = (StringValue: string) => ({ DataType: "String", StringValue });

describe("topics", () => {
  it("are made, listed, described, changed, tagged and deleted", async () => {
    const Name = `t-${randomUUID()}`;
    const made = await sns().send(
      new CreateTopicCommand({ Name, Attributes: { DisplayName: "Orders" }, Tags: [{ Key: "team", Value: "a" }] }),
    );
    expect(made.TopicArn).toBe(arn(Name));
    expect((await sns().send(new CreateTopicCommand({ Name }))).TopicArn).toBe(arn(Name));
    const { Topics = [] } = await sns().send(new ListTopicsCommand({}));
    const names = ["messages", "notifications", "presence", Name].map(arn);
    expect(Topics.map(({ TopicArn }) => TopicArn)).toEqual(expect.arrayContaining(names));

    const TopicArn = arn(Name);
    await sns().send(new SetTopicAttributesCommand({ TopicArn, AttributeName: "DisplayName", AttributeValue: "New" }));
    const { Attributes } = await sns().send(new GetTopicAttributesCommand({ TopicArn }));
    expect(Attributes).toMatchObject({
      ...{ TopicArn, Owner: "000000000000", DisplayName: "New" },
      ...{ SubscriptionsConfirmed: "0", SubscriptionsPending: "0", SubscriptionsDeleted: "0" },
      Policy: expect.stringContaining('"Version":"2008-10-17"'),
      EffectiveDeliveryPolicy: expect.stringContaining("defaultHealthyRetryPolicy"),
    });
    await sns().send(new TagResourceCommand({ ResourceArn: TopicArn, Tags: [{ Key: "env", Value: "b" }] }));
    await sns().send(new UntagResourceCommand({ ResourceArn: TopicArn, TagKeys: ["team"] }));
    const { Tags } = await sns().send(new ListTagsForResourceCommand({ ResourceArn: TopicArn }));
    expect(Tags).toEqual([{ Key: "env", Value: "b" }]);

    await sns().send(new DeleteTopicCommand({ TopicArn }));
    await sns().send(new DeleteTopicCommand({ TopicArn }));
    await expect(sns().send(new GetTopicAttributesCommand({ TopicArn }))).rejects.toMatchObject({
      name: "NotFoundException",
      $metadata: { httpStatusCode: 404 },
    });
  });

  it("are listed a hundred at a time", async () => {
    const prefix = `page-${randomUUID()}`;
    for (let n = 0; n < 101; n++) await sns().send(new CreateTopicCommand({ Name: `${prefix}-${n}` }));
    const found: string[] = [];
    let NextToken: string | undefined;
    do {
      const page = await sns().send(new ListTopicsCommand({ NextToken }));
      expect(page.Topics?.length).toBeLessThanOrEqual(100);
      found.push(...(page.Topics ?? []).flatMap(({ TopicArn = "" }) => TopicArn));
      NextToken = page.NextToken;
    } while (NextToken);
    expect(found.filter((one) => one.startsWith(arn(prefix)))).toHaveLength(101);
    expect(new Set(found).size).toBe(found.length);
  });

  it.each([
    [new CreateTopicCommand({ Name: "orders.fifo" }), /FIFO topics are not offered/],
    [new CreateTopicCommand({ Name: "a b" }), /topic name must be/],
    [new CreateTopicCommand({ Name: "a", Attributes: { FifoTopic: "true" } }), /FifoTopic is not offered/],
    [new DeleteTopicCommand({ TopicArn: arn("messages") }), /is built in/],
    [new GetTopicAttributesCommand({ TopicArn: "messages" }), /it is no ARN of a topic/],
    [new SubscribeCommand({ TopicArn: arn("messages"), Protocol: "email", Endpoint: "a@b.c" }), /email is not offered/],
    [new SubscribeCommand({ TopicArn: arn("messages"), Protocol: "sms", Endpoint: "+1" }), /sms is not offered/],
    [new SubscribeCommand({ TopicArn: arn("messages"), Protocol: "sqs", Endpoint: "x" }), /named by its ARN/],
    [
      new SubscribeCommand({ TopicArn: arn("messages"), Protocol: "sqs", Endpoint: queueArn("nope") }),
      /"nope" does not/,
    ],
    [new SubscribeCommand({ TopicArn: arn("messages"), Protocol: "http", Endpoint: "http://u:p@a/" }), /user name/],
    [new PublishCommand({ PhoneNumber: "+1", Message: "a" }), /SMS is not offered/],
    [new PublishCommand({ TopicArn: arn("messages"), Message: "" }), /Empty message/],
    [new PublishCommand({ TopicArn: arn("messages"), Message: "a", Subject: "a\nb" }), /Subject/],
    [new PublishCommand({ TopicArn: arn("messages"), Message: "a", MessageStructure: "json" }), /failed to parse/],
    [new PublishCommand({ TopicArn: arn("messages"), Message: "{}", MessageStructure: "json" }), /No default entry/],
    [new PublishCommand({ TopicArn: arn("messages"), Message: "a", MessageGroupId: "g" }), /FIFO topics/],
    [new PublishCommand({ TopicArn: arn("messages"), Message: "a".repeat(262_145) }), /Message too long/],
  ])("%# are refused with InvalidParameter and a reason", async (command, message) => {
    // biome-ignore lint/suspicious/noExplicitAny: a list of commands has no type that `send` takes
    await expect(sns().send(command as any)).rejects.toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringMatching(message),
      $metadata: { httpStatusCode: 400 },
    });
  });

  it("are not found unless somebody has made them", async () => {
    for (const field of ["TopicArn", "TargetArn"]) {
      const command = new PublishCommand({ [field]: arn("nobody-made-it"), Message: "a" });
      await expect(sns().send(command)).rejects.toMatchObject({ name: "NotFoundException" });
    }
  });
});

describe("publishing", () => {
  it("reaches queues with SNS's envelope or without, each with what its filter lets through", async () => {
    const { TopicArn, queues } = await aTopic(3);
    const [all = "", raw = "", body = ""] = queues;
    await subscribe(TopicArn, all);
    await subscribe(TopicArn, raw, {
      RawMessageDelivery: "true",
      FilterPolicy: JSON.stringify({ source: [{ prefix: "apigw.route." }] }),
    });
    await subscribe(TopicArn, body, {
      FilterPolicyScope: "MessageBody",
      FilterPolicy: JSON.stringify({ order: { price: [{ numeric: [">", 10] }] } }),
    });
    const attributes = (source: string) => ({
      source: text(source),
      timestamp: { DataType: "Number", StringValue: "1795332472" },
      photo: { DataType: "Binary", BinaryValue: Buffer.from([0, 255]) },
    });
    const ids: (string | undefined)[] = [];
    for (const [price, source] of [
      [5, "apigw.route.send"],
      [50, "lambda"],
    ] as const) {
      const Message = JSON.stringify({ order: { price } });
      const request = { TargetArn: TopicArn, Message, Subject: "Order", MessageAttributes: attributes(source) };
      ids.push((await sns().send(new PublishCommand(request))).MessageId);
    }
    expect(ids[0]).toMatch(uuid);
    expect(new Set(ids).size).toBe(2);

    const envelopes = (await bodies(all, 2)).map((text) => JSON.parse(text ?? ""));
    expect(envelopes[0]).toEqual({
      Type: "Notification",
      MessageId: ids[0],
      TopicArn,
      Subject: "Order",
      Message: '{"order":{"price":5}}',
      Timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      SignatureVersion: "2",
      Signature: "",
      SigningCertURL: "",
      UnsubscribeURL: expect.stringMatching(/^http:.*\/\?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:/),
      MessageAttributes: {
        source: { Type: "String", Value: "apigw.route.send" },
        timestamp: { Type: "Number", Value: "1795332472" },
        photo: { Type: "Binary", Value: "AP8=" },
      },
    });
    expect(envelopes[1]).toMatchObject({ MessageId: ids[1] });
    expect(await received(raw, 1)).toMatchObject([
      {
        Body: '{"order":{"price":5}}',
        MessageAttributes: {
          source: text("apigw.route.send"),
          timestamp: { DataType: "Number", StringValue: "1795332472" },
          photo: { DataType: "Binary", BinaryValue: Uint8Array.from([0, 255]) },
        },
      },
    ]);
    expect(JSON.parse((await bodies(body, 1))[0] ?? "")).toMatchObject({ MessageId: ids[1] });
  });

  it("takes batches: what is wrong with one message does not stop the others", async () => {
    const { TopicArn, queues } = await aTopic(1);
    await subscribe(TopicArn, queues[0] ?? "", { RawMessageDelivery: "true" });
    const answer = await sns().send(
      new PublishBatchCommand({
        TopicArn,
        PublishBatchRequestEntries: [
          { Id: "a", Message: "one", MessageAttributes: { k: text("v") } },
          { Id: "b", Message: "two", MessageAttributes: { "AWS.x": text("v") } },
          { Id: "c", Message: "three", Subject: "S" },
        ],
      }),
    );
    expect(answer.Successful).toMatchObject([{ Id: "a", MessageId: expect.stringMatching(uuid) }, { Id: "c" }]);
    expect(answer.Failed).toMatchObject([{ Id: "b", Code: "ParameterValueInvalid", SenderFault: true }]);
    expect(await bodies(queues[0] ?? "", 2)).toEqual(["one", "three"]);
    const batch = (PublishBatchRequestEntries: { Id: string; Message: string }[]) =>
      sns().send(new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries }));
    const entries = (count: number) => Array.from({ length: count }, (_, n) => ({ Id: `e${n}`, Message: "m" }));
    const twice = [...entries(1), ...entries(1)];
    await expect(batch([])).rejects.toMatchObject({ name: "EmptyBatchRequestException" });
    await expect(batch(entries(11))).rejects.toMatchObject({ name: "TooManyEntriesInBatchRequestException" });
    await expect(batch(twice)).rejects.toMatchObject({ name: "BatchEntryIdsNotDistinctException" });
    await expect(batch([{ Id: "a b", Message: "m" }])).rejects.toMatchObject({ name: "InvalidBatchEntryIdException" });
    const large = entries(2).map((entry) => ({ ...entry, Message: "m".repeat(140_000) }));
    await expect(batch(large)).rejects.toMatchObject({ name: "BatchRequestTooLongException" });
    const [first = { Id: "", Message: "" }, second = first] = entries(2);
    const oneTooLarge = [{ ...first, Message: "m".repeat(262_145) }, second];
    await expect(batch(oneTooLarge)).rejects.toMatchObject({ name: "BatchRequestTooLongException" });
  });

  it("gives each protocol its own text of a structured message", async () => {
    const { TopicArn, queues } = await aTopic(1);
    await subscribe(TopicArn, queues[0] ?? "", { RawMessageDelivery: "true" });
    for (const texts of [
      { default: "d", sqs: "for queues" },
      { default: "d", email: "for mail" },
    ]) {
      const structured = { Message: JSON.stringify(texts), MessageStructure: "json" };
      await sns().send(new PublishCommand({ TopicArn, ...structured }));
    }
    expect(await bodies(queues[0] ?? "", 2)).toEqual(["for queues", "d"]);
  });

  it("carries more than ten attributes, and refuses one that is not what its type says", async () => {
    const { TopicArn, queues } = await aTopic(1);
    await subscribe(TopicArn, queues[0] ?? "", { FilterPolicy: '{"list":["b"]}' });
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, text("v")]));
    const list = { DataType: "String.Array", StringValue: '["a","b"]' };
    await sns().send(new PublishCommand({ TopicArn, Message: "m", MessageAttributes: { ...many, list } }));
    const [body = ""] = await bodies(queues[0] ?? "", 1);
    expect(Object.keys(JSON.parse(body).MessageAttributes)).toHaveLength(21);
    for (const wrong of [
      { DataType: "String.Array", StringValue: "a" },
      { DataType: "Number", StringValue: "a" },
      { DataType: "Odd", StringValue: "a" },
      { DataType: "String", StringValue: "" },
    ]) {
      const publish = new PublishCommand({ TopicArn, Message: "m", MessageAttributes: { wrong } });
      await expect(sns().send(publish)).rejects.toMatchObject({ name: "InvalidParameterValueException" });
    }
  });
});

describe("subscriptions", () => {
  it("are one for each topic, protocol and endpoint, and are listed, shown and changed", async () => {
    const { TopicArn, queues } = await aTopic(2);
    const [queue = "", dead = ""] = queues;
    const SubscriptionArn = await subscribe(TopicArn, queue);
    expect(SubscriptionArn).toMatch(new RegExp(`^${TopicArn}:[0-9a-f-]{36}$`));
    expect(await subscribe(TopicArn, queue)).toBe(SubscriptionArn);
    await expect(subscribe(TopicArn, queue, { RawMessageDelivery: "true" })).rejects.toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringContaining("exists with another isRaw"),
    });
    const one = {
      ...{ SubscriptionArn, TopicArn, Owner: "000000000000" },
      ...{ Protocol: "sqs", Endpoint: queueArn(queue) },
    };
    const { Subscriptions } = await sns().send(new ListSubscriptionsByTopicCommand({ TopicArn }));
    expect(Subscriptions).toEqual([one]);
    const all = await sns().send(new ListSubscriptionsCommand({}));
    expect(all.Subscriptions).toContainEqual(one);

    const set = (AttributeName: string, AttributeValue: string) =>
      sns().send(new SetSubscriptionAttributesCommand({ SubscriptionArn, AttributeName, AttributeValue }));
    await set("RawMessageDelivery", "true");
    await set("FilterPolicyScope", "MessageBody");
    await set("FilterPolicy", '{"a":{"b":["x"]}}');
    await set("RedrivePolicy", JSON.stringify({ deadLetterTargetArn: queueArn(dead) }));
    await set("DeliveryPolicy", '{"healthyRetryPolicy":{"numRetries":3}}');
    const shown = await sns().send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
    expect(shown.Attributes).toMatchObject({
      ...{ SubscriptionArn, TopicArn, Protocol: "sqs", Endpoint: queueArn(queue) },
      ...{ RawMessageDelivery: "true", FilterPolicyScope: "MessageBody", FilterPolicy: '{"a":{"b":["x"]}}' },
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn: queueArn(dead) }),
      DeliveryPolicy: '{"healthyRetryPolicy":{"numRetries":3}}',
      ...{ PendingConfirmation: "false", ConfirmationWasAuthenticated: "true", TodokuCircuit: "closed" },
    });
    await sns().send(new PublishCommand({ TopicArn, Message: '{"a":{"b":"y"}}' }));
    await sns().send(new PublishCommand({ TopicArn, Message: '{"a":{"b":"x"}}' }));
    expect(await bodies(queue, 1)).toEqual(['{"a":{"b":"x"}}']);
    await expect(set("FilterPolicyScope", "MessageAttributes")).rejects.toMatchObject({
      message: expect.stringContaining("Invalid parameter: FilterPolicy: "),
    });
    await set("FilterPolicy", "");
    await sns().send(new PublishCommand({ TopicArn, Message: "unfiltered" }));
    expect(await bodies(queue, 1)).toEqual(["unfiltered"]);

    await sns().send(new UnsubscribeCommand({ SubscriptionArn }));
    await sns().send(new UnsubscribeCommand({ SubscriptionArn }));
    await expect(sns().send(new GetSubscriptionAttributesCommand({ SubscriptionArn }))).rejects.toMatchObject({
      name: "NotFoundException",
    });
  });

  it("have filters within bounds", async () => {
    const { TopicArn, queues } = await aTopic(1);
    const policy = (value: unknown) => subscribe(TopicArn, queues[0] ?? "", { FilterPolicy: JSON.stringify(value) });
    const keys = Object.fromEntries(Array.from({ length: 6 }, (_, n) => [`k${n}`, ["v"]]));
    await expect(policy(keys)).rejects.toMatchObject({
      name: "FilterPolicyLimitExceededException",
      $metadata: { httpStatusCode: 403 },
    });
    await expect(policy({ a: [{ wildcard: "*" }] })).rejects.toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringContaining('has the operator "wildcard"'),
    });
  });

  it("go with their topic, and one that is made again under its name begins without any", async () => {
    const { topic, TopicArn, queues } = await aTopic(1);
    const SubscriptionArn = await subscribe(TopicArn, queues[0] ?? "");
    await sns().send(new DeleteTopicCommand({ TopicArn }));
    await expect(sns().send(new PublishCommand({ TopicArn, Message: "m" }))).rejects.toMatchObject({
      name: "NotFoundException",
    });
    await sns().send(new CreateTopicCommand({ Name: topic }));
    const { Subscriptions = [] } = await sns().send(new ListSubscriptionsByTopicCommand({ TopicArn }));
    expect(Subscriptions).toEqual([]);
    await expect(sns().send(new GetSubscriptionAttributesCommand({ SubscriptionArn }))).rejects.toMatchObject({
      name: "NotFoundException",
    });
  });

  it("send what dies to the queue of their redrive policy, and show how many died", async () => {
    const { TopicArn, queues } = await aTopic(3);
    const [raw = "", gone = "", dead = ""] = queues;
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: queueArn(dead) });
    const SubscriptionArn = await subscribe(TopicArn, raw, { RawMessageDelivery: "true", RedrivePolicy });
    await subscribe(TopicArn, gone, { FilterPolicy: '{"k":["v"]}', RedrivePolicy });
    await sqs().send(new DeleteQueueCommand({ QueueUrl: gone }));
    // No message of a queue has more than ten attributes: as such it cannot be sent raw.
    const MessageAttributes = Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`k${n}`, text("v")]));
    await sns().send(new PublishCommand({ TopicArn, Message: "too many", MessageAttributes }));
    await sns().send(new PublishCommand({ TopicArn, Message: "fine", MessageAttributes: { k: text("v") } }));
    expect(await bodies(raw, 1)).toEqual(["fine"]);
    const letters = (await bodies(dead, 2)).map((body) => JSON.parse(body ?? "").Message);
    expect(letters.sort()).toEqual(["fine", "too many"]);
    // What died is stored a moment later.
    const shown = () => sns().send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
    await expect.poll(async () => (await shown()).Attributes?.TodokuDeadLetters).toBe("1");
  });
});

describe("a subscription of a URL", () => {
  it("gets nothing until it is confirmed, then what is published, signed twice", async () => {
    const { TopicArn } = await aTopic();
    const before = receiver.calls.length;
    const request = { TopicArn, Protocol: "http", Endpoint: receiver.url };
    expect((await sns().send(new SubscribeCommand(request))).SubscriptionArn).toBe("pending confirmation");
    await receiver.received(before + 1);
    const withArn = await sns().send(new SubscribeCommand({ ...request, ReturnSubscriptionArn: true }));
    await receiver.received(before + 2);
    const call = receiver.calls[before + 1];
    expect(call?.headers).toMatchObject({
      "content-type": "text/plain; charset=UTF-8",
      "x-amz-sns-message-type": "SubscriptionConfirmation",
      "x-amz-sns-topic-arn": TopicArn,
    });
    const { Subscriptions } = await sns().send(new ListSubscriptionsByTopicCommand({ TopicArn }));
    expect(Subscriptions).toMatchObject([{ SubscriptionArn: "PendingConfirmation", Endpoint: receiver.url }]);
    const first = JSON.parse(String(receiver.calls[before]?.body));
    const { SubscribeURL, Token } = JSON.parse(String(call?.body));
    expect(SubscribeURL).toMatch(new RegExp(`^${server.url}/\\?Action=ConfirmSubscription&`));
    await sns().send(new PublishCommand({ TopicArn, Message: "too early" }));

    // Of two questions the later one counts.
    expect((await fetch(first.SubscribeURL)).status).toBe(400);
    const confirmed = await fetch(SubscribeURL);
    expect(await confirmed.text()).toMatch(/<ConfirmSubscriptionResult><SubscriptionArn>arn:aws:sns:/);
    const { SubscriptionArn } = await sns().send(new ConfirmSubscriptionCommand({ TopicArn, Token }));
    expect(SubscriptionArn).toBe(withArn.SubscriptionArn);

    const publish = { TopicArn, Message: "hello", Subject: "S", MessageAttributes: { k: text("v") } };
    const { MessageId } = await sns().send(new PublishCommand(publish));
    await receiver.received(before + 3);
    const { headers, body } = receiver.calls[before + 2] ?? {};
    expect(headers).toMatchObject({
      "content-type": "text/plain; charset=UTF-8",
      "x-amz-sns-message-type": "Notification",
      "x-amz-sns-message-id": MessageId,
      "x-amz-sns-topic-arn": TopicArn,
      "x-amz-sns-subscription-arn": SubscriptionArn,
    });
    const notification = JSON.parse(String(body));
    expect(notification).toMatchObject({ MessageId, Message: "hello", Subject: "S", SignatureVersion: "2" });
    expect((await fetch(notification.SigningCertURL)).headers.get("content-type")).toBe("application/x-pem-file");

    const shown = await sns().send(new GetSubscriptionAttributesCommand({ SubscriptionArn }));
    const { TodokuSigningSecret: secret = "", ConfirmationWasAuthenticated } = shown.Attributes ?? {};
    expect(ConfirmationWasAuthenticated).toBe("false");
    const [, timestamp = "", signature] = /^t=(\d+),v1=(\w+)$/.exec(String(headers?.["x-todoku-signature"])) ?? [];
    expect(createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")).toBe(signature);

    await sns().send(new UnsubscribeCommand({ SubscriptionArn }));
    const again = new ConfirmSubscriptionCommand({ TopicArn, Token });
    await expect(sns().send(again)).rejects.toMatchObject({ name: "InvalidParameterException" });
  });

  it("is confirmed by no other token, and for no other topic", async () => {
    for (const Token of ["x", `${"0".repeat(64)}.dev`, `${"0".repeat(64)}.other`]) {
      const url = new URL(
        `/?${new URLSearchParams({ Action: "ConfirmSubscription", TopicArn: arn("messages"), Token })}`,
        server.url,
      );
      const answer = await fetch(url);
      expect([answer.status, await answer.text()]).toEqual([
        400,
        expect.stringContaining("<Code>InvalidParameter</Code>"),
      ]);
    }
  });
});

describe("a signature", () => {
  it("is right for sns-validator, of a question and of a message", async () => {
    await using secure = await aTlsServer();
    const { port, ca, server: running } = secure;
    const client = new SNSClient({
      ...{ endpoint: `https://localhost:${port}`, region: "us-east-1", maxAttempts: 1 },
      credentials: { accessKeyId: "dev-key", secretAccessKey: running.devKey ?? "" },
      requestHandler: { httpsAgent: new Agent({ ca }) },
    });
    const { TopicArn } = await client.send(new CreateTopicCommand({ Name: "signed" }));
    await using own = await aWebhookReceiver();
    await client.send(new SubscribeCommand({ TopicArn, Protocol: "http", Endpoint: own.url }));
    const [question] = await own.received(1);
    const { Token } = JSON.parse(String(question?.body));
    await client.send(new ConfirmSubscriptionCommand({ TopicArn, Token }));
    await client.send(new PublishCommand({ TopicArn, Message: "signed", Subject: "S" }));
    const [, notification] = await own.received(2);

    // The validator fetches certificates with this agent alone.
    const { ca: before } = globalAgent.options;
    globalAgent.options.ca = ca;
    try {
      const validator = new MessageValidator(/^localhost:\d+$/);
      const validate = (body: string) =>
        new Promise<unknown>((resolve) => validator.validate(body, (error, message) => resolve(error ?? message)));
      expect(await validate(String(question?.body))).toMatchObject({ Type: "SubscriptionConfirmation", TopicArn });
      expect(await validate(String(notification?.body))).toMatchObject({ Type: "Notification", Message: "signed" });
      const forged = String(notification?.body).replace('"signed"', '"forged"');
      expect(await validate(forged)).toMatchObject({ message: "The message signature is invalid." });
    } finally {
      globalAgent.options.ca = before;
    }
  });
});

describe("rights", () => {
  it("of a key that may publish to one topic end there", async () => {
    const { topic, TopicArn, queues } = await aTopic(1);
    const other = await aTopic();
    const grant = { resource: "topic", role: "publish", cache: { name: "events" }, topic: { name: topic } };
    const client = sns(await server.accessKey([grant]));
    expect((await client.send(new PublishCommand({ TopicArn, Message: "m" }))).MessageId).toMatch(uuid);
    expect((await client.send(new CreateTopicCommand({ Name: topic }))).TopicArn).toBe(TopicArn);
    expect((await client.send(new ListTopicsCommand({}))).Topics).toEqual([{ TopicArn }]);
    const denied = { name: "AuthorizationErrorException", $metadata: { httpStatusCode: 403 } };
    const queue = { Protocol: "sqs", Endpoint: queueArn(queues[0] ?? "") };
    for (const command of [
      new PublishCommand({ TopicArn: other.TopicArn, Message: "m" }),
      new PublishBatchCommand({ TopicArn: other.TopicArn, PublishBatchRequestEntries: [{ Id: "a", Message: "m" }] }),
      new CreateTopicCommand({ Name: "another" }),
      new DeleteTopicCommand({ TopicArn }),
      new SetTopicAttributesCommand({ TopicArn, AttributeName: "DisplayName", AttributeValue: "x" }),
      new SubscribeCommand({ TopicArn, ...queue }),
      new ListSubscriptionsCommand({}),
    ]) {
      // biome-ignore lint/suspicious/noExplicitAny: a list of commands has no type that `send` takes
      await expect(client.send(command as any)).rejects.toMatchObject(denied);
    }
  });

  it("to publish are named when they are missing, and whether a topic is there is not told", async () => {
    const { TopicArn } = await aTopic();
    const grant = { resource: "topic", role: "publish-subscribe", cache: { all: true }, topic: { all: true } };
    const client = sns(await server.accessKey([grant]));
    for (const arnOfTopic of [TopicArn, arn("no-such-topic")]) {
      const [, name] = /([^:]+)$/.exec(arnOfTopic) ?? [];
      const message = `this credential may not do topic.publish on topic "${name}" of cache "events"`;
      const published = client.send(new PublishCommand({ TopicArn: arnOfTopic, Message: "m" }));
      await expect(published).rejects.toMatchObject({ name: "AuthorizationErrorException", message });
    }
  });

  it("to subscribe a queue are those to the topic, to the subscription, and to send to the queue", async () => {
    const { topic, TopicArn, queues } = await aTopic(1);
    const [queue = ""] = queues;
    const grants = [
      { resource: "topic", role: "subscribe", cache: { name: "events" }, topic: { name: topic } },
      { resource: "webhook", role: "read-write", cache: { name: "events" }, webhook: { all: true } },
      { resource: "queue", role: "send", queue: { name: queue } },
    ];
    const command = new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: queueArn(queue) });
    for (const missing of grants) {
      const client = sns(await server.accessKey(grants.filter((grant) => grant !== missing)));
      await expect(client.send(command)).rejects.toMatchObject({ name: "AuthorizationErrorException" });
    }
    const client = sns(await server.accessKey(grants));
    expect((await client.send(command)).SubscriptionArn).toContain(TopicArn);
  });

  it("to say who a message is from belong to keys: the article's watchdog publishes presence", async () => {
    const { queues } = await aTopic(1);
    await subscribe(arn("messages"), queues[0] ?? "", { FilterPolicy: '{"source":["lambda.presence.watchdog"]}' });
    const attributes = {
      source: text("lambda.presence.watchdog"),
      user_id: text("u-1"),
      timestamp: { DataType: "Number", StringValue: "1795332472" },
    };
    const grant = { resource: "topic", role: "publish", cache: { name: "events" }, topic: { name: "messages" } };
    const client = sns(await server.accessKey([grant]));
    await client.send(new PublishCommand({ TargetArn: arn("messages"), Message: "{}", MessageAttributes: attributes }));
    const [body = ""] = await bodies(queues[0] ?? "", 1);
    expect(JSON.parse(body).MessageAttributes.user_id).toEqual({ Type: "String", Value: "u-1" });
  });
});

describe("boto3", () => {
  it("makes a topic, subscribes a queue, publishes, and hears of errors by their names", async () => {
    const { topic, TopicArn, queues } = await aTopic(1);
    const script = `
import boto3, json
sns, sqs = boto3.client("sns"), boto3.client("sqs")
arn = sns.create_topic(Name="${topic}")["TopicArn"]
queue = "arn:aws:sqs:us-east-1:000000000000:${queues[0]}"
sub = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes={"FilterPolicy": json.dumps({"user_id": ["u-1"]})})["SubscriptionArn"]
for user in ("u-2", "u-1"):
    sent = sns.publish(TargetArn=arn, Message=json.dumps({"for": user}), MessageAttributes={"user_id": {"DataType": "String", "StringValue": user}})
batch = sns.publish_batch(TopicArn=arn, PublishBatchRequestEntries=[{"Id": "a", "Message": "m"}])
url = sqs.get_queue_url(QueueName="${queues[0]}")["QueueUrl"]
body = json.loads(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"][0]["Body"])
errors = []
for call in (
    lambda: sns.publish(TopicArn=arn + "-missing", Message="m"),
    lambda: sns.subscribe(TopicArn=arn, Protocol="email", Endpoint="a@b.c"),
):
    try: call()
    except (sns.exceptions.NotFoundException, sns.exceptions.InvalidParameterException) as error: errors.append(error.response["Error"]["Code"])
print(json.dumps({
    "arn": arn, "sub": sub.startswith(arn + ":"), "same": sent["MessageId"] == body["MessageId"], "message": body["Message"],
    "batch": [len(batch["Successful"]), len(batch.get("Failed", []))], "errors": errors,
    "policy": sns.get_subscription_attributes(SubscriptionArn=sub)["Attributes"]["FilterPolicy"],
    "listed": [s["Endpoint"] for p in sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn) for s in p["Subscriptions"]],
}))`;
    expect(JSON.parse(await pythonAws(script, server.environment()))).toEqual({
      ...{ arn: TopicArn, sub: true, same: true, message: '{"for": "u-1"}' },
      ...{ batch: [1, 0], errors: ["NotFound", "InvalidParameter"], policy: '{"user_id":["u-1"]}' },
      listed: [queueArn(queues[0] ?? "")],
    });
  });
});
