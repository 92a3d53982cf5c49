import { type Command, InvalidArgumentError } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";

interface KeyJson {
  readonly keyId: string;
  readonly description: string;
  readonly createdAtMs: number;
  readonly superUser: boolean;
  readonly grants: readonly unknown[];
}

interface CreateOptions extends ConnectionOptions {
  readonly description?: string;
  readonly superUser?: boolean;
  readonly grant?: readonly unknown[];
}

const listHint = { not_found: "todoku key list shows the keys there are" };

/** `todoku key create|list|delete`. */
export function registerKey(program: Command, io: CommandIo = processIo): void {
  const key = program.command("key").description("create, list and delete API keys");
  registerCreate(key, io);

  withConnection(key.command("list"))
    .description("list the API keys of the environment, without the keys themselves")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/keys");
      const { keys } = answer as { keys: readonly KeyJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : tableOf(keys);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });

  withConnection(key.command("delete"))
    .description("delete an API key: its calls are refused and its open streams end")
    .argument("<key-id>", "id of the key, as list shows it")
    .action(async (keyId: string, options: ConnectionOptions, command: Command) => {
      // A whole key, pasted by mistake, must not get into an address.
      if (!/^[\w-]+-[0-9a-f]{16}$/.test(keyId))
        command.error("error: this is no id of a key; todoku key list shows them");
      const path = `/v1/keys/${keyId}`;
      await createClient(command, options, io).call("DELETE", path, undefined, listHint);
      const text = options.json ? JSON.stringify({ deleted: keyId }) : `deleted key ${keyId}`;
      io.stdout.write(`${text}\n`);
    });
}

function registerCreate(key: Command, io: CommandIo): void {
  withConnection(key.command("create"))
    .description("create an API key and print it, this once")
    .option("--description <text>", "what it is for")
    .option("--super-user", "it may do everything in its environment")
    .option("--grant <json...>", "what it may do: one grant each, as docs/reference/http.md has them", parseGrant)
    .action(async (options: CreateOptions, command: Command) => {
      const { description, superUser, grant } = options;
      if ((superUser === undefined) === (grant === undefined)) {
        command.error("error: give either --super-user or at least one --grant");
      }
      const body = { description, superUser, grants: grant };
      const created = await createClient(command, options, io).call("POST", "/v1/keys", body);
      const { keyId, apiKey } = created as KeyJson & { apiKey: string };
      io.stdout.write(`${options.json ? JSON.stringify(created) : apiKey}\n`);
      io.stderr.write(`created key ${keyId}; keep what was printed, it is not shown again\n`);
    });
}

function parseGrant(text: string, previous: readonly unknown[] = []): readonly unknown[] {
  try {
    return [...previous, JSON.parse(text)];
  } catch {
    throw new InvalidArgumentError("It is not JSON.");
  }
}

function tableOf(keys: readonly KeyJson[]): string[] {
  const rows = keys.map(({ keyId, createdAtMs, superUser, grants, description }) => [
    keyId,
    new Date(createdAtMs).toISOString(),
    superUser ? "super user" : `${grants.length} grant${grants.length === 1 ? "" : "s"}`,
    printable(description),
  ]);
  return table(["KEY", "CREATED", "RIGHTS", "DESCRIPTION"], rows);
}
