import type { Command } from "commander";
import { Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readText } from "./input.ts";
import { type CommandIo, processIo } from "./io.ts";

interface NotifyOptions extends ConnectionOptions {
  readonly user?: readonly string[];
  readonly exclude?: readonly string[];
  readonly broadcast?: true;
  readonly id?: string;
}

interface NotifiedJson {
  readonly connections: number;
  readonly undelivered: number;
  readonly held: number;
  readonly offlineUsers: number;
}

/** `todoku notify`. */
export function registerNotify(program: Command, io: CommandIo = processIo): void {
  withConnection(program.command("notify"))
    .description("send a frame to all WebSockets of users")
    .argument("<data>", "what they get: JSON, or a text that is none; - reads it from stdin")
    .addOption(new Option("--user <id>", "who gets it; may be given several times").argParser(collect))
    .addOption(new Option("--exclude <id>", "who does not, with --broadcast; the same").argParser(collect))
    .option("--broadcast", "everybody gets it")
    .option("--id <id>", "put into the data, an object: by which clients tell a repeat")
    .action(async (text: string, options: NotifyOptions, command: Command) => {
      const { user: users, exclude: exclude_users, broadcast, id } = options;
      if ((users === undefined) === (broadcast === undefined))
        command.error("error: give either --user or --broadcast");
      if (exclude_users && !broadcast) command.error("error: --exclude goes with --broadcast");
      const client = createClient(command, options, io);
      const data = toData(await readText(command, text, io));
      if (typeof data === "string" && /^\s*[[{]/.test(data))
        io.stderr.write("warning: this is no JSON though it begins like it: it is sent as a text\n");
      const body = { users, exclude_users, data, id };
      const answer = await client.call("POST", "/v1/notifications", body);
      io.stdout.write(`${options.json ? JSON.stringify(answer) : toLine(answer as NotifiedJson)}\n`);
    });
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function toData(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function toLine({ connections, undelivered, held, offlineUsers }: NotifiedJson): string {
  const others = Object.entries({ undelivered, held, offline: offlineUsers }).filter(([, count]) => count > 0);
  return [`${connections} reached`, ...others.map(([what, count]) => `${count} ${what}`)].join(", ");
}
