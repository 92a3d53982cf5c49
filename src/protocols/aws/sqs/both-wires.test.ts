import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aQueueStore, type QueueDomain, type TestQueueStore } from "../../../../test/support/queues.ts";
import { anSqs, type SqsAnswer, wires } from "../../../../test/support/sqs.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import { limits } from "../../../domain/limits.ts";

let store: TestQueueStore;
let domain: QueueDomain;
let sqs: Awaited<ReturnType<typeof anSqs>>;
let numbers = 0;
beforeAll(async () => {
  store = await aQueueStore();
});
beforeEach(async () => {
  await store.empty();
  domain = await store.domain();
  sqs = await anSqs(domain);
});
afterAll(() => store[Symbol.asyncDispose]());

const url = (queue: string) => `http://todoku.test:8080/000000000000/${queue}`;
const arn = (queue: string) => `arn:aws:sqs:eu-west-1:000000000000:${queue}`;
/** Ids and handles are of each call its own. */
const plain = (answer: SqsAnswer) =>
  JSON.parse(
    JSON.stringify(answer, (key, value) =>
      ["MessageId", "ReceiptHandle", "NextToken", "TaskHandle"].includes(key) ? `a ${key}` : value,
    ),
  );
const listed = (answer: SqsAnswer, field: string) => (answer[field] ?? []) as readonly Record<string, never>[];

