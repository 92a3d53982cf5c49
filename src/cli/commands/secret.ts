import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readText, toCount } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";

interface SecretJson {
  readonly name: string;
  readonly shared: boolean;
  readonly currentVersion: number;
  readonly versions: readonly { readonly version: number; readonly createdAtMs: number }[];
}

interface PutOptions extends ConnectionOptions {
  readonly shared?: boolean;
  readonly notShared?: boolean;
}

const hints = { not_found: "todoku secret list shows the secrets of the environment" };
const pathOf = (name: string) => `/v1/secrets/${encodeURIComponent(name)}`;

/** `todoku secret put|get|list|rm`. */
export function registerSecret(program: Command, io: CommandIo = processIo): void {
  const secret = program.command("secret").description("keep what applications must know and nobody else may");
  registerPut(secret, io);
  registerGet(secret, io);

  withConnection(secret.command("list"))
    .description("list the environment's own secrets, without their values")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/secrets");
      const { secrets } = answer as { secrets: readonly SecretJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : tableOf(secrets);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });

  withConnection(secret.command("rm"))
    .description("delete a secret with all its versions; an API key in it lives on")
    .argument("<name>", "name of the secret")
    .action(async (name: string, options: ConnectionOptions, command: Command) => {
      await createClient(command, options, io).call("DELETE", pathOf(name), undefined, hints);
      const text = options.json ? JSON.stringify({ deleted: name }) : `deleted secret ${printable(name)}`;
      io.stdout.write(`${text}\n`);
    });
}

function registerPut(secret: Command, io: CommandIo): void {
  withConnection(secret.command("put"))
    .description("put a new version of a secret, read from standard input without its last line break")
    .argument("<name>", "name of the secret")
    .addOption(
      new Option("--shared", "environments that read secrets from this one may read it").conflicts("notShared"),
    )
    .option("--not-shared", "they may not (default: as it was; at first they may not)")
    .action(async (name: string, options: PutOptions, command: Command) => {
      const value = await readText(command, "-", io);
      const shared = options.shared ?? (options.notShared ? false : undefined);
      const answer = await createClient(command, options, io).call("POST", pathOf(name), { value, shared });
      const { version } = answer as { version: number };
      const text = `put version ${version} of secret ${printable(name)}`;
      io.stdout.write(`${options.json ? JSON.stringify(answer) : text}\n`);
    });
}

function registerGet(secret: Command, io: CommandIo): void {
  withConnection(secret.command("get"))
    .description("print the value of a secret, with a line break after it")
    .argument("<name>", "name of the secret")
    .addOption(new Option("--version <n>", "default: the current one").argParser(toCount))
    .action(async (name: string, options: ConnectionOptions & { version?: number }, command: Command) => {
      const query = options.version === undefined ? "" : `?version=${options.version}`;
      const answer = await createClient(command, options, io).call("GET", pathOf(name) + query, undefined, hints);
      const { value } = answer as { value: string };
      io.stdout.write(`${options.json ? JSON.stringify(answer) : value}\n`);
    });
}

function tableOf(secrets: readonly SecretJson[]): string[] {
  const rows = secrets.map(({ name, shared, currentVersion, versions }) => [
    printable(name),
    String(currentVersion),
    new Date(versions.at(-1)?.createdAtMs ?? 0).toISOString(),
    shared ? "shared" : "-",
  ]);
  return table(["SECRET", "VERSION", "PUT", "SHARED"], rows);
}
