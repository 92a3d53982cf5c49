// SQS as its clients see it: every action with boto3 of Debian (the query protocol) and with the JavaScript SDK (JSON), and what neither does.
import { Buffer } from "node:buffer";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as sdk from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AwsServer, anAwsServer, pythonAws } from "../support/aws.ts";

let server: AwsServer;
let client: sdk.SQSClient;
beforeAll(async () => {
  server = await anAwsServer();
  client = new sdk.SQSClient(server.clientOptions());
});
afterAll(async () => {
  client.destroy();
  await server[Symbol.asyncDispose]();
});

const arn = (queue: string) => `arn:aws:sqs:us-east-1:000000000000:${queue}`;
const createQueue = async (name: string, attributes: Record<string, string> = {}) => {
  await client.send(new sdk.CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  return name;
};

/** Resolves when so many receives wait. */
async function polls(count: number): Promise<void> {
  const isSo = async () =>
    (await (await server.api.send("GET", "/metrics")).text()).includes(
      `\ntodoku_queue_polls{environment="dev"} ${count}\n`,
    );
  while (!(await isSo())) await nextTurn();
}

describe("boto3 of Debian", () => {
  it("does every action that it knows", async () => {
    const script = `
import boto3, json
s = boto3.client("sqs")
arn = lambda q: "arn:aws:sqs:us-east-1:000000000000:" + q
dead = s.create_queue(QueueName="py-dead")["QueueUrl"]
rule = json.dumps({"deadLetterTargetArn": arn("py-dead"), "maxReceiveCount": "1"})
u = s.create_queue(QueueName="py", Attributes={"VisibilityTimeout": "720", "RedrivePolicy": rule}, tags={"a": "1"})["QueueUrl"]
assert s.create_queue(QueueName="py", Attributes={"VisibilityTimeout": "720"})["QueueUrl"] == u
assert s.get_queue_url(QueueName="py")["QueueUrl"] == u
assert s.list_queues(QueueNamePrefix="py")["QueueUrls"] == [u, dead]
assert [p.get("QueueUrls") for p in s.get_paginator("list_queues").paginate(QueueNamePrefix="py", PaginationConfig={"PageSize": 1})] == [[u], [dead]]
assert s.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [u]
s.set_queue_attributes(QueueUrl=u, Attributes={"MaximumMessageSize": "2048"})
a = s.get_queue_attributes(QueueUrl=u, AttributeNames=["All"])["Attributes"]
assert (a["QueueArn"], a["VisibilityTimeout"], a["MaximumMessageSize"]) == (arn("py"), "720", "2048"), a
assert json.loads(a["RedrivePolicy"]) == {"deadLetterTargetArn": arn("py-dead"), "maxReceiveCount": 1}
s.tag_queue(QueueUrl=u, Tags={"b": "2"})
s.untag_queue(QueueUrl=u, TagKeys=["a"])
assert s.list_queue_tags(QueueUrl=u)["Tags"] == {"b": "2"}
attributes = {"s": {"DataType": "String", "StringValue": "v<&>"}, "n": {"DataType": "Number", "StringValue": "1"}, "b": {"DataType": "Binary", "BinaryValue": b"\\x00\\xff"}}
trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
sent = s.send_message(QueueUrl=u, MessageBody="x<&>\\"\\r\\n\\u00e9", MessageAttributes=attributes, MessageSystemAttributes=trace)
assert sent["MD5OfMessageBody"] == "0d44eaaaa191d6ee93081e08efcda25e"
m, = s.receive_message(QueueUrl=u, AttributeNames=["All"], MessageAttributeNames=["All"], WaitTimeSeconds=1)["Messages"]
assert (m["MessageId"], m["Body"], m["MessageAttributes"]) == (sent["MessageId"], "x<&>\\"\\r\\n\\u00e9", attributes), m
assert m["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
assert m["Attributes"]["ApproximateReceiveCount"] == "1" and m["Attributes"]["AWSTraceHeader"].startswith("Root=1"), m
assert "Messages" not in s.receive_message(QueueUrl=u)
s.change_message_visibility(QueueUrl=u, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=0)
assert "Messages" not in s.receive_message(QueueUrl=u)
m, = s.receive_message(QueueUrl=dead, AttributeNames=["All"])["Messages"]
assert m["Attributes"]["DeadLetterQueueSourceArn"] == arn("py"), m
s.delete_message(QueueUrl=dead, ReceiptHandle=m["ReceiptHandle"])
batch = s.send_message_batch(QueueUrl=u, Entries=[{"Id": "1", "MessageBody": "a"}, {"Id": "2", "MessageBody": "x" * 2049}, {"Id": "3", "MessageBody": "b", "MessageAttributes": attributes}])
assert [e["Id"] for e in batch["Successful"]] == ["1", "3"] and batch["Failed"][0]["Code"] == "InvalidParameterValue", batch
got = s.receive_message(QueueUrl=u, MaxNumberOfMessages=10, MessageAttributeNames=["b", "n"])["Messages"]
assert sorted(got[1]["MessageAttributes"]) == ["b", "n"], got
entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(got)]
changed = s.change_message_visibility_batch(QueueUrl=u, Entries=[{**e, "VisibilityTimeout": 9} for e in entries])
assert len(changed["Successful"]) == 2, changed
gone = s.delete_message_batch(QueueUrl=u, Entries=entries + [{"Id": "bad", "ReceiptHandle": "bad"}])
assert len(gone["Successful"]) == 2 and gone["Failed"][0]["Code"] == "ReceiptHandleIsInvalid", gone
s.purge_queue(QueueUrl=u)
s.delete_queue(QueueUrl=u)
s.delete_queue(QueueUrl=dead)
print("all")`;
    expect(await pythonAws(script, server.environment())).toBe("all\n");
  });

  it("gets every error as the exception that it has for it, or with its code", async () => {
    await createQueue("py-errors");
    const script = `
import boto3
s = boto3.client("sqs")
q = {"QueueUrl": "py-errors"}
e = lambda n: [{"Id": str(i), "MessageBody": "a"} for i in range(n)]
def told(name, **more):
  try: getattr(s, name)(**more)
  except s.exceptions.ClientError as error:
    r = error.response
    print(type(error).__name__, r["Error"]["Code"], r["ResponseMetadata"]["HTTPStatusCode"])
told("get_queue_url", QueueName="none")
told("send_message", QueueUrl="https://sqs.eu-west-1.amazonaws.com/1/none", MessageBody="a")
told("create_queue", QueueName="py-errors", Attributes={"DelaySeconds": "1"})
told("create_queue", QueueName="a.fifo", Attributes={"FifoQueue": "true"})
told("set_queue_attributes", **q, Attributes={"Nonsense": "1"})
told("send_message", **q, MessageBody="\\x01")
told("send_message_batch", **q, Entries=e(11))
told("send_message_batch", **q, Entries=e(1) + e(1))
told("send_message_batch", **q, Entries=[{"Id": "a b", "MessageBody": "a"}])
told("send_message_batch", **q, Entries=[{"Id": str(i), "MessageBody": "x" * 120000} for i in range(9)])
told("delete_message", **q, ReceiptHandle="bad")
told("add_permission", **q, Label="l", AWSAccountIds=["1"], Actions=["SendMessage"])
s.send_message(**q, MessageBody="a")
h = s.receive_message(**q)["Messages"][0]["ReceiptHandle"]
s.change_message_visibility(**q, ReceiptHandle=h, VisibilityTimeout=0)
told("change_message_visibility", **q, ReceiptHandle=h, VisibilityTimeout=1)`;
    expect((await pythonAws(script, server.environment())).trim().split("\n")).toEqual([
      "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue 400",
      "QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue 400",
      "QueueNameExists QueueAlreadyExists 400",
      "ClientError InvalidParameterValue 400",
      "InvalidAttributeName InvalidAttributeName 400",
      "InvalidMessageContents InvalidMessageContents 400",
      "TooManyEntriesInBatchRequest AWS.SimpleQueueService.TooManyEntriesInBatchRequest 400",
      "BatchEntryIdsNotDistinct AWS.SimpleQueueService.BatchEntryIdsNotDistinct 400",
      "InvalidBatchEntryId AWS.SimpleQueueService.InvalidBatchEntryId 400",
      "BatchRequestTooLong AWS.SimpleQueueService.BatchRequestTooLong 400",
      "ReceiptHandleIsInvalid ReceiptHandleIsInvalid 404",
      "UnsupportedOperation AWS.SimpleQueueService.UnsupportedOperation 400",
      "MessageNotInflight AWS.SimpleQueueService.MessageNotInflight 400",
    ]);
  });
});

describe("the JavaScript SDK", () => {
  it("does every action on queues", async () => {
    await createQueue("js-dead", {
      RedriveAllowPolicy: `{"redrivePermission":"byQueue","sourceQueueArns":["${arn("js")}"]}`,
    });
    const rule = JSON.stringify({ deadLetterTargetArn: arn("js-dead"), maxReceiveCount: 2 });
    const made = { QueueName: "js", Attributes: { RedrivePolicy: rule }, tags: { a: "1" } };
    const { QueueUrl = "" } = await client.send(new sdk.CreateQueueCommand(made));
    expect(QueueUrl).toBe(`${server.url}/000000000000/js`);
    expect(await client.send(new sdk.GetQueueUrlCommand({ QueueName: "js" }))).toMatchObject({ QueueUrl });
    const urls: (string | undefined)[] = [];
    for await (const page of sdk.paginateListQueues({ client, pageSize: 1 }, { QueueNamePrefix: "js" })) {
      urls.push(page.QueueUrls?.join());
    }
    expect(urls).toEqual([QueueUrl, `${QueueUrl}-dead`]);
    const sources = await client.send(new sdk.ListDeadLetterSourceQueuesCommand({ QueueUrl: "js-dead" }));
    expect(sources.queueUrls).toEqual([QueueUrl]);
    await client.send(new sdk.SetQueueAttributesCommand({ QueueUrl, Attributes: { DelaySeconds: "1" } }));
    const asked = { QueueUrl, AttributeNames: ["DelaySeconds", "RedrivePolicy"] as const };
    const { Attributes } = await client.send(
      new sdk.GetQueueAttributesCommand({ ...asked, AttributeNames: [...asked.AttributeNames] }),
    );
    expect(Attributes).toEqual({ DelaySeconds: "1", RedrivePolicy: rule });
    await client.send(new sdk.TagQueueCommand({ QueueUrl, Tags: { b: "2" } }));
    await client.send(new sdk.UntagQueueCommand({ QueueUrl, TagKeys: ["a"] }));
    expect((await client.send(new sdk.ListQueueTagsCommand({ QueueUrl }))).Tags).toEqual({ b: "2" });
    await client.send(new sdk.PurgeQueueCommand({ QueueUrl }));
    await client.send(new sdk.PurgeQueueCommand({ QueueUrl }));
    await expect(client.send(new sdk.DeleteQueueCommand({ QueueUrl: "js-dead" }))).rejects.toBeInstanceOf(
      sdk.UnsupportedOperation,
    );
    await client.send(new sdk.DeleteQueueCommand({ QueueUrl }));
    await client.send(new sdk.DeleteQueueCommand({ QueueUrl: "js-dead" }));
  });

  it("does every action on messages, and its own checksums agree", async () => {
    const QueueUrl = await createQueue("js-messages");
    const attributes = {
      text: { DataType: "String.utf8", StringValue: "é<&>\r\n" },
      bytes: { DataType: "Binary", BinaryValue: Buffer.from([0, 255]) },
    };
    const sent = await client.send(
      new sdk.SendMessageCommand({ QueueUrl, MessageBody: "a", MessageAttributes: attributes }),
    );
    const all = { QueueUrl, MessageSystemAttributeNames: ["All" as const], MessageAttributeNames: ["All"] };
    const { Messages: [message] = [] } = await client.send(
      new sdk.ReceiveMessageCommand({ ...all, WaitTimeSeconds: 5 }),
    );
    expect(message).toMatchObject({
      ...{ Body: "a", MessageId: sent.MessageId, MD5OfMessageAttributes: sent.MD5OfMessageAttributes },
      MessageAttributes: { text: attributes.text, bytes: { BinaryValue: new Uint8Array([0, 255]) } },
      Attributes: { SenderId: expect.stringMatching(/./), ApproximateReceiveCount: "1" },
    });
    const ReceiptHandle = message?.ReceiptHandle;
    await client.send(new sdk.ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 9 }));
    await client.send(new sdk.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    const entries = ["1", "2"].map((Id) => ({ Id, MessageBody: `body ${Id}` }));
    const batch = await client.send(new sdk.SendMessageBatchCommand({ QueueUrl, Entries: entries }));
    expect([batch.Successful?.length, batch.Failed]).toEqual([2, undefined]);
    const { Messages = [] } = await client.send(new sdk.ReceiveMessageCommand({ ...all, MaxNumberOfMessages: 10 }));
    const handles = Messages.map((one, n) => ({ Id: `${n}`, ReceiptHandle: one.ReceiptHandle }));
    const changes = handles.map((one) => ({ ...one, VisibilityTimeout: 9 }));
    expect(
      (await client.send(new sdk.ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: changes }))).Successful
        ?.length,
    ).toBe(2);
    const gone = await client.send(
      new sdk.DeleteMessageBatchCommand({ QueueUrl, Entries: [...handles, { Id: "bad", ReceiptHandle: "bad" }] }),
    );
    expect(gone).toMatchObject({
      Successful: [{ Id: "0" }, { Id: "1" }],
      Failed: [{ Code: "ReceiptHandleIsInvalid" }],
    });
    const empty = await client.send(new sdk.ReceiveMessageCommand({ QueueUrl }));
    expect(empty.Messages).toBeUndefined();
  });

  it("moves dead letters back, and sees and cancels the move", async () => {
    await createQueue("js-moved-dead");
    const rule = JSON.stringify({ deadLetterTargetArn: arn("js-moved-dead"), maxReceiveCount: 1 });
    const QueueUrl = await createQueue("js-moved", { RedrivePolicy: rule, VisibilityTimeout: "0" });
    const SourceArn = arn("js-moved-dead");
    for (const MessageBody of ["a", "b", "c"]) await client.send(new sdk.SendMessageCommand({ QueueUrl, MessageBody }));
    for (let left = 2; left > 0; left--)
      await client.send(new sdk.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
    const start = new sdk.StartMessageMoveTaskCommand({ SourceArn, MaxNumberOfMessagesPerSecond: 1 });
    const { TaskHandle } = await client.send(start);
    await expect(client.send(start)).rejects.toBeInstanceOf(sdk.UnsupportedOperation);
    const list = new sdk.ListMessageMoveTasksCommand({ SourceArn });
    const { Results: [running] = [] } = await client.send(list);
    expect(running).toMatchObject({
      TaskHandle,
      SourceArn,
      MaxNumberOfMessagesPerSecond: 1,
      ApproximateNumberOfMessagesToMove: 3,
    });
    expect(running?.Status).toBe("RUNNING");
    await client.send(new sdk.CancelMessageMoveTaskCommand({ TaskHandle }));
    expect((await client.send(list)).Results?.[0]?.Status).toBe("CANCELLED");
    await expect(client.send(new sdk.CancelMessageMoveTaskCommand({ TaskHandle: "none" }))).rejects.toBeInstanceOf(
      sdk.ResourceNotFoundException,
    );
  });

  it("gets every error as the class that it has for it", async () => {
    const QueueUrl = await createQueue("js-errors");
    const fails = (sent: Promise<unknown>) =>
      sent.then(
        () => undefined,
        (error) => error,
      );
    const none = await fails(client.send(new sdk.SendMessageCommand({ QueueUrl: "none", MessageBody: "a" })));
    expect(none).toBeInstanceOf(sdk.QueueDoesNotExist);
    expect(none).toMatchObject({ Code: "AWS.SimpleQueueService.NonExistentQueue", Type: "Sender" });
    const entries = (count: number) => Array.from({ length: count }, (_, n) => ({ Id: `${n}`, MessageBody: "a" }));
    const batch = (Entries: sdk.SendMessageBatchRequestEntry[]) =>
      fails(client.send(new sdk.SendMessageBatchCommand({ QueueUrl, Entries })));
    expect(await batch([])).toBeInstanceOf(sdk.EmptyBatchRequest);
    expect(await batch(entries(11))).toBeInstanceOf(sdk.TooManyEntriesInBatchRequest);
    expect(await batch([...entries(1), ...entries(1)])).toBeInstanceOf(sdk.BatchEntryIdsNotDistinct);
    expect(await batch([{ Id: "a b", MessageBody: "a" }])).toBeInstanceOf(sdk.InvalidBatchEntryId);
    const large = entries(9).map((one) => ({ ...one, MessageBody: "x".repeat(120_000) }));
    expect(await batch(large)).toBeInstanceOf(sdk.BatchRequestTooLong);
    const attributes = { QueueUrl, Attributes: { Nonsense: "1" } as Record<string, string> };
    expect(await fails(client.send(new sdk.SetQueueAttributesCommand(attributes)))).toBeInstanceOf(
      sdk.InvalidAttributeName,
    );
    const different = { QueueName: QueueUrl, Attributes: { DelaySeconds: "3" } };
    expect(await fails(client.send(new sdk.CreateQueueCommand(different)))).toBeInstanceOf(sdk.QueueNameExists);
    const control = { QueueUrl, MessageBody: "\u0001" };
    expect(await fails(client.send(new sdk.SendMessageCommand(control)))).toBeInstanceOf(sdk.InvalidMessageContents);
    const bad = { QueueUrl, ReceiptHandle: "bad" };
    expect(await fails(client.send(new sdk.DeleteMessageCommand(bad)))).toBeInstanceOf(sdk.ReceiptHandleIsInvalid);
    expect(await fails(client.send(new sdk.CreateQueueCommand({ QueueName: "a.fifo" })))).toMatchObject({
      name: "InvalidParameterValue",
    });
  });

  it("works a queue off with sqs-consumer, which others fill", async () => {
    const QueueUrl = await createQueue("consumed");
    const done: (string | undefined)[] = [];
    const all = Promise.withResolvers<void>();
    const consumer = Consumer.create({
      ...{ queueUrl: `${server.url}/000000000000/${QueueUrl}`, sqs: client, batchSize: 10, waitTimeSeconds: 20 },
      async handleMessage(message) {
        done.push(message.Body);
        if (done.length === 12) all.resolve();
        return message;
      },
    });
    const failed = Promise.withResolvers<never>();
    consumer.on("error", failed.reject).on("processing_error", failed.reject);
    consumer.start();
    const bodies = Array.from({ length: 12 }, (_, n) => `job ${n}`);
    for (const body of bodies) await server.api.post(`/v1/queues/${QueueUrl}/send`, { body });
    await Promise.race([all.promise, failed.promise]);
    consumer.stop({ abort: true });
    expect(done.sort()).toEqual(bodies.sort());
  });
});

