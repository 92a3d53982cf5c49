import { type Command, InvalidArgumentError, Option } from "commander";
import { CallFailure, type ConnectionOptions, createClient, withServer } from "./client.ts";
import { registerEnvDestroy } from "./env-destroy.ts";
import { toCount } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";

interface EnvironmentJson {
  readonly name: string;
  readonly createdAtMs: number;
  readonly copiedFrom?: string;
  readonly secretsFrom: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly state: "live" | "destroying";
}

interface SettingOptions extends ConnectionOptions {
  readonly secretsFrom?: readonly string[];
  readonly cacheDurability?: string;
  readonly messageMaxBytes?: number;
  readonly rates?: unknown;
}

const settingNames = ["cacheDurability", "messageMaxBytes", "rates"] as const;
const hints = { not_found: "todoku env list shows the environments there are" };

/** `todoku env create|list|show|update|destroy`, for operators. */
export function registerEnv(program: Command, io: CommandIo = processIo): void {
  const env = program.command("env").description("make, list, change and destroy environments; for operators");
  registerCreate(env, io);
  registerList(env, io);
  registerShow(env, io);
  registerUpdate(env, io);
  registerEnvDestroy(env, io);
}

function registerCreate(env: Command, io: CommandIo): void {
  withSettings(env.command("create"))
    .description("make an environment, and print a super-user key of it, this once")
    .argument("<name>", "1 to 63 of A-Z, a-z, 0-9 and -; case counts")
    .option(
      "--from <environment>",
      "begin with the settings, caches, queues and event topics of this one, all of them empty",
    )
    .action(async (name: string, options: SettingOptions & { from?: string }, command: Command) => {
      const { from, secretsFrom } = options;
      const body = { name, from, secretsFrom, settings: settingsOf(options) };
      const created = (await createClient(command, options, io).call("POST", "/v1/environments", body, hints)) as {
        readonly key: { readonly keyId: string; readonly apiKey: string };
      };
      io.stdout.write(`${options.json ? JSON.stringify(created) : created.key.apiKey}\n`);
      const text = `created environment ${name} with key ${created.key.keyId}`;
      io.stderr.write(`${text}; keep what was printed, it is not shown again\n`);
    });
}

function registerList(env: Command, io: CommandIo): void {
  withServer(env.command("list"))
    .description("list all environments")
    .action(async (options: ConnectionOptions, command: Command) => {
      const environments = await listAll(command, options, io);
      const lines = options.json ? [JSON.stringify({ environments })] : tableOf(environments);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

function registerShow(env: Command, io: CommandIo): void {
  withServer(env.command("show"))
    .description("show one environment with its settings")
    .argument("<name>", "name of the environment")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      const found = (await listAll(command, options, io)).find((environment) => environment.name === name);
      if (!found) {
        const text = `environment "${printable(name)}" does not exist`;
        throw new CallFailure(text, { code: "not_found", hint: hints.not_found, isTemporary: false });
      }
      for (const line of options.json ? [JSON.stringify(found)] : describe(found)) io.stdout.write(`${line}\n`);
    });
}

function registerUpdate(env: Command, io: CommandIo): void {
  withSettings(env.command("update"))
    .description("change the settings of an environment; what is not named stays")
    .argument("<name>", "name of the environment")
    .addOption(
      new Option("--unset <setting...>", "let these follow the server's configuration again").choices(settingNames),
    )
    .option("--no-secrets-from", "it may not read the secrets of others any more")
    .action(async (name: string, options: UpdateOptions, command: Command) => {
      const { secretsFrom, unset = [] } = options;
      const settings = { ...settingsOf(options), ...Object.fromEntries(unset.map((setting) => [setting, null])) };
      const body = { settings, secretsFrom: secretsFrom === false ? [] : secretsFrom };
      const path = `/v1/environments/${encodeURIComponent(name)}`;
      const changed = await createClient(command, options, io).call("PATCH", path, body, hints);
      const lines = options.json ? [JSON.stringify(changed)] : describe(changed as EnvironmentJson);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

interface UpdateOptions extends Omit<SettingOptions, "secretsFrom"> {
  readonly secretsFrom?: readonly string[] | false;
  readonly unset?: readonly string[];
}

function withSettings(command: Command): Command {
  return withServer(command)
    .option("--secrets-from <environment...>", "it may read the shared secrets of these, instead of those before")
    .addOption(new Option("--cache-durability <durability>", "of caches made without one").choices(["disk", "memory"]))
    .addOption(new Option("--message-max-bytes <bytes>", "greatest size of one topic message").argParser(toCount))
    .addOption(
      new Option("--rates <json>", "bounds of calls and streams, as docs/reference/http.md has them").argParser(toJson),
    );
}

function settingsOf({ cacheDurability, messageMaxBytes, rates }: Omit<SettingOptions, "secretsFrom">) {
  return { cacheDurability, messageMaxBytes, rates };
}

async function listAll(
  command: Command,
  options: ConnectionOptions,
  io: CommandIo,
): Promise<readonly EnvironmentJson[]> {
  const answer = await createClient(command, options, io).call("GET", "/v1/environments");
  return (answer as { environments: readonly EnvironmentJson[] }).environments;
}

function tableOf(environments: readonly EnvironmentJson[]): string[] {
  const rows = environments.map(({ name, createdAtMs, copiedFrom = "-", secretsFrom, state }) => {
    return [name, new Date(createdAtMs).toISOString(), copiedFrom, secretsFrom.join(",") || "-", state];
  });
  return table(["NAME", "CREATED", "COPIED FROM", "SECRETS FROM", "STATE"], rows);
}

function describe({ name, createdAtMs, copiedFrom, secretsFrom, settings, state }: EnvironmentJson): string[] {
  return [
    `environment ${name} (${state})`,
    `  created          ${new Date(createdAtMs).toISOString()}`,
    ...(copiedFrom === undefined ? [] : [`  copied from      ${copiedFrom}`]),
    `  secrets from     ${secretsFrom.join(", ") || "nobody"}`,
    ...settingNames.map((setting) => {
      const value = settings[setting];
      const shown = typeof value === "object" ? JSON.stringify(value) : (value ?? "as the server");
      return `  ${setting.padEnd(15)}  ${shown}`;
    }),
  ];
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidArgumentError("It is not JSON.");
  }
}
