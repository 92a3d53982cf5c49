import { type Command, InvalidArgumentError, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readText } from "./input.ts";
import { type CommandIo, printable, table } from "./io.ts";
import { checkKeyId } from "./key.ts";

interface RevokeOptions extends ConnectionOptions {
  readonly tokenId?: string;
  readonly userId?: string;
  readonly keyId?: string;
  readonly jti?: string;
  readonly token?: string;
  readonly issuedBefore?: number;
  readonly keys?: true;
}

interface RevocationJson {
  readonly version: number;
  readonly jti?: string;
  readonly tokenId?: string;
  readonly userId?: string;
  readonly keyId?: string;
  readonly issuedBeforeMs?: number;
  readonly keys?: boolean;
  readonly atMs: number;
  readonly expiresAtMs: number;
}

const hints = { not_found: "todoku key list shows the keys there are" };

/** `todoku token revoke|list-revoked`. */
export function registerRevocations(token: Command, io: CommandIo): void {
  withConnection(token.command("revoke"))
    .description("revoke what was issued so far: calls are refused at once, open streams end within a second")
    .option("--token-id <id>", "all tokens with this token id")
    .option("--user-id <id>", "all tokens that were issued for this user")
    .option("--jti <id>", "one token, by its own id, which create and inspect show")
    .option("--token <from>", "one token, whole: - reads it from standard input")
    .option("--key-id <id>", "an API key and all tokens that it issued; the key is deleted")
    .addOption(
      new Option("--issued-before <time>", "all tokens issued before: an ISO time, or now").argParser(parseTime),
    )
    .option("--keys", "with --issued-before: API keys that were made before, too, but for the one that is used")
    .action(async (options: RevokeOptions, command: Command) => {
      const body = await toBody(command, options, io);
      const answer = await createClient(command, options, io).call("POST", "/v1/revocations", body, hints);
      const { version } = answer as { version: number };
      io.stdout.write(`${options.json ? JSON.stringify(answer) : `revoked (version ${version})`}\n`);
    });

  withConnection(token.command("list-revoked"))
    .description("list what was revoked, as long as a token that it names could be alive")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/revocations");
      const { revocations } = answer as { revocations: readonly RevocationJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : tableOf(revocations);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

/** The body of the call. Anything but one target ends the command. */
async function toBody(command: Command, options: RevokeOptions, io: CommandIo): Promise<object> {
  const { tokenId, userId, keyId, jti, token, issuedBefore: issuedBeforeMs, keys } = options;
  const given = Object.entries({ tokenId, userId, keyId, jti, token, issuedBeforeMs }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length !== 1) {
    command.error("error: give one of --token-id, --user-id, --jti, --token -, --key-id, and --issued-before");
  }
  if (keys && issuedBeforeMs === undefined) command.error("error: --keys goes with --issued-before");
  // Whoever pastes a whole credential here must not find it in a log.
  if (keyId !== undefined) checkKeyId(command, keyId);
  if (jti !== undefined && !/^[0-9a-f-]{36}$/.test(jti)) {
    command.error("error: this is no id of a token; give the whole token on standard input with --token -");
  }
  if (token !== undefined && token !== "-") {
    command.error("error: --token takes no token, which other users could see, but -: pipe it in");
  }
  if (jti !== undefined) return { token: jti };
  if (token !== undefined) return { token: (await readText(command, token, io)).trim() };
  return Object.fromEntries(keys ? [...given, ["keys", true]] : given);
}

function parseTime(text: string): number {
  const ms = text === "now" ? Date.now() : Date.parse(/^\d{4}-\d{2}-\d{2}/.test(text) ? text : "");
  if (!Number.isNaN(ms)) return ms;
  throw new InvalidArgumentError("It must be a time like 2026-11-22T08:00:00Z, or now.");
}

function tableOf(revocations: readonly RevocationJson[]): string[] {
  const rows = revocations.map((revocation) => [
    ...[String(revocation.version), printable(describe(revocation))],
    ...[revocation.atMs, revocation.expiresAtMs].map((ms) => new Date(ms).toISOString()),
  ]);
  return table(["VERSION", "REVOKED", "AT", "KEPT UNTIL"], rows);
}

function describe({ jti, tokenId, userId, keyId, issuedBeforeMs, keys }: RevocationJson): string {
  if (jti !== undefined) return `token ${jti}`;
  if (tokenId !== undefined) return `token id ${tokenId}`;
  if (userId !== undefined) return `user ${userId}`;
  if (keyId !== undefined) return `key ${keyId}, and its tokens`;
  return `all tokens${keys ? " and keys" : ""} before ${new Date(issuedBeforeMs ?? 0).toISOString()}`;
}
