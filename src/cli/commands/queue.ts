import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toCount } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";
import { pathOf, queueHints, registerQueueMessages } from "./queue-messages.ts";
import { registerQueueSettings } from "./queue-settings.ts";

interface QueueJson {
  readonly name: string;
  readonly visibilitySeconds: number;
  readonly delaySeconds: number;
  readonly retentionSeconds: number;
  readonly deadLetter?: { readonly queue: string; readonly maxReceives: number };
  readonly waitSeconds: number;
  readonly messageMaxBytes: number;
  readonly deadLetterSources?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
}

interface QueueWithCountsJson extends QueueJson {
  readonly messages: { readonly ready: number; readonly delayed: number; readonly inFlight: number };
  readonly bytes: number;
  readonly oldestAtMs?: number;
}

interface RedriveOptions extends ConnectionOptions {
  readonly to?: string;
  readonly max?: number;
}

/** `todoku queue create|update|list|show|delete|send|receive|peek|purge|redrive`. */
export function registerQueue(program: Command, io: CommandIo = processIo): void {
  const queue = program.command("queue").description("send messages to queues and work them off");
  registerQueueSettings(queue, io);
  registerLooks(queue, io);
  registerChanges(queue, io);
  registerQueueMessages(queue, io);
}

function registerLooks(queue: Command, io: CommandIo): void {
  withConnection(queue.command("list"))
    .description("list the queues that the credential may see")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/queues");
      const { queues } = answer as { queues: readonly QueueJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : settingsTable(queues);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });

  withConnection(queue.command("show"))
    .description("show a queue's settings, and how much lies in it")
    .argument("<name>", "name of the queue")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", pathOf(name), undefined, queueHints);
      const lines = options.json ? [JSON.stringify(answer)] : details(answer as QueueWithCountsJson);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

function registerChanges(queue: Command, io: CommandIo): void {
  withConnection(queue.command("delete"))
    .description("delete a queue with its messages")
    .argument("<name>", "name of the queue")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      await createClient(command, options, io).call("DELETE", pathOf(name), undefined, queueHints);
      const text = options.json ? JSON.stringify({ deleted: name }) : `deleted queue ${printable(name)}`;
      io.stdout.write(`${text}\n`);
    });

  withConnection(queue.command("purge"))
    .description("drop all messages of a queue")
    .argument("<name>", "name of the queue")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      await createClient(command, options, io).call("POST", `${pathOf(name)}/purge`, undefined, queueHints);
      const text = options.json ? JSON.stringify({ purged: name }) : `purged queue ${printable(name)}`;
      io.stdout.write(`${text}\n`);
    });

  withConnection(queue.command("redrive"))
    .description("move the messages of a dead-letter queue back to where they came from")
    .argument("<name>", "name of the dead-letter queue")
    .option("--to <queue>", "move them to this queue instead")
    .addOption(new Option("--max <n>", "so many at most (default: 1000)").argParser(toCount))
    .action(async (name: string, options: RedriveOptions, command: Command) => {
      const body = { to: options.to, maxMessages: options.max };
      const answer = await createClient(command, options, io).call("POST", `${pathOf(name)}/redrive`, body, queueHints);
      const { moved, remaining } = answer as { moved: number; remaining: number };
      const text = options.json ? JSON.stringify(answer) : `moved ${moved}, ${remaining} left`;
      io.stdout.write(`${text}\n`);
    });
}

function settingsTable(queues: readonly QueueJson[]): string[] {
  const rows = queues.map(({ name, visibilitySeconds, delaySeconds, retentionSeconds, deadLetter }) => [
    printable(name),
    ...[visibilitySeconds, delaySeconds, retentionSeconds].map((seconds) => `${seconds} s`),
    deadLetter ? `${printable(deadLetter.queue)} after ${deadLetter.maxReceives}` : "-",
  ]);
  return table(["NAME", "VISIBILITY", "DELAY", "RETENTION", "DEAD LETTERS"], rows);
}

function details(queue: QueueWithCountsJson): string[] {
  const { messages, bytes, oldestAtMs, waitSeconds, messageMaxBytes, deadLetterSources, tags = {} } = queue;
  const sources = deadLetterSources?.map(printable).join(", ") ?? "any queue";
  const tagTexts = Object.entries(tags).map(([key, value]) => printable(`${key}=${value}`));
  const more = [`${waitSeconds} s`, `${messageMaxBytes} bytes`, sources || "none", tagTexts.join(", ") || "-"];
  return [
    ...settingsTable([queue]),
    "",
    ...table(["WAIT", "LARGEST MESSAGE", "DEAD LETTERS FROM", "TAGS"], [more]),
    "",
    ...table(
      ["READY", "DELAYED", "IN FLIGHT", "BYTES", "OLDEST"],
      [
        [
          ...[messages.ready, messages.delayed, messages.inFlight, bytes].map(String),
          oldestAtMs === undefined ? "-" : new Date(oldestAtMs).toISOString(),
        ],
      ],
    ),
  ];
}
