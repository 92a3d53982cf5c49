import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toDurationMs } from "./input.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";
import { registerKeyCreate } from "./key-create.ts";
import { registerKeyRewrap } from "./key-rewrap.ts";
import { registerKeyRotate } from "./key-rotate.ts";
import { registerSigningKeys } from "./signing-key.ts";

interface KeyJson {
  readonly keyId: string;
  readonly name?: string;
  readonly description: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly superUser: boolean;
  readonly operator: boolean;
  readonly grants: readonly unknown[];
  readonly hasAccessKey: boolean;
}

type RightsJson = Pick<KeyJson, "operator" | "superUser" | "grants" | "hasAccessKey">;

interface ExpireOptions extends ConnectionOptions {
  readonly in: number;
}

const hints = { not_found: "todoku key list shows the keys there are" };
const expireHints = {
  ...hints,
  invalid_argument: "a key can only end earlier than it does; make a new one with todoku key create",
};

/** `todoku key create|list|delete|expire|rotate|rewrap|list-signing|rotate-signing`. */
export function registerKey(program: Command, io: CommandIo = processIo): void {
  const key = program.command("key").description("create, list, end and delete API keys; rotate what signs tokens");
  registerKeyCreate(key, io);
  registerList(key, io);
  registerExpire(key, io);
  registerDelete(key, io);
  registerKeyRotate(key, io);
  registerKeyRewrap(key, io);
  registerSigningKeys(key, io);
}

function registerList(key: Command, io: CommandIo): void {
  withConnection(key.command("list"))
    .description("list the API keys of the environment, without the keys themselves")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/keys");
      const { keys } = answer as { keys: readonly KeyJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : tableOf(keys);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

function registerExpire(key: Command, io: CommandIo): void {
  withConnection(key.command("expire"))
    .description("let an API key end after a while: time to hand over its successor")
    .argument("<key-id>", "id of the key, as list shows it")
    .addOption(
      new Option("--in <span>", "how long it still works: 90s, 10m, 1d").argParser(toDurationMs).makeOptionMandatory(),
    )
    .action(async (keyId: string, options: ExpireOptions, command: Command) => {
      checkKeyId(command, keyId);
      const body = { expiresInSeconds: options.in / 1000 };
      const answer = await createClient(command, options, io).call("PATCH", `/v1/keys/${keyId}`, body, expireHints);
      const { expiresAtMs } = answer as KeyJson;
      const text = `key ${keyId} ends at ${new Date(expiresAtMs ?? 0).toISOString()}`;
      io.stdout.write(`${options.json ? JSON.stringify(answer) : text}\n`);
    });
}

function registerDelete(key: Command, io: CommandIo): void {
  withConnection(key.command("delete"))
    .description("delete an API key: its calls are refused, its open streams and the tokens that it issued end")
    .argument("<key-id>", "id of the key, as list shows it")
    .action(async (keyId: string, options: ConnectionOptions, command: Command) => {
      checkKeyId(command, keyId);
      await createClient(command, options, io).call("DELETE", `/v1/keys/${keyId}`, undefined, hints);
      const text = options.json ? JSON.stringify({ deleted: keyId }) : `deleted key ${keyId}`;
      io.stdout.write(`${text}\n`);
    });
}

/** A whole key, pasted by mistake, must not get into an address. */
export function checkKeyId(command: Command, keyId: string): void {
  if (/^[\w-]+-[0-9a-f]{16}$/.test(keyId)) return;
  command.error("error: this is no id of a key; todoku key list shows them");
}

function tableOf(keys: readonly KeyJson[]): string[] {
  const rows = keys.map(({ keyId, name = "", createdAtMs, expiresAtMs, description, ...key }) => [
    ...[keyId, printable(name), new Date(createdAtMs).toISOString()],
    expiresAtMs === null ? "never" : new Date(expiresAtMs).toISOString(),
    rightsOf(key),
    printable(description),
  ]);
  return table(["KEY", "NAME", "CREATED", "ENDS", "RIGHTS", "DESCRIPTION"], rows);
}

function rightsOf({ operator, superUser, grants, hasAccessKey }: RightsJson): string {
  const rights = superUser ? "super user" : `${grants.length} grant${grants.length === 1 ? "" : "s"}`;
  return `${operator ? "operator" : rights}${hasAccessKey ? ", access key" : ""}`;
}
