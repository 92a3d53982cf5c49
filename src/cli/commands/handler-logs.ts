import { type Command, Option } from "commander";
import { CallFailure, type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { handlerHints, handlerPath } from "./handler-shape.ts";
import { toCount } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";

const backoffMs = { first: 250, most: 10_000 };
const waitSeconds = 20;

interface LineJson {
  readonly atMs: number;
  readonly stream: string;
  readonly invocationId?: string;
  readonly text: string;
}

interface PageJson {
  readonly lines: readonly LineJson[];
  readonly next: string;
}

interface LogsOptions extends ConnectionOptions {
  readonly follow?: true;
  readonly limit?: number;
}

/** `todoku handler logs`. */
export function registerHandlerLogs(handler: Command, io: CommandIo): void {
  withConnection(handler.command("logs"))
    .description("print what a handler wrote: time, first part of the invocation's id, line")
    .argument("<name>", "name of the handler")
    .option("-f, --follow", "go on with what it writes, until Ctrl-C")
    .addOption(new Option("--limit <n>", "so many of the last lines, up to 1000 (default: all)").argParser(toCount))
    .action(async (name: string, options: LogsOptions, command: Command) => {
      const client = createClient(command, options, io);
      const read = async (query: Readonly<Record<string, string>>, signal?: AbortSignal) => {
        const path = handlerPath(name, `/logs?${new URLSearchParams(query)}`);
        const page = (await client.call("GET", path, undefined, handlerHints, signal)) as PageJson;
        for (const line of page.lines) io.stdout.write(`${options.json ? JSON.stringify(line) : textOf(line)}\n`);
        return page.next;
      };
      const next = await read(options.limit === undefined ? {} : { limit: String(options.limit) });
      const wait = String(waitSeconds);
      if (options.follow) await follow(next, (after, signal) => read({ after, waitSeconds: wait }, signal), io);
    });
}

/** Goes on when the server was away for a while; what cannot get better by waiting ends it. */
async function follow(
  from: string,
  read: (after: string, signal: AbortSignal) => Promise<string>,
  io: CommandIo,
): Promise<void> {
  const stop = new AbortController();
  const stopListening = io.onInterrupt(() => stop.abort());
  let [after, failures] = [from, 0];
  try {
    while (!stop.signal.aborted) {
      try {
        after = await read(after, stop.signal);
        failures = 0;
      } catch (error) {
        if (!(error instanceof CallFailure) || !error.isTemporary) throw error;
        await io.pause(Math.min(backoffMs.first * 2 ** failures++, backoffMs.most), stop.signal);
      }
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    stopListening();
  }
}

function textOf({ atMs, stream, invocationId = "-", text }: LineJson): string {
  const mark = stream === "system" ? "* " : "";
  return `${new Date(atMs).toISOString()}  ${invocationId.slice(0, 8).padEnd(8)}  ${mark}${printable(text)}`;
}
