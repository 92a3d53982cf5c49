import { type Command, InvalidArgumentError, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toDurationMs } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";

interface CreateOptions extends ConnectionOptions {
  readonly name?: string;
  readonly description?: string;
  readonly superUser?: true;
  readonly operator?: true;
  readonly grant?: readonly unknown[];
  readonly validFor?: number;
  readonly v2?: boolean;
  readonly accessKey?: true;
}

interface CreatedJson {
  readonly keyId: string;
  readonly name?: string;
  readonly expiresAtMs: number | null;
  readonly apiKey: string;
  readonly apiKeyV2: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

const hints = {
  already_exists: "todoku key list shows the keys there are; choose another --name, or delete that key first",
  limit_exceeded: "todoku key list shows the keys there are; todoku key delete removes one",
};

/** `todoku key create`. */
export function registerKeyCreate(key: Command, io: CommandIo): void {
  withConnection(key.command("create"))
    .description("create an API key and print it, this once")
    .option("--name <name>", "a name of your own; no other key of the environment has it")
    .option("--description <text>", "what it is for")
    .option("--super-user", "it may do everything in its environment")
    .option("--operator", "a super user that may also make and destroy environments")
    .option("--grant <json...>", "what it may do: one grant each, as docs/reference/http.md has them", parseGrant)
    .addOption(
      new Option("--valid-for <span>", "it ends after so long: 90s, 12h, 30d (default: never)").argParser(toDurationMs),
    )
    .option("--access-key", "AWS clients may sign with it too: print what they need as variables instead of the key")
    .option("--v2", "print it in Momento's v2 form, for fromApiKeyV2, instead of v1")
    .action(async (options: CreateOptions, command: Command) => {
      const { name, description, superUser, operator, grant, validFor, accessKey } = options;
      if ((superUser === undefined && operator === undefined) === (grant === undefined)) {
        command.error("error: give one of --super-user, --operator, and at least one --grant");
      }
      const validForSeconds = validFor === undefined ? undefined : validFor / 1000;
      const body = { name, description, superUser, operator, grants: grant, validForSeconds, accessKey };
      const created = (await createClient(command, options, io).call("POST", "/v1/keys", body, hints)) as CreatedJson;
      const { keyId, expiresAtMs } = created;
      const expiresAt = expiresAtMs === null ? null : new Date(expiresAtMs).toISOString();
      io.stdout.write(`${options.json ? JSON.stringify({ ...created, expiresAt }) : credentialOf(created, options)}\n`);
      const title = name === undefined ? keyId : `${keyId} (${printable(name)})`;
      const end = expiresAt === null ? "" : `; it ends at ${expiresAt}`;
      io.stderr.write(`created key ${title}${end}; keep what was printed, it is not shown again\n`);
    });
}

function credentialOf(created: CreatedJson, { v2, accessKey }: CreateOptions): string {
  const { apiKey, apiKeyV2, accessKeyId, secretAccessKey } = created;
  if (accessKey) return `AWS_ACCESS_KEY_ID=${accessKeyId}\nAWS_SECRET_ACCESS_KEY=${secretAccessKey}`;
  return v2 ? apiKeyV2 : apiKey;
}

/** The value of `--grant`, which may be given several times: one grant, or a list of them as the API has it. */
export function parseGrant(text: string, previous: readonly unknown[] = []): readonly unknown[] {
  try {
    return [...previous, ...[JSON.parse(text) as unknown].flat()];
  } catch {
    throw new InvalidArgumentError("It is not JSON.");
  }
}
