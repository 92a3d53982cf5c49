// What an SQS that does nothing at all reaches: it reads each request and answers the same every time.
import { createHash, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { batchSize, bodyText } from "../load/queue-driver.ts";

const md5 = createHash("md5").update(bodyText).digest("hex");
const numbers = Array.from({ length: batchSize }, (_, n) => `${n}`);
const answers: Readonly<Record<string, string>> = {
  "AmazonSQS.SendMessageBatch": JSON.stringify({
    Successful: numbers.map((Id) => ({ Id, MessageId: randomUUID(), MD5OfMessageBody: md5 })),
  }),
  "AmazonSQS.ReceiveMessage": JSON.stringify({
    Messages: numbers.map(() => ({
      ...{ MessageId: randomUUID(), ReceiptHandle: "x".repeat(32), MD5OfBody: md5, Body: bodyText },
    })),
  }),
  "AmazonSQS.DeleteMessageBatch": JSON.stringify({ Successful: numbers.map((Id) => ({ Id })) }),
};

const server = createServer((request, response) => {
  request.resume().on("end", () => {
    response.setHeader("content-type", "application/x-amz-json-1.0");
    response.end(answers[request.headers["x-amz-target"]?.toString() ?? ""]);
  });
});
server.listen(0, "127.0.0.1", () => {
  console.log(`sqs-stub listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
