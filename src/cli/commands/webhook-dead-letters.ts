import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toCount } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";
import { pathOf, printRows, queryOf, webhookHints } from "./webhook-shape.ts";

interface DeadLetterJson {
  readonly id: number;
  readonly position: string;
  readonly topic: string;
  readonly text?: string;
  /** Base64. */
  readonly binary?: string;
  readonly reason: string;
  readonly diedAtMs: number;
  readonly attempts: number;
  readonly error: string;
  readonly replaying: boolean;
}

interface DeadOptions extends ConnectionOptions {
  readonly limit?: number;
  readonly after?: number;
}

interface WhichOptions extends ConnectionOptions {
  readonly all?: boolean;
}

const whichHints = { not_found: "todoku webhook list and todoku webhook dead show what there is" };

/** `todoku webhook dead|replay|drop`. */
export function registerWebhookDeadLetters(webhook: Command, io: CommandIo): void {
  withConnection(webhook.command("dead"))
    .description(
      "print the messages that could not be delivered, the oldest first: id, time of death, topic, position, reason, attempts, last failure, message",
    )
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .addOption(new Option("--limit <n>", "so many at most (default: 100)").argParser(toCount))
    .addOption(new Option("--after <id>", "begin behind this id").argParser(toCount))
    .action(async (cache: string, name: string, options: DeadOptions, command: Command) => {
      const path = `${pathOf(cache, name)}/dead-letters${queryOf({ limit: options.limit, after: options.after })}`;
      const answer = await createClient(command, options, io).call("GET", path, undefined, webhookHints);
      const { deadLetters } = answer as { deadLetters: readonly DeadLetterJson[] };
      printRows(io, options.json, deadLetters, deadLetters.map(toLine));
    });

  withWhich(webhook.command("replay"))
    .description("deliver one dead letter again, or all of them; those that are delivered are dead letters no longer")
    .action(async (cache: string, name: string, id: number | undefined, options: WhichOptions, command: Command) => {
      checkWhich(command, id, options);
      const path = `${pathOf(cache, name)}/dead-letters/replay`;
      const answer = await createClient(command, options, io).call("POST", path, { id }, whichHints);
      const { replaying } = answer as { replaying: number };
      io.stdout.write(`${options.json ? JSON.stringify(answer) : `replaying ${replaying}`}\n`);
    });

  withWhich(webhook.command("drop"))
    .description("drop one dead letter, or all of them, for good")
    .action(async (cache: string, name: string, id: number | undefined, options: WhichOptions, command: Command) => {
      checkWhich(command, id, options);
      const path = `${pathOf(cache, name)}/dead-letters${queryOf({ id })}`;
      const answer = await createClient(command, options, io).call("DELETE", path, undefined, whichHints);
      const { dropped } = answer as { dropped: number };
      io.stdout.write(`${options.json ? JSON.stringify(answer) : `dropped ${dropped}`}\n`);
    });
}

function withWhich(command: Command): Command {
  return withConnection(command)
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .argument("[id]", "id of the dead letter, as dead shows it", toCount)
    .option("--all", "all there are");
}

/** That nothing is named must not mean all. */
function checkWhich(command: Command, id: number | undefined, { all }: WhichOptions): void {
  if ((id === undefined) === (all === undefined)) command.error("error: give either the id of a dead letter or --all");
}

function toLine(letter: DeadLetterJson): string {
  const { id, diedAtMs, topic, position, reason, replaying, attempts, error, text, binary = "" } = letter;
  return [
    ...[String(id), new Date(diedAtMs).toISOString(), topic, position],
    replaying ? `${reason} (replaying)` : reason,
    ...[String(attempts), error === "" ? "-" : error],
    text ?? `<binary ${Buffer.byteLength(binary, "base64")} bytes>`,
  ]
    .map(printable)
    .join("  ");
}
