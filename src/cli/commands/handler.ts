import type { Command } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { registerHandlerLogs } from "./handler-logs.ts";
import { registerHandlerRun } from "./handler-run.ts";
import { handlerHints, handlerPath } from "./handler-shape.ts";
import { readText } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";

interface SourceJson {
  readonly queue?: string;
  readonly cache?: string;
  readonly topic?: string;
}

interface HandlerJson {
  readonly name: string;
  readonly state: string;
  readonly run: string;
  readonly sources: readonly SourceJson[];
  readonly timeoutSeconds: number;
  readonly concurrency: number;
  readonly functionUrl?: string;
  readonly running: number;
  readonly waiting: number;
  readonly counts: { readonly succeeded: number; readonly failed: number; readonly timedOut: number };
  readonly lastError?: { readonly message: string; readonly atMs: number };
}

/** `todoku handler list|show|invoke|logs|run`. */
export function registerHandler(program: Command, io: CommandIo = processIo): void {
  const handler = program.command("handler").description("functions of your own that queues, topics and calls invoke");
  registerList(handler, io);
  registerShow(handler, io);
  registerInvoke(handler, io);
  registerHandlerLogs(handler, io);
  registerHandlerRun(handler, io);
}

function registerList(handler: Command, io: CommandIo): void {
  withConnection(handler.command("list"))
    .description("list the handlers that the credential may see")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/handlers");
      const { handlers } = answer as { handlers: readonly HandlerJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : handlerTable(handlers);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

function registerShow(handler: Command, io: CommandIo): void {
  withConnection(handler.command("show"))
    .description("show a handler, and what became of its invocations since the server's start")
    .argument("<name>", "name of the handler")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", handlerPath(name), undefined, handlerHints);
      const lines = options.json ? [JSON.stringify(answer)] : details(answer as HandlerJson);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

function registerInvoke(handler: Command, io: CommandIo): void {
  withConnection(handler.command("invoke"))
    .description("call a handler and print what it answers; exit code 1 when it fails")
    .argument("<name>", "name of the handler")
    .argument("[event]", "JSON; - reads it from stdin", "null")
    .action(async (name: string, text: string, options: ConnectionOptions, command: Command) => {
      const event = parseEvent(command, await readText(command, text, io));
      const client = createClient(command, options, io);
      const answer = await client.call("POST", handlerPath(name, "/invocations"), event, handlerHints);
      const { outcome, payload } = answer as { outcome: "success" | "error"; payload: unknown };
      if (options.json || outcome === "success") {
        io.stdout.write(`${JSON.stringify(options.json ? answer : payload)}\n`);
      }
      if (outcome === "error") throw new Error(`handler ${printable(name)} failed: ${sentenceOf(payload)}`);
    });
}

function parseEvent(command: Command, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return command.error("error: the event is not JSON");
  }
}

/** `errorType: errorMessage`, as far as they are there. */
function sentenceOf(payload: unknown): string {
  const { errorType, errorMessage } = (payload ?? {}) as { errorType?: unknown; errorMessage?: unknown };
  const words = [errorType, errorMessage].filter((word) => typeof word === "string" && word !== "");
  return printable(words.length > 0 ? words.join(": ") : JSON.stringify(payload));
}

function handlerTable(handlers: readonly HandlerJson[]): string[] {
  return table(
    ["NAME", "STATE", "RUN", "SOURCES", "TIMEOUT", "CONCURRENCY", "URL"],
    handlers.map(({ name, state, run, sources, timeoutSeconds, concurrency, functionUrl }) => [
      ...[name, state, run, sources.map(titleOf).join(", ") || "-"].map(printable),
      ...[`${timeoutSeconds} s`, String(concurrency), functionUrl ?? "-"],
    ]),
  );
}

function titleOf({ queue, cache, topic }: SourceJson): string {
  return queue === undefined ? `topic ${cache}/${topic}` : `queue ${queue}`;
}

function details(handler: HandlerJson): string[] {
  const { running, waiting, counts, lastError } = handler;
  const numbers = [running, waiting, counts.succeeded, counts.failed, counts.timedOut].map(String);
  return [
    ...handlerTable([handler]),
    "",
    ...table(["RUNNING", "WAITING", "SUCCEEDED", "FAILED", "TIMED OUT"], [numbers]),
    ...(lastError ? ["", `${new Date(lastError.atMs).toISOString()}  ${printable(lastError.message)}`] : []),
  ];
}
