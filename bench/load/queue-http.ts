import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { batchSize, bodyText, type QueueDriver, queueName } from "./queue-driver.ts";

const waitSeconds = 1;

/** Todoku's JSON API over keep-alive connections; as little HTTP as it takes, so that the load is not what is measured. */
export function httpDriver(port: number): QueueDriver {
  const sendBody = JSON.stringify({ messages: Array.from({ length: batchSize }, () => ({ body: bodyText })) });
  const receiveBody = JSON.stringify({ maxMessages: batchSize, waitSeconds });
  return {
    async producer() {
      const call = await openApi(port);
      return async () => {
        await call("send", sendBody);
      };
    },
    async consumer(removed) {
      const call = await openApi(port);
      for (;;) {
        const { messages } = (await call("receive", receiveBody)) as { messages: { receiptHandle: string }[] };
        if (messages.length === 0) continue;
        const receiptHandles = messages.map(({ receiptHandle }) => receiptHandle);
        const { outcomes } = (await call("delete", JSON.stringify({ receiptHandles }))) as { outcomes: string[] };
        if (outcomes.some((outcome) => outcome !== "done")) throw new Error(`deletes said ${outcomes.join(", ")}`);
        removed(messages.length);
      }
    },
  };
}

type Call = (action: "send" | "receive" | "delete", body: string) => Promise<unknown>;

async function openApi(port: number): Promise<Call> {
  const call = await openConnection(port);
  const headers = `host: 127.0.0.1:${port}\r\ncontent-type: application/json\r\n`;
  return (action, body) => call(`/v1/queues/${queueName}/${action}`, headers, body);
}

/** @param headers each with its end of line; `content-length` is added. */
export type Post = (path: string, headers: string, body: string) => Promise<unknown>;

/** A keep-alive connection: one POST after the other, each answered with the JSON of a 200. */
export async function openConnection(port: number): Promise<Post> {
  const socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const answers = readAnswers(socket);
  return async (path, headers, body) => {
    const length = `content-length: ${Buffer.byteLength(body)}`;
    socket.write(`POST ${path} HTTP/1.1\r\n${headers}${length}\r\n\r\n${body}`);
    const answer = await answers.next();
    if (answer.done === true) throw new Error("the server closed the connection");
    return JSON.parse(answer.value);
  };
}

/** The bodies of answers, one after the other. @throws Error at a status other than 200, or an answer without a length. */
async function* readAnswers(socket: Socket): AsyncGenerator<string, void> {
  let buffer: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
    const headEnd = buffer.indexOf("\r\n\r\n");
    if (headEnd < 0) continue;
    const head = buffer.toString("latin1", 0, headEnd);
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    if (!head.startsWith("HTTP/1.1 200") || length === undefined) throw new Error(buffer.toString());
    const end = headEnd + 4 + Number(length);
    if (buffer.length < end) continue;
    yield buffer.toString("utf8", headEnd + 4, end);
    buffer = buffer.subarray(end);
  }
}
