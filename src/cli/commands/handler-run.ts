import { type Command, InvalidArgumentError, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { AttachedRun } from "./handler-attachment.ts";
import { toCount, toDurationMs } from "./input.ts";
import type { CommandIo } from "./io.ts";
import { parseGrant } from "./key-create.ts";

interface RunOptions extends ConnectionOptions {
  readonly queue: readonly string[];
  readonly batchSize?: number;
  readonly window?: number;
  readonly topic: readonly string[];
  readonly cache?: string;
  readonly filter?: object;
  readonly filterScope?: string;
  readonly grant: readonly unknown[];
  readonly variable: Readonly<Record<string, string>>;
  readonly secret: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly concurrency?: number;
  readonly functionUrl?: string;
  readonly directory: string;
}

/** `todoku handler run`. */
export function registerHandlerRun(handler: Command, io: CommandIo): void {
  const more = (text: string, before: readonly string[]) => [...before, text];
  withConnection(handler.command("run"))
    .description(
      "make a handler for as long as this runs: its processes run here; node:./file.function, python:file.function, or any Lambda runtime client",
    )
    .argument("<name>", "name of the handler")
    .argument("<command...>", "behind --: what runs, with its arguments")
    .addOption(
      new Option("--queue <queue>", "a queue whose messages it works off; may be repeated").default([]).argParser(more),
    )
    .addOption(new Option("--batch-size <n>", "messages of one invocation, up to 10 (default: 10)").argParser(toCount))
    .addOption(new Option("--window <span>", "a batch that is not full waits so long for more").argParser(toDurationMs))
    .addOption(
      new Option("--topic <topic>", "a topic whose messages it gets; may be repeated").default([]).argParser(more),
    )
    .option("--cache <cache>", "of these topics (default: events, where SNS's topics are)")
    .addOption(
      new Option("--filter <json>", "a filter policy as SNS has it: what of these topics it gets").argParser(toObject),
    )
    .addOption(new Option("--filter-scope <what>", "what the filter looks at").choices(["attributes", "body"]))
    .addOption(
      new Option("--grant <json...>", "what it may do: grants, or statements of an IAM policy (default: nothing)")
        .default([])
        .argParser(parseGrant),
    )
    .addOption(
      new Option("--variable <name=value>", "an environment variable; may be repeated").default({}).argParser(toPair),
    )
    .addOption(
      new Option("--secret <variable=name>", "an environment variable with the value of a secret; may be repeated")
        .default({})
        .argParser(toPair),
    )
    .addOption(
      new Option("--timeout <span>", "how long one invocation may take (default: 30s)").argParser(toDurationMs),
    )
    .addOption(
      new Option("--concurrency <n>", "processes, each for one invocation at a time (default: 1)").argParser(toCount),
    )
    .addOption(new Option("--function-url <who>", "it gets the URL /functions/<name>").choices(["none", "jwt"]))
    .option("--directory <path>", "where its processes start", ".")
    .action(async (name: string, words: readonly string[], options: RunOptions, command: Command) => {
      const ofTopics = ["--filter", "--filter-scope", "--cache"].filter(
        (_, n) => [options.filter, options.filterScope, options.cache][n] !== undefined,
      );
      if (ofTopics[0] !== undefined && options.topic.length === 0)
        command.error(`error: ${ofTopics[0]} goes with --topic`);
      const connect = () => createClient(command, options, io);
      await new AttachedRun(connect, toBody(name, options), { command: words, directory: options.directory }, io).run();
    });
}

function toBody(name: string, options: RunOptions) {
  const { queue, batchSize, window, topic, cache, filter, filterScope, grant, variable, secret } = options;
  const windowSeconds = window === undefined ? undefined : window / 1000;
  return {
    name,
    sources: [
      ...queue.map((one) => ({ queue: one, batchSize, windowSeconds })),
      ...topic.map((one) => ({ cache, topic: one, filter, filterScope })),
    ],
    timeoutSeconds: options.timeout === undefined ? undefined : options.timeout / 1000,
    concurrency: options.concurrency,
    grants: grant,
    env: variable,
    secrets: secret,
    functionUrl: options.functionUrl,
  };
}

function toPair(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, name, value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError("It is written name=value.");
  return { ...before, [name]: value };
}

function toObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // said below
  }
  throw new InvalidArgumentError("It is no JSON object.");
}
