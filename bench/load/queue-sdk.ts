import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { batchSize, bodyText, type QueueDriver, queueName } from "./queue-driver.ts";

/**
 * The JavaScript SDK. It takes most of a core by itself, so each worker sends, receives and deletes in turn: then whoever answers, constants too,
 * gets the same calls in the same numbers. The key is in the environment.
 */
export function sdkDriver(port: number): QueueDriver {
  const client = new SQSClient({ endpoint: `http://127.0.0.1:${port}`, region: "us-east-1" });
  const QueueUrl = `http://127.0.0.1:${port}/000000000000/${queueName}`;
  const entries = Array.from({ length: batchSize }, (_, n) => ({ Id: `${n}`, MessageBody: bodyText }));
  return {
    async producer() {
      return () => new Promise(() => {});
    },
    async consumer(removed) {
      for (;;) {
        await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: entries }));
        const asked = { QueueUrl, MaxNumberOfMessages: batchSize, WaitTimeSeconds: 1 };
        const { Messages = [] } = await client.send(new ReceiveMessageCommand(asked));
        if (Messages.length === 0) continue;
        const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle }));
        const { Failed } = await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
        if (Failed) throw new Error(`deletes said ${JSON.stringify(Failed)}`);
        removed(Messages.length);
      }
    },
  };
}
