import { type Command, Option } from "commander";
import { type Client, type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readText, toCount, toSeconds } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";

interface SendOptions extends ConnectionOptions {
  readonly delay?: number;
  readonly messageId?: string;
}

interface ReceiveOptions extends ConnectionOptions {
  readonly max?: number;
  readonly wait?: number;
  readonly visibility?: number;
  readonly delete?: boolean;
}

interface PeekOptions extends ConnectionOptions {
  readonly after?: number;
  readonly max?: number;
}

interface MessageJson {
  readonly messageId: string;
  readonly body: string;
  readonly attributes?: Readonly<Record<string, { readonly value: string }>>;
  readonly receiveCount: number;
  readonly sentAtMs: number;
}

/** What helps when a queue is missing. */
export const queueHints = { not_found: "todoku queue list shows the queues there are" };

/** The address of a queue. */
export function pathOf(name: string): string {
  return `/v1/queues/${encodeURIComponent(name)}`;
}

/** `todoku queue send|receive|peek`. */
export function registerQueueMessages(queue: Command, io: CommandIo): void {
  registerSend(queue, io);
  registerReceive(queue, io);
  registerPeek(queue, io);
}

function registerSend(queue: Command, io: CommandIo): void {
  withConnection(queue.command("send"))
    .description("send one message and print its id")
    .argument("<name>", "name of the queue")
    .argument("<body>", "the message; - reads it from stdin, without its last line break")
    .addOption(new Option("--delay <seconds>", "wait before it can be received").argParser(toSeconds))
    .option("--message-id <id>", "the same id within 5 minutes is added only once")
    .action(async (name: string, text: string, options: SendOptions, command: Command) => {
      const client = createClient(command, options, io);
      const body = {
        body: await readText(command, text, io),
        delaySeconds: options.delay,
        messageId: options.messageId,
      };
      const hints = { not_found: `create it with: todoku queue create ${printable(name)}` };
      const answer = await client.call("POST", `${pathOf(name)}/send`, body, hints);
      const { messageId, isRepeat } = answer as { messageId: string; isRepeat: boolean };
      const line = isRepeat ? `${printable(messageId)} (sent before with this id)` : printable(messageId);
      io.stdout.write(`${options.json ? JSON.stringify(answer) : line}\n`);
    });
}

function registerReceive(queue: Command, io: CommandIo): void {
  withConnection(queue.command("receive"))
    .description("receive messages and print them: time sent, id, number of receives, attributes, body")
    .argument("<name>", "name of the queue")
    .addOption(new Option("--max <n>", "so many at most, up to 10 (default: 1)").argParser(toCount))
    .addOption(new Option("--wait <seconds>", "wait for the first one, up to 20 (default: 0)").argParser(toSeconds))
    .addOption(
      new Option("--visibility <seconds>", "they stay hidden from others for so long (default: the queue's)").argParser(
        toSeconds,
      ),
    )
    .option("--delete", "delete them once they are printed")
    .action(async (name: string, options: ReceiveOptions, command: Command) => {
      const client = createClient(command, options, io);
      const body = { maxMessages: options.max, waitSeconds: options.wait, visibilitySeconds: options.visibility };
      const answer = await client.call("POST", `${pathOf(name)}/receive`, body, queueHints);
      const { messages } = answer as { messages: readonly (MessageJson & { readonly receiptHandle: string })[] };
      for (const message of messages) io.stdout.write(`${options.json ? JSON.stringify(message) : toLine(message)}\n`);
      if (messages.length === 0) io.stderr.write("nothing to receive\n");
      const receiptHandles = messages.map(({ receiptHandle }) => receiptHandle);
      if (options.delete && messages.length > 0) await deleteAll(client, name, receiptHandles);
    });
}

function registerPeek(queue: Command, io: CommandIo): void {
  withConnection(queue.command("peek"))
    .description(
      "print messages without receiving them: sequence number, state, time sent, id, number of receives, attributes, body",
    )
    .argument("<name>", "name of the queue")
    .addOption(new Option("--after <n>", "begin behind this sequence number").argParser(toCount))
    .addOption(new Option("--max <n>", "so many at most, up to 100 (default: 10)").argParser(toCount))
    .action(async (name: string, options: PeekOptions, command: Command) => {
      const body = { after: options.after, maxMessages: options.max };
      const answer = await createClient(command, options, io).call("POST", `${pathOf(name)}/peek`, body, queueHints);
      const { messages } = answer as {
        messages: readonly (MessageJson & { readonly sequenceNumber: number; readonly state: string })[];
      };
      for (const message of messages) {
        const line = `${message.sequenceNumber}  ${message.state}  ${toLine(message)}`;
        io.stdout.write(`${options.json ? JSON.stringify(message) : line}\n`);
      }
    });
}

async function deleteAll(client: Client, name: string, receiptHandles: readonly string[]): Promise<void> {
  await client.call("POST", `${pathOf(name)}/delete`, { receiptHandles }, queueHints);
}

function toLine({ sentAtMs, messageId, receiveCount, attributes = {}, body }: MessageJson): string {
  const named = Object.entries(attributes).map(([name, { value }]) => printable(`${name}=${value}`));
  const cells = [
    new Date(sentAtMs).toISOString(),
    printable(messageId),
    receiveCount,
    named.join(" "),
    printable(body),
  ];
  return cells.filter((cell) => cell !== "").join("  ");
}
