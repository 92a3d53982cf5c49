// kill -9 between a publish and its deliveries: what SNS acknowledged comes to the queue all the same, once.
import { CreateTopicCommand, PublishBatchCommand, SNSClient, SubscribeCommand } from "@aws-sdk/client-sns";
import { CreateQueueCommand, DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { expect, it } from "vitest";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

const batches = 40;

function clientsOf({ port }: DevProcess) {
  const credentials = { accessKeyId: "any", secretAccessKey: "any" };
  const options = { endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", credentials, maxAttempts: 1 };
  return { sns: new SNSClient(options), sqs: new SQSClient(options) };
}

/** Ids in the queue, until there are `count` different ones; then those that are left. */
async function receiveAll(sqs: SQSClient, QueueUrl: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const isDone = new Set(ids).size >= count;
    const wanted = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: isDone ? 0 : 20 };
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand(wanted));
    if (isDone && Messages.length === 0) return ids;
    ids.push(...Messages.map(({ Body }) => JSON.parse(Body ?? "").MessageId));
    const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));
    if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }
}

it("loses nothing that was acknowledged, and doubles nothing", async () => {
  await using directory = await aDirectory();
  const args = ["--port", "0", "--data-dir", directory.path];
  let server = await startDevProcess(args);
  try {
    const { sns, sqs } = clientsOf(server);
    const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: "crash" }));
    await sqs.send(new CreateQueueCommand({ QueueName: "crash" }));
    const Endpoint = "arn:aws:sqs:us-east-1:000000000000:crash";
    await sns.send(new SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint }));
    const entries = Array.from({ length: 10 }, (_, n) => ({ Id: `e${n}`, Message: `m${n}` }));
    const command = new PublishBatchCommand({ TopicArn, PublishBatchRequestEntries: entries });
    const answers = await Promise.all(Array.from({ length: batches }, () => sns.send(command)));
    await server.end("SIGKILL");
    const sent = answers.flatMap(({ Successful = [] }) => Successful.flatMap(({ MessageId = "" }) => MessageId));
    expect(new Set(sent).size).toBe(batches * 10);

    server = await startDevProcess(args);
    const ids = await receiveAll(clientsOf(server).sqs, "crash", sent.length);
    expect(ids.toSorted()).toEqual(sent.toSorted());
  } finally {
    await server.end("SIGKILL");
  }
});
