import { createHash, createHmac, randomUUID } from "node:crypto";
import { batchSize, bodyText, type QueueDriver, queueName } from "./queue-driver.ts";
import { openConnection } from "./queue-http.ts";

const waitSeconds = 1;
const region = "us-east-1";
const signedHeaders =
  "amz-sdk-invocation-id;amz-sdk-request;content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-target;x-amz-user-agent";
const userAgent = "aws-sdk-js/3.1169.0 ua/2.1 os/linux#6.1.0 lang/js md/nodejs#24.0.0 api/sqs#3.1169.0 m/E,N,e";

interface Received {
  readonly Messages?: readonly { readonly ReceiptHandle: string }[];
}

/**
 * SQS in JSON, as the JavaScript SDK of the captures in test/fixtures/aws-wire sends it, each request signed anew, without what the SDK
 * itself costs. The key is in the environment.
 */
export function sqsDriver(port: number): QueueDriver {
  const entries = Array.from({ length: batchSize }, (_, n) => ({ Id: `${n}`, MessageBody: bodyText }));
  const QueueUrl = `http://127.0.0.1:${port}/000000000000/${queueName}`;
  const sendBody = JSON.stringify({ QueueUrl, Entries: entries });
  const receiveBody = JSON.stringify({ QueueUrl, MaxNumberOfMessages: batchSize, WaitTimeSeconds: waitSeconds });
  return {
    async producer() {
      const call = await openSqs(port);
      return async () => {
        await call("SendMessageBatch", sendBody);
      };
    },
    async consumer(removed) {
      const call = await openSqs(port);
      for (;;) {
        const { Messages = [] } = (await call("ReceiveMessage", receiveBody)) as Received;
        if (Messages.length === 0) continue;
        const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: `${n}`, ReceiptHandle }));
        const deleted = await call("DeleteMessageBatch", JSON.stringify({ QueueUrl, Entries }));
        if ((deleted as { Failed?: unknown }).Failed) throw new Error(`deletes said ${JSON.stringify(deleted)}`);
        removed(Messages.length);
      }
    },
  };
}

type Call = (action: string, body: string) => Promise<unknown>;

async function openSqs(port: number): Promise<Call> {
  const post = await openConnection(port);
  return (action, body) => post("/", headersOf(`127.0.0.1:${port}`, action, body), body);
}

/** All but `content-length`, which is signed too. */
function headersOf(host: string, action: string, body: string): string {
  const dateTime = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const bodyHash = createHash("sha256").update(body).digest("hex");
  const values: Record<string, string> = {
    ...{ "amz-sdk-invocation-id": randomUUID(), "amz-sdk-request": "attempt=1; max=3" },
    ...{ "content-length": String(Buffer.byteLength(body)), "content-type": "application/x-amz-json-1.0" },
    ...{ host, "x-amz-content-sha256": bodyHash, "x-amz-date": dateTime, "x-amz-target": `AmazonSQS.${action}` },
    "x-amz-user-agent": userAgent,
  };
  const lines = signedHeaders.split(";").map((name) => `${name}:${values[name]}\n`);
  const request = ["POST", "/", "", `${lines.join("")}`, signedHeaders, bodyHash].join("\n");
  const scope = `${dateTime.slice(0, 8)}/${region}/sqs/aws4_request`;
  const text = `AWS4-HMAC-SHA256\n${dateTime}\n${scope}\n${createHash("sha256").update(request).digest("hex")}`;
  const signature = createHmac("sha256", keyOf(dateTime.slice(0, 8)))
    .update(text)
    .digest("hex");
  const { AWS_ACCESS_KEY_ID: id } = process.env;
  const authorization = `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
  const sent = Object.entries({ ...values, "x-amzn-query-mode": "true", "user-agent": userAgent, authorization });
  return sent
    .filter(([name]) => name !== "content-length")
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}

let derived = { day: "", key: Buffer.alloc(0) };

function keyOf(day: string): Buffer {
  if (derived.day !== day) {
    const start = Buffer.from(`AWS4${process.env.AWS_SECRET_ACCESS_KEY}`);
    const parts = [day, region, "sqs", "aws4_request"];
    const key = parts.reduce((before, part) => createHmac("sha256", before).update(part).digest(), start);
    derived = { day, key };
  }
  return derived.key;
}