/** Both wires must answer alike: each works on a queue of its own, called the same in what is compared. */
async function both(
  work: (call: (action: string, input?: object) => Promise<SqsAnswer>, queue: string) => Promise<unknown>,
) {
  const told = [];
  for (const wire of wires) {
    const queue = `q${++numbers}`;
    await domain.queues.create(domain.me, queue);
    const call = (action: string, input: object = {}) =>
      sqs.call(wire, action, { QueueUrl: url(queue), ...input } as Record<string, unknown>);
    const outcome = await work(call, queue);
    const text = JSON.stringify(outcome)
      .replaceAll(queue, "queue")
      .replace(/"move \\"[^"]*"/g, '"the move');
    told.push(JSON.parse(text.replace(/Value [\w-]{32} for/g, "Value handle for")));
  }
  expect(plain(told[1])).toEqual(plain(told[0]));
  return told[0];
}

const one = (type: string, value: string) => ({
  DataType: type,
  [type.startsWith("Binary") ? "BinaryValue" : "StringValue"]: value,
});

describe("both wires of SQS", () => {
  it("make a queue, find it, list it by pages, and tell and change its attributes and tags", async () => {
    const told = await both(async (call, queue) => {
      const name = `${queue}-new`;
      const attributes = { VisibilityTimeout: "720", ReceiveMessageWaitTimeSeconds: "3", MaximumMessageSize: "1024" };
      const input = { QueueName: name, Attributes: attributes, tags: { team: "a" } };
      const made = [await call("CreateQueue", input), await call("CreateQueue", input)];
      const again = await call("CreateQueue", { QueueName: name, Attributes: { VisibilityTimeout: "30" } });
      const found = await call("GetQueueUrl", { QueueName: name });
      const pages = [await call("ListQueues", { QueueNamePrefix: queue, MaxResults: 1 })];
      pages.push(await call("ListQueues", { QueueNamePrefix: queue, NextToken: pages[0]?.NextToken }));
      pages.push(await call("ListQueues", { QueueNamePrefix: "nothing" }));
      const QueueUrl = url(name);
      const changes = {
        DelaySeconds: "5",
        RedriveAllowPolicy: JSON.stringify({ redrivePermission: "denyAll" }),
        Policy: "",
      };
      const set = await call("SetQueueAttributes", { QueueUrl, Attributes: changes });
      const { Attributes: all } = await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] });
      const some = await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["DelaySeconds", "RedrivePolicy"] });
      const none = await call("GetQueueAttributes", { QueueUrl });
      await call("TagQueue", { QueueUrl, Tags: { stage: "b & c" } });
      const tags = [
        await call("ListQueueTags", { QueueUrl }),
        await call("UntagQueue", { QueueUrl, TagKeys: ["team", "no"] }),
      ];
      tags.push(await call("ListQueueTags", { QueueUrl }), await call("ListQueueTags"));
      const gone = [await call("DeleteQueue", { QueueUrl }), await call("GetQueueUrl", { QueueName: name })];
      return { made, again, found, pages: pages.map(plain), set, all, some, none, tags, gone };
    });
    expect(told.made).toEqual([{ QueueUrl: url("queue-new") }, { QueueUrl: url("queue-new") }]);
    expect(told.again.error).toMatchObject({ code: "QueueNameExists", queryCode: "QueueAlreadyExists", status: 400 });
    expect(told.found).toEqual({ QueueUrl: url("queue-new") });
    expect(told.pages).toEqual([
      { QueueUrls: [url("queue")], NextToken: "a NextToken" },
      { QueueUrls: [url("queue-new")] },
      {},
    ]);
    const now = String(Math.floor(domain.clock.wallMs() / 1000));
    expect([told.set, told.none]).toEqual([{}, {}]);
    expect(told.all).toEqual({
      ...{ QueueArn: arn("queue-new"), CreatedTimestamp: now, LastModifiedTimestamp: now, DelaySeconds: "5" },
      ...{ ApproximateNumberOfMessages: "0", ApproximateNumberOfMessagesNotVisible: "0" },
      ...{ ApproximateNumberOfMessagesDelayed: "0", VisibilityTimeout: "720", MaximumMessageSize: "1024" },
      ...{ MessageRetentionPeriod: "345600", ReceiveMessageWaitTimeSeconds: "3", SqsManagedSseEnabled: "false" },
      RedriveAllowPolicy: '{"redrivePermission":"denyAll"}',
    });
    expect(told.some).toEqual({ Attributes: { DelaySeconds: "5" } });
    expect(told.tags).toEqual([{ Tags: { team: "a", stage: "b & c" } }, {}, { Tags: { stage: "b & c" } }, {}]);
    expect(told.gone).toMatchObject([
      {},
      { error: { code: "QueueDoesNotExist", queryCode: "AWS.SimpleQueueService.NonExistentQueue", status: 400 } },
    ]);
  });

  it("make a queue that others make in the same moment", async () => {
    const input = { QueueName: "shared", Attributes: { DelaySeconds: "5" } };
    const same = await Promise.all([...wires, ...wires].map((wire) => sqs.call(wire, "CreateQueue", input)));
    expect(same).toEqual(Array(4).fill({ QueueUrl: url("shared") }));
    const inputs = [{ QueueName: "other" }, { QueueName: "other", Attributes: { DelaySeconds: "5" } }];
    const [first, second] = await Promise.all(inputs.map((one) => sqs.call("json", "CreateQueue", one)));
    expect([first, second?.error]).toMatchObject([{ QueueUrl: url("other") }, { code: "QueueNameExists" }]);
  });

  it("answer with checksums of what the client sees, also where XML has no way to write it", async () => {
    await domain.queues.create(domain.me, "q");
    const attributes = { a: { type: "String", value: "b\u0002" } };
    await domain.messages.send(domain.me, "q", [{ body: "a\u0001\ud83d\ude00", attributes }]);
    for (const wire of wires) {
      const input = { QueueUrl: "q", MessageAttributeNames: ["All"], VisibilityTimeout: 0 };
      const [message] = listed(await sqs.call(wire, "ReceiveMessage", input), "Messages");
      const { Body = "", MD5OfBody, MessageAttributes = {}, MD5OfMessageAttributes } = message ?? {};
      const [bad, end] = [wire === "json" ? ["\u0001", "\u0002"] : ["\ufffd", "\ufffd"], "\ud83d\ude00"];
      expect([Body, MessageAttributes]).toEqual([`a${bad[0]}${end}`, { a: one("String", `b${bad[1]}`) }]);
      expect(MD5OfBody).toBe(createHash("md5").update(Body).digest("hex"));
      expect(MD5OfMessageAttributes).toBe(md5Of(MessageAttributes));
    }
  });

  it("send, receive with what is asked for, change the visibility and delete", async () => {
    const attributes = {
      source: one("String", "s"),
      timestamp: one("Number", "1"),
      user_id: one("String", "u-1"),
    };
    const told = await both(async (call) => {
      const traced = { AWSTraceHeader: one("String", "Root=1-5759e988-bd862e3fe1be46a994272793") };
      const sent = await call("SendMessage", {
        ...{ MessageBody: 'x<&>"\r\né', MessageAttributes: attributes, MessageSystemAttributes: traced },
        MessageGroupId: "tenant-1",
      });
      const bare = await call("ReceiveMessage", { VisibilityTimeout: 0 });
      const names = {
        MessageAttributeNames: ["source", "user_id"],
        AttributeNames: ["ApproximateReceiveCount", "SenderId"],
      };
      const some = await call("ReceiveMessage", { ...names, VisibilityTimeout: 0 });
      const whole = await call("ReceiveMessage", {
        MessageAttributeNames: ["All"],
        AttributeNames: ["All"],
        WaitTimeSeconds: 0,
      });
      const [message] = listed(whole, "Messages");
      const ReceiptHandle = message?.ReceiptHandle;
      const hidden = await call("ReceiveMessage");
      const changed = await call("ChangeMessageVisibility", { ReceiptHandle, VisibilityTimeout: 0 });
      const late = await call("ChangeMessageVisibility", { ReceiptHandle, VisibilityTimeout: 5 });
      const deleted = [await call("DeleteMessage", { ReceiptHandle }), await call("DeleteMessage", { ReceiptHandle })];
      const after = await call("ChangeMessageVisibility", { ReceiptHandle, VisibilityTimeout: 5 });
      return { ...{ sent, bare, some, whole }, ...{ hidden, changed, late, deleted, after } };
    });
    expect(plain(told.sent)).toEqual({
      MessageId: "a MessageId",
      MD5OfMessageBody: "0d44eaaaa191d6ee93081e08efcda25e",
      MD5OfMessageAttributes: "fbed7c956cc07b661437121df3f9ce16",
      MD5OfMessageSystemAttributes: expect.stringMatching(/^[\da-f]{32}$/),
    });
    const basic = { MessageId: "a MessageId", ReceiptHandle: "a ReceiptHandle", Body: 'x<&>"\r\né' };
    const md5 = { MD5OfBody: "0d44eaaaa191d6ee93081e08efcda25e" };
    expect(plain(told.bare)).toEqual({ Messages: [{ ...basic, ...md5 }] });
    const { source, user_id } = attributes;
    expect(plain(told.some).Messages[0]).toEqual({
      ...{ ...basic, ...md5, MessageAttributes: { source, user_id } },
      MD5OfMessageAttributes: expect.not.stringMatching("fbed7c956cc07b661437121df3f9ce16"),
      Attributes: { ApproximateReceiveCount: "2", SenderId: "000000000000" },
    });
    const nowMs = String(domain.clock.wallMs());
    expect(plain(told.whole).Messages[0]).toEqual({
      ...{ ...basic, ...md5, MessageAttributes: attributes, MD5OfMessageAttributes: told.sent.MD5OfMessageAttributes },
      Attributes: {
        ...{ SenderId: "000000000000", SentTimestamp: nowMs, ApproximateReceiveCount: "3" },
        ...{ ApproximateFirstReceiveTimestamp: nowMs, AWSTraceHeader: "Root=1-5759e988-bd862e3fe1be46a994272793" },
      },
    });
    expect([told.hidden, told.changed, told.deleted]).toEqual([{}, {}, [{}, {}]]);
    expect(told.late.error).toMatchObject({
      ...{ code: "MessageNotInflight", queryCode: "AWS.SimpleQueueService.MessageNotInflight", status: 400 },
    });
    expect(told.after.error).toMatchObject({
      code: "InvalidParameterValue",
      message: expect.stringContaining("does not exist"),
    });
  });

  it("tell of each entry of a batch what became of it", async () => {
    const told = await both(async (call) => {
      const entries = [
        { Id: "1", MessageBody: "a" },
        { Id: "2", MessageBody: "\u0001" },
        { Id: "3", MessageBody: "b", DelaySeconds: 901 },
        { Id: "4", MessageBody: "c", MessageAttributes: { n: one("Number", "x") } },
        { Id: "5", MessageBody: "x".repeat(limits.queue.messageMaxBytes.default + 1) },
        { Id: "6", MessageBody: "d", DelaySeconds: 0, MessageAttributes: { n: one("Number", "-1.5e3") } },
      ];
      const sent = await call("SendMessageBatch", { Entries: entries });
      const received = await call("ReceiveMessage", { MaxNumberOfMessages: 10, MessageAttributeNames: [".*"] });
      const handles = listed(received, "Messages").map(({ ReceiptHandle }) => ReceiptHandle);
      const change = await call("ChangeMessageVisibilityBatch", {
        Entries: [
          { Id: "a", ReceiptHandle: handles[0], VisibilityTimeout: 10 },
          { Id: "b", ReceiptHandle: "bad", VisibilityTimeout: 10 },
          { Id: "c", ReceiptHandle: handles[1], VisibilityTimeout: 43_201 },
        ],
      });
      const deleted = await call("DeleteMessageBatch", {
        Entries: [...handles, "bad"].map((ReceiptHandle, n) => ({ Id: `${n}`, ReceiptHandle })),
      });
      return { sent: plain(sent), received: plain(received), change, deleted };
    });
    expect(told.sent.Successful).toMatchObject([{ Id: "1" }, { Id: "6", MD5OfMessageAttributes: expect.any(String) }]);
    expect(told.sent.Failed).toMatchObject([
      { Id: "2", SenderFault: true, Code: "InvalidMessageContents" },
      { Id: "3", SenderFault: true, Code: "InvalidParameterValue", Message: expect.stringContaining("901") },
      { Id: "4", SenderFault: true, Code: "InvalidParameterValue", Message: expect.stringContaining("'n'") },
      { Id: "5", SenderFault: true, Code: "InvalidParameterValue", Message: expect.stringContaining("262144") },
    ]);
    expect(told.received.Messages).toMatchObject([
      { Body: "a" },
      { Body: "d", MessageAttributes: { n: one("Number", "-1.5e3") } },
    ]);
    expect(told.change).toMatchObject({
      Successful: [{ Id: "a" }],
      Failed: [
        { Id: "b", Code: "ReceiptHandleIsInvalid" },
        { Id: "c", Code: "InvalidParameterValue" },
      ],
    });
    expect(told.deleted).toMatchObject({
      Successful: [{ Id: "0" }, { Id: "1" }],
      Failed: [{ Id: "2", SenderFault: true, Code: "ReceiptHandleIsInvalid" }],
    });
  });

  it("move what is received too often, name where it came from, and move it back", async () => {
    const told = await both(async (call, queue) => {
      const dead = `${queue}-dead`;
      await call("CreateQueue", { QueueName: dead });
      const rule = JSON.stringify({ deadLetterTargetArn: arn(dead), maxReceiveCount: "1" });
      const ruled = await call("SetQueueAttributes", { Attributes: { RedrivePolicy: rule } });
      const { Attributes } = await call("GetQueueAttributes", { AttributeNames: ["RedrivePolicy"] });
      const sources = await call("ListDeadLetterSourceQueues", { QueueUrl: url(dead) });
      const noSources = await call("ListDeadLetterSourceQueues");
      await call("SendMessage", { MessageBody: "a" });
      const receives = [await call("ReceiveMessage", { VisibilityTimeout: 0 }), await call("ReceiveMessage")];
      const origin = { QueueUrl: url(dead), VisibilityTimeout: 0, AttributeNames: ["DeadLetterQueueSourceArn"] };
      const buried = await call("ReceiveMessage", origin);
      const running = await call("StartMessageMoveTask", { SourceArn: arn(dead), MaxNumberOfMessagesPerSecond: 500 });
      const twice = await call("StartMessageMoveTask", { SourceArn: arn(dead) });
      const before = await call("ListMessageMoveTasks", { SourceArn: arn(dead) });
      await sqs.queueMoves.runOnce(domain.clock.steadyMs());
      const after = await call("ListMessageMoveTasks", { SourceArn: arn(dead), MaxResults: 10 });
      const late = await call("CancelMessageMoveTask", { TaskHandle: running.TaskHandle });
      const back = await call("ReceiveMessage");
      const to = { SourceArn: arn(queue), DestinationArn: arn(dead) };
      const next = await call("StartMessageMoveTask", to);
      const cancelled = await call("CancelMessageMoveTask", { TaskHandle: next.TaskHandle });
      const moves = await call("ListMessageMoveTasks", { SourceArn: arn(queue) });
      const answers = { ruled, sources, noSources, twice, cancelled, late, policy: Attributes };
      return { ...answers, ...plain({ receives, buried, running, before, after, back, moves }) };
    });
    expect(told.policy).toEqual({
      RedrivePolicy: `{"deadLetterTargetArn":"${arn("queue-dead")}","maxReceiveCount":1}`,
    });
    expect([told.sources, told.ruled]).toEqual([{ queueUrls: [url("queue")] }, {}]);
    expect(told.receives).toMatchObject([{ Messages: [{ Body: "a" }] }, {}]);
    expect(told.buried.Messages[0].Attributes).toEqual({ DeadLetterQueueSourceArn: arn("queue") });
    const task = {
      SourceArn: arn("queue-dead"),
      MaxNumberOfMessagesPerSecond: 500,
      ApproximateNumberOfMessagesToMove: 1,
    };
    expect(told.running).toEqual({ TaskHandle: "a TaskHandle" });
    expect(told.twice.error).toMatchObject({
      code: "UnsupportedOperation",
      message: expect.stringContaining("already"),
    });
    expect(told.before.Results).toEqual([
      {
        ...task,
        TaskHandle: "a TaskHandle",
        Status: "RUNNING",
        ApproximateNumberOfMessagesMoved: 0,
        StartedTimestamp: expect.any(Number),
      },
    ]);
    expect(told.after.Results).toEqual([
      { ...task, Status: "COMPLETED", ApproximateNumberOfMessagesMoved: 1, StartedTimestamp: expect.any(Number) },
    ]);
    expect(told.late.error).toMatchObject({ code: "UnsupportedOperation", status: 400 });
    expect(told.back).toMatchObject({ Messages: [{ Body: "a" }] });
    expect(told.cancelled).toEqual({ ApproximateNumberOfMessagesMoved: 0 });
    expect(told.moves.Results).toMatchObject([{ Status: "CANCELLED", DestinationArn: arn("queue-dead") }]);
  });

  it("purge at once, as often as one likes", async () => {
    const told = await both(async (call) => {
      await call("SendMessage", { MessageBody: "a" });
      return [await call("PurgeQueue"), await call("PurgeQueue"), await call("ReceiveMessage")];
    });
    expect(told).toEqual([{}, {}, {}]);
  });

  const someQueue = { QueueUrl: "q" };
  it.each<[string, string, object, string]>([
    ["an action that is not there", "Nonsense", {}, "UnknownOperationException"],
    ["permissions", "AddPermission", {}, "UnsupportedOperation"],
    ["permissions that go", "RemovePermission", {}, "UnsupportedOperation"],
    ["a queue that is not there", "SendMessage", { QueueUrl: url("no"), MessageBody: "a" }, "QueueDoesNotExist"],
    [
      "a FIFO queue, which cannot be there",
      "SendMessage",
      { QueueUrl: url("q.fifo"), MessageBody: "a" },
      "QueueDoesNotExist",
    ],
    ["no body", "SendMessage", {}, "MissingParameter"],
    ["the name of a FIFO queue", "CreateQueue", { QueueName: "q.fifo" }, "InvalidParameterValue"],
    ["a bad name", "CreateQueue", { QueueName: "a b" }, "InvalidParameterValue"],
    [
      "an attribute of FIFO queues",
      "CreateQueue",
      { QueueName: "f", Attributes: { FifoQueue: "true" } },
      "InvalidAttributeName",
    ],
    ["an unknown attribute", "SetQueueAttributes", { Attributes: { Nonsense: "1" } }, "InvalidAttributeName"],
    [
      "an unknown attribute that is asked for",
      "GetQueueAttributes",
      { AttributeNames: ["Nonsense"] },
      "InvalidAttributeName",
    ],
    ["a policy", "SetQueueAttributes", { Attributes: { Policy: "{}" } }, "InvalidAttributeValue"],
    [
      "a setting out of its bounds",
      "SetQueueAttributes",
      { Attributes: { VisibilityTimeout: "43201" } },
      "InvalidAttributeValue",
    ],
    [
      "a setting that is no number",
      "SetQueueAttributes",
      { Attributes: { DelaySeconds: "1.5" } },
      "InvalidAttributeValue",
    ],
    ["a rule that is no JSON", "SetQueueAttributes", { Attributes: { RedrivePolicy: "{" } }, "InvalidParameterValue"],
    [
      "a rule without a target",
      "SetQueueAttributes",
      { Attributes: { RedrivePolicy: '{"maxReceiveCount":1}' } },
      "InvalidParameterValue",
    ],
    ["a group that is no group", "SendMessage", { MessageBody: "a", MessageGroupId: "a b" }, "InvalidParameterValue"],
    ["a deduplication id", "SendMessage", { MessageBody: "a", MessageDeduplicationId: "a" }, "InvalidParameterValue"],
    ["a body that XML has no way to write", "SendMessage", { MessageBody: "a\ufffe" }, "InvalidMessageContents"],
    [
      "an attribute without a type",
      "SendMessage",
      { MessageBody: "a", MessageAttributes: { a: { StringValue: "b" } } },
      "InvalidParameterValue",
    ],
    [
      "an attribute of another type",
      "SendMessage",
      { MessageBody: "a", MessageAttributes: { a: one("Text", "b") } },
      "InvalidParameterValue",
    ],
    [
      "an attribute with a type that XML has no way to write",
      "SendMessage",
      { MessageBody: "a", MessageAttributes: { a: one("String.\u0001", "b") } },
      "InvalidParameterValue",
    ],
    [
      "an empty attribute",
      "SendMessage",
      { MessageBody: "a", MessageAttributes: { a: one("String.x", "") } },
      "InvalidParameterValue",
    ],
    [
      "an attribute that is no base64",
      "SendMessage",
      { MessageBody: "a", MessageAttributes: { a: one("Binary", "b!") } },
      "InvalidParameterValue",
    ],
    [
      "a reserved attribute",
      "SendMessage",
      { MessageBody: "a", MessageAttributes: { "aws.a": one("String", "b") } },
      "InvalidParameterValue",
    ],
    [
      "another system attribute",
      "SendMessage",
      { MessageBody: "a", MessageSystemAttributes: { X: one("String", "b") } },
      "InvalidParameterValue",
    ],
    [
      "too many attributes",
      "SendMessage",
      {
        MessageBody: "a",
        MessageAttributes: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`a${n}`, one("String", "b")])),
      },
      "InvalidParameterValue",
    ],
    ["an empty batch", "SendMessageBatch", {}, "EmptyBatchRequest"],
    [
      "a batch of eleven",
      "SendMessageBatch",
      { Entries: Array.from({ length: 11 }, (_, n) => ({ Id: `${n}`, MessageBody: "a" })) },
      "TooManyEntriesInBatchRequest",
    ],
    [
      "an id that stands there twice",
      "SendMessageBatch",
      {
        Entries: [
          { Id: "1", MessageBody: "a" },
          { Id: "1", MessageBody: "b" },
        ],
      },
      "BatchEntryIdsNotDistinct",
    ],
    ["a bad id", "SendMessageBatch", { Entries: [{ Id: "a b", MessageBody: "a" }] }, "InvalidBatchEntryId"],
    [
      "a batch that is too long",
      "SendMessageBatch",
      { Entries: Array.from({ length: 10 }, (_, n) => ({ Id: `${n}`, MessageBody: "x".repeat(110_000) })) },
      "BatchRequestTooLong",
    ],
    ["eleven messages wanted", "ReceiveMessage", { MaxNumberOfMessages: 11 }, "InvalidParameterValue"],
    ["a wait of 21 seconds", "ReceiveMessage", { WaitTimeSeconds: 21 }, "InvalidParameterValue"],
    ["an unknown system attribute", "ReceiveMessage", { AttributeNames: ["Nonsense"] }, "InvalidAttributeName"],
    ["a bad handle", "DeleteMessage", { ReceiptHandle: "bad" }, "ReceiptHandleIsInvalid"],
    ["no time", "ChangeMessageVisibility", { ReceiptHandle: "bad" }, "MissingParameter"],
    [
      "a move from a queue that is not there",
      "StartMessageMoveTask",
      { SourceArn: arn("no") },
      "ResourceNotFoundException",
    ],
    [
      "a move to a queue that is not there",
      "StartMessageMoveTask",
      { SourceArn: arn("q"), DestinationArn: arn("no") },
      "ResourceNotFoundException",
    ],
    [
      "moves of a queue that is not there",
      "ListMessageMoveTasks",
      { SourceArn: arn("no") },
      "ResourceNotFoundException",
    ],
    ["a move from a queue without sources", "StartMessageMoveTask", { SourceArn: arn("q") }, "UnsupportedOperation"],
    ["an ARN that is none", "StartMessageMoveTask", { SourceArn: "q" }, "InvalidParameterValue"],
    ["a task that is not there", "CancelMessageMoveTask", { TaskHandle: "x" }, "ResourceNotFoundException"],
  ])("refuse %s by name", async (_, action, input, code) => {
    await domain.queues.create(domain.me, "q");
    const errors = [];
    for (const wire of wires) errors.push((await sqs.call(wire, action, { ...someQueue, ...input })).error);
    expect(errors[0]).toMatchObject({ code });
    expect(errors[1]).toEqual(errors[0]);
  });

  it("do for a caller what the caller's grants say, and tell nobody else which queues there are", async () => {
    await domain.queues.create(domain.me, "q");
    const grants = [{ resource: "queue", role: "send", queue: { name: "q" } }] as const;
    const sender: Principal = { ...domain.me, kind: "key", keyId: "dev-0123456789abcdef", isSuperUser: false, grants };
    for (const wire of wires) {
      const as = (action: string, input: object) => sqs.call(wire, action, { QueueUrl: "q", ...input }, sender);
      expect((await as("SendMessage", { MessageBody: "a" })).error).toBeUndefined();
      for (const [action, input] of [
        ["ReceiveMessage", {}],
        ["DeleteMessage", { ReceiptHandle: "bad" }],
        ["DeleteMessageBatch", { Entries: [{ Id: "1", ReceiptHandle: "bad" }] }],
        ["CreateQueue", { QueueName: "new" }],
        ["PurgeQueue", {}],
        ["SendMessage", { QueueUrl: "other", MessageBody: "a" }],
        ["GetQueueUrl", { QueueName: "other" }],
      ] as const) {
        expect((await as(action, input)).error, action).toMatchObject({ queryCode: "AccessDenied", status: 403 });
      }
    }
    const { Messages } = await sqs.call("json", "ReceiveMessage", { QueueUrl: "q", AttributeNames: ["SenderId"] });
    expect(Messages).toMatchObject([{ Attributes: { SenderId: "dev-0123456789abcdef" } }]);
  });
});

