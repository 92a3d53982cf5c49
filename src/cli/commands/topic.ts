import { readFile } from "node:fs/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readAll, readText, toCount } from "./input.ts";
import { type CommandIo, printable, processIo } from "./io.ts";
import { tail } from "./tail.ts";

interface PublishOptions extends ConnectionOptions {
  readonly binaryFile?: string;
  readonly messageId?: string;
}

interface SubscribeOptions extends ConnectionOptions {
  readonly after?: string;
  readonly count?: number;
}

/** `todoku topic publish|subscribe`. */
export function registerTopic(program: Command, io: CommandIo = processIo): void {
  const topic = program.command("topic").description("publish to topics and follow them");

  withConnection(topic.command("publish"))
    .description("publish one message")
    .argument("<cache>", "name of the cache")
    .argument("<topic>", "name of the topic")
    .argument("[text]", "the message; - reads it from stdin, without its last line break")
    .option("--binary-file <file>", "publish the bytes of a file instead of a text; - reads stdin")
    .option("--message-id <id>", "the same id within 5 minutes publishes only once")
    .action(
      async (cache: string, name: string, text: string | undefined, options: PublishOptions, command: Command) => {
        const client = createClient(command, options, io);
        const body = { ...(await readMessage(command, text, options.binaryFile, io)), messageId: options.messageId };
        const hints = { not_found: `create it with: todoku cache create ${printable(cache)}` };
        const answer = await client.call("POST", pathOf(cache, name), body, hints);
        const { position, isRepeat } = answer as { position: string; isRepeat: boolean };
        const line = isRepeat ? `${position} (published before with this id)` : position;
        io.stdout.write(`${options.json ? JSON.stringify(answer) : line}\n`);
      },
    );

  withConnection(topic.command("subscribe"))
    .description("print messages as they come: time, position, token id if any, text")
    .argument("<cache>", "name of the cache")
    .argument("<topic>", "name of the topic")
    .addOption(new Option("--after <position>", "begin behind this position, with what is kept").argParser(toPosition))
    .addOption(new Option("--count <n>", "end after this many messages").argParser(toCount))
    .action(async (cache: string, name: string, options: SubscribeOptions, command: Command) => {
      const { after, count, json = false } = options;
      await tail(createClient(command, options, io), { cache, path: pathOf(cache, name), after, count, json }, io);
    });
}

function pathOf(cache: string, topic: string): string {
  return `/v1/topics/${encodeURIComponent(cache)}/${encodeURIComponent(topic)}`;
}

async function readMessage(command: Command, text: string | undefined, binaryFile: string | undefined, io: CommandIo) {
  if (binaryFile !== undefined && text === undefined) {
    const bytes = binaryFile === "-" ? await readAll(io.stdin) : await readFile(binaryFile);
    return { binary: bytes.toString("base64") };
  }
  if (binaryFile === undefined && text !== undefined) return { text: await readText(command, text, io) };
  return command.error("error: give either the text of the message, or --binary-file");
}

function toPosition(text: string): string {
  if (/^\d+-\d+$/.test(text)) return text;
  throw new InvalidArgumentError("It is written <page>-<sequence>, as subscribe and publish print it.");
}
