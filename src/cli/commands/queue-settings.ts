import { type Command, InvalidArgumentError, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toCount, toSeconds } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";
import { pathOf, queueHints } from "./queue-messages.ts";

interface SettingsOptions extends ConnectionOptions {
  readonly visibility?: number;
  readonly delay?: number;
  readonly retention?: number;
  readonly wait?: number;
  readonly messageMaxBytes?: number;
  /** False: `--no-dead-letter`. */
  readonly deadLetter?: string | false;
  readonly maxReceives?: number;
  /** False: `--no-dead-letter-source`. */
  readonly deadLetterSource?: readonly string[] | false;
  readonly tag?: Readonly<Record<string, string>>;
  readonly untag?: readonly string[];
}

/** `todoku queue create|update`. */
export function registerQueueSettings(queue: Command, io: CommandIo): void {
  withSettings(withConnection(queue.command("create")))
    .description("create a queue")
    .argument("<name>", "name of the queue")
    .action(async (name: string, options: SettingsOptions, command: Command) => {
      const body = { name, ...toBody(options, command) };
      const created = await createClient(command, options, io).call("POST", "/v1/queues", body);
      io.stdout.write(`${options.json ? JSON.stringify(created) : `created queue ${printable(name)}`}\n`);
    });

  withSettings(withConnection(queue.command("update")))
    .description("change settings of a queue; what is not given stays")
    .argument("<name>", "name of the queue")
    .option("--no-dead-letter", "messages stay, however often they are received")
    .option("--no-dead-letter-source", "take the dead letters of any queue that names it")
    .option("--untag <key...>", "take tags away")
    .action(async (name: string, options: SettingsOptions, command: Command) => {
      const body = toBody(options, command);
      const updated = await createClient(command, options, io).call("PATCH", pathOf(name), body, queueHints);
      io.stdout.write(`${options.json ? JSON.stringify(updated) : `updated queue ${printable(name)}`}\n`);
    });
}

function withSettings(command: Command): Command {
  const seconds = (flag: string, text: string) => new Option(`${flag} <seconds>`, text).argParser(toSeconds);
  return command
    .addOption(seconds("--visibility", "a received message stays hidden for so long (default: 30)"))
    .addOption(seconds("--delay", "a sent message waits for so long (default: 0)"))
    .addOption(seconds("--retention", "a message is kept for so long (default: 345600)"))
    .addOption(seconds("--wait", "a receive that does not say waits for so long, up to 20 (default: 0)"))
    .addOption(new Option("--message-max-bytes <n>", "size of a message (default: 262144)").argParser(toCount))
    .option("--dead-letter <queue>", "where a message goes that was received too often")
    .addOption(new Option("--max-receives <n>", "how often is not too often").argParser(toCount))
    .option("--dead-letter-source <queue...>", "take the dead letters of these queues only (default: of any)")
    .addOption(new Option("--tag <key=value...>", "for your own use").argParser(toTags));
}

function toBody(options: SettingsOptions, command: Command) {
  const { visibility, delay, retention, wait, deadLetter, maxReceives, tag, untag = [] } = options;
  if ((typeof deadLetter === "string") !== (maxReceives !== undefined)) {
    command.error("error: --dead-letter and --max-receives go together");
  }
  const rule = typeof deadLetter === "string" ? { queue: deadLetter, maxReceives } : undefined;
  const tags = { ...Object.fromEntries(untag.map((key) => [key, null])), ...tag };
  return {
    ...{ visibilitySeconds: visibility, delaySeconds: delay, retentionSeconds: retention, waitSeconds: wait },
    messageMaxBytes: options.messageMaxBytes,
    deadLetter: deadLetter === false ? null : rule,
    deadLetterSources: options.deadLetterSource === false ? null : options.deadLetterSource,
    tags: Object.keys(tags).length === 0 ? undefined : tags,
  };
}

function toTags(text: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  if (at > 0) return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
  throw new InvalidArgumentError("It must be <key>=<value>.");
}
