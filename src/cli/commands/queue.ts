import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toCount, toSeconds } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";
import { pathOf, queueHints, registerQueueMessages } from "./queue-messages.ts";

interface QueueJson {
  readonly name: string;
  readonly visibilitySeconds: number;
  readonly delaySeconds: number;
  readonly retentionSeconds: number;
  readonly deadLetter?: { readonly queue: string; readonly maxReceives: number };
}

interface QueueWithCountsJson extends QueueJson {
  readonly messages: { readonly ready: number; readonly delayed: number; readonly inFlight: number };
  readonly bytes: number;
  readonly oldestAtMs?: number;
}

interface CreateOptions extends ConnectionOptions {
  readonly visibility?: number;
  readonly delay?: number;
  readonly retention?: number;
  readonly deadLetter?: string;
  readonly maxReceives?: number;
}

interface RedriveOptions extends ConnectionOptions {
  readonly to?: string;
  readonly max?: number;
}

/** `todoku queue create|list|show|delete|send|receive|peek|purge|redrive`. */
export function registerQueue(program: Command, io: CommandIo = processIo): void {
  const queue = program.command("queue").description("send messages to queues and work them off");
  registerCreate(queue, io);
  registerLooks(queue, io);
  registerChanges(queue, io);
  registerQueueMessages(queue, io);
}

function registerCreate(queue: Command, io: CommandIo): void {
  withConnection(queue.command("create"))
    .description("create a queue")
    .argument("<name>", "name of the queue")
    .addOption(
      new Option("--visibility <seconds>", "a received message stays hidden for so long (default: 30)").argParser(
        toSeconds,
      ),
    )
    .addOption(new Option("--delay <seconds>", "a sent message waits for so long (default: 0)").argParser(toSeconds))
    .addOption(
      new Option("--retention <seconds>", "a message is kept for so long (default: 345600)").argParser(toSeconds),
    )
    .option("--dead-letter <queue>", "where a message goes that was received too often")
    .addOption(new Option("--max-receives <n>", "how often is not too often").argParser(toCount))
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const { visibility, delay, retention, deadLetter, maxReceives } = options;
      if ((deadLetter === undefined) !== (maxReceives === undefined)) {
        command.error("error: --dead-letter and --max-receives go together");
      }
      const body = {
        name,
        ...{ visibilitySeconds: visibility, delaySeconds: delay, retentionSeconds: retention },
        deadLetter: deadLetter === undefined ? undefined : { queue: deadLetter, maxReceives },
      };
      const created = await createClient(command, options, io).call("POST", "/v1/queues", body);
      io.stdout.write(`${options.json ? JSON.stringify(created) : `created queue ${printable(name)}`}\n`);
    });
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
  const { messages, bytes, oldestAtMs } = queue;
  return [
    ...settingsTable([queue]),
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