/** XML 1.0 has them, and so has SQS. */
const legalText = fc
  .string({ unit: "binary", minLength: 1, maxLength: 40 })
  .map((text) => text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\r"));
const legalAttribute = fc.oneof(
  fc.tuple(fc.constantFrom("String", "String.ü x"), legalText).map(([type, value]) => one(type, value)),
  fc
    .tuple(fc.constantFrom("Number", "Number.int"), fc.double({ noNaN: true, min: -1e100, max: 1e100 }))
    .map(([type, value]) => one(type, String(value))),
  fc
    .tuple(fc.constantFrom("Binary", "Binary.png"), fc.uint8Array({ minLength: 1, maxLength: 40 }))
    .map(([type, bytes]) => one(type, Buffer.from(bytes).toString("base64"))),
);
const legalName = fc
  .stringMatching(/^[A-Za-z0-9_-]{1,10}(\.[A-Za-z0-9_-]{1,10}){0,2}$/)
  .filter((name) => !/^(aws|amazon)\./i.test(name) && name !== "__proto__");

/** As AWS documents it, written down once more. */
function md5Of(attributes: Readonly<Record<string, ReturnType<typeof one>>>): string {
  const parts = Object.keys(attributes)
    .sort()
    .flatMap((name) => {
      const { DataType = "", StringValue, BinaryValue } = attributes[name] as Record<string, string>;
      const value = StringValue === undefined ? Buffer.from(BinaryValue ?? "", "base64") : Buffer.from(StringValue);
      const sized = (bytes: Buffer) => {
        const size = Buffer.alloc(4);
        size.writeUInt32BE(bytes.length);
        return [size, bytes];
      };
      const kind = Buffer.of(StringValue === undefined ? 2 : 1);
      return [...sized(Buffer.from(name)), ...sized(Buffer.from(DataType)), kind, ...sized(value)];
    });
  return createHash("md5").update(Buffer.concat(parts)).digest("hex");
}

it("any legal body and attributes come back as they were, with their checksums, whichever wire they went and come by", async () => {
  await domain.queues.create(domain.me, "q", { visibilityMs: 0 });
  await fc.assert(
    fc.asyncProperty(
      ...[fc.constantFrom(...wires), legalText, fc.dictionary(legalName, legalAttribute, { maxKeys: 4 })],
      async (wire, body, dictionary) => {
        const attributes = { ...dictionary };
        const sent = await sqs.call(wire, "SendMessage", {
          QueueUrl: "q",
          MessageBody: body,
          MessageAttributes: attributes,
        });
        const hasAny = Object.keys(attributes).length > 0;
        const bodyMd5 = createHash("md5").update(body).digest("hex");
        const attributesMd5 = hasAny ? { MD5OfMessageAttributes: md5Of(attributes) } : {};
        expect(sent).toEqual({ MessageId: expect.any(String), MD5OfMessageBody: bodyMd5, ...attributesMd5 });
        for (const other of wires) {
          const { Messages } = await sqs.call(other, "ReceiveMessage", {
            QueueUrl: "q",
            MessageAttributeNames: ["All"],
          });
          const more = hasAny ? { MessageAttributes: attributes } : {};
          const expected = {
            MessageId: sent.MessageId,
            ReceiptHandle: expect.any(String),
            Body: body,
            MD5OfBody: bodyMd5,
          };
          expect(Messages).toEqual([{ ...expected, ...attributesMd5, ...more }]);
        }
        await sqs.call(wire, "PurgeQueue", { QueueUrl: "q" });
      },
    ),
    { numRuns: 60 },
  );
});
