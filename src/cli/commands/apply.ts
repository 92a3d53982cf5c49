import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { carryOut, type MadeKey } from "../resources/carry-out.ts";
import type { Change } from "../resources/change.ts";
import { type Current, readCurrent } from "../resources/current.ts";
import { toPlan } from "../resources/plan.ts";
import { parseResourceFile, type ResourceFile, ResourceFileError } from "../resources/resource-file.ts";
import { type Client, type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readText } from "./input.ts";
import { type CommandIo, printable, processIo } from "./io.ts";
import { pathOf } from "./webhook-shape.ts";

interface ApplyOptions extends ConnectionOptions {
  readonly file: string;
  readonly prune?: boolean;
  readonly dryRun?: boolean;
}

/** `todoku apply`. */
export function registerApply(program: Command, io: CommandIo = processIo): void {
  withConnection(program.command("apply"))
    .description(
      "give an environment what a file says: caches, queues, webhooks, keys and settings; again and again changes nothing more",
    )
    .requiredOption("-f, --file <file>", "the file, YAML or JSON; - reads stdin")
    .option("--prune", "delete what the file does not have, with its data; keys only when they have a name")
    .option("--dry-run", "show what would be done, and do nothing")
    .action(async (options: ApplyOptions, command: Command) => {
      const file = await readResourceFile(command, options.file, io);
      const client = createClient(command, options, io);
      // Settings are an operator's, who is one in their own environment only.
      const operator = createClient(command, { ...options, env: undefined }, io);
      const current = await readCurrent(client, file);
      const { changes, problems } = toPlan(file, current, options.prune === true);
      if (problems.length > 0) throw new Error(problems.map(printable).join("\nerror: "));
      const made = new Map<string, MadeKey>();
      for (const change of changes) {
        const key = options.dryRun
          ? undefined
          : await attempt(change.kind === "settings" ? operator : client, change, io);
        if (!options.json) io.stdout.write(`${lineOf(change)}\n`);
        if (key) made.set(change.name, key);
        if (key?.apiKey !== undefined && !options.json) io.stdout.write(`  ${key.apiKey}\n`);
      }
      if (options.json) io.stdout.write(`${JSON.stringify(toOutput(file, current, changes, made, options))}\n`);
      else io.stderr.write(`${summaryOf(current.environment, changes, options)}\n`);
    });
}

/** Says which change it is that fails. */
async function attempt(client: Client, change: Change, io: CommandIo): Promise<MadeKey | undefined> {
  try {
    return await carryOut(client, change);
  } catch (error) {
    io.stderr.write(`failed: ${lineOf(change)}\n`);
    throw error;
  }
}

async function readResourceFile(command: Command, path: string, io: CommandIo): Promise<ResourceFile> {
  try {
    return parseResourceFile(path === "-" ? await readText(command, path, io) : await readFile(path, "utf8"));
  } catch (error) {
    if (!(error instanceof ResourceFileError) && !(error instanceof Error && "syscall" in error)) throw error;
    return command.error(error.message.replace(/^/gm, `error: ${path}: `));
  }
}

const signs = { create: "+", update: "~", replace: "!", delete: "-" } as const;

function lineOf({ action, kind, name, cache, differences, secret }: Change): string {
  const details = Object.entries(differences).map(([field, { from, to }]) => `${field} ${words(from)} -> ${words(to)}`);
  const place = secret === undefined ? [] : [`into secret ${secret}`];
  const text = [...details, ...place].join(", ");
  const title = cache === undefined ? name : `${name} of cache ${cache}`;
  return printable(`${signs[action]} ${kind} ${title}${text === "" ? "" : `: ${text}`}`);
}

function words(value: unknown): string {
  if (value === undefined || value === null) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}

function summaryOf(environment: string, changes: readonly Change[], { dryRun }: ApplyOptions): string {
  if (changes.length === 0) return `environment ${environment} has it all: nothing to change`;
  const count = `${changes.length} change${changes.length === 1 ? "" : "s"}`;
  return dryRun
    ? `${count} would be made in environment ${environment}`
    : `${count} made in environment ${environment}`;
}

/** Ids and addresses for scripts. */
function toOutput(
  file: ResourceFile,
  current: Current,
  changes: readonly Change[],
  made: ReadonlyMap<string, MadeKey>,
  { dryRun = false }: ApplyOptions,
) {
  const keys = (file.keys ?? []).map(({ name, secret }) => {
    const keyId = current.keys.find((key) => key.name === name)?.keyId;
    return [
      name,
      made.get(name) ?? { ...(keyId === undefined ? {} : { keyId }), ...(secret === undefined ? {} : { secret }) },
    ];
  });
  const address = (part: string, { name }: { name: string }) => [
    name,
    { path: `/v1/${part}/${encodeURIComponent(name)}` },
  ];
  return {
    environment: current.environment,
    dryRun,
    changes: changes.map(({ action, kind, name, cache, differences }) => ({ action, kind, name, cache, differences })),
    outputs: {
      caches: Object.fromEntries((file.caches ?? []).map((cache) => address("topics", cache))),
      queues: Object.fromEntries((file.queues ?? []).map((queue) => address("queues", queue))),
      webhooks: (file.webhooks ?? []).map(({ cache, name }) => ({ cache, name, path: pathOf(cache, name) })),
      keys: Object.fromEntries(keys),
    },
  };
}