describe("a receive that waits", () => {
  it("takes nothing along when its client is gone: the next one gets the message at once, for the first time", async () => {
    const QueueUrl = await createQueue("left");
    const leaver = new AbortController();
    const waiting = new sdk.ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 });
    const left = client.send(waiting, { abortSignal: leaver.signal }).catch((error) => error);
    await polls(1);
    leaver.abort(); // destroys the socket
    expect(await left).toMatchObject({ name: "AbortError" });
    await client.send(new sdk.SendMessageCommand({ QueueUrl, MessageBody: "a" }));
    const asked = { QueueUrl, WaitTimeSeconds: 20, MessageSystemAttributeNames: ["ApproximateReceiveCount" as const] };
    const { Messages } = await client.send(new sdk.ReceiveMessageCommand(asked));
    expect(Messages).toMatchObject([{ Body: "a", Attributes: { ApproximateReceiveCount: "1" } }]);
  });

  it("waits for as long as the queue says when it does not say itself", async () => {
    const QueueUrl = await createQueue("patient", { ReceiveMessageWaitTimeSeconds: "20" });
    const received = client.send(new sdk.ReceiveMessageCommand({ QueueUrl }));
    await polls(1);
    await client.send(new sdk.SendMessageCommand({ QueueUrl, MessageBody: "a" }));
    expect((await received).Messages?.[0]?.Body).toBe("a");
  });
});
