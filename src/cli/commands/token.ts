import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toDurationMs } from "./input.ts";
import { type CommandIo, processIo } from "./io.ts";
import { parseGrant } from "./key-create.ts";
import { registerTokenInspect } from "./token-inspect.ts";
import { registerRevocations } from "./token-revoke.ts";

interface CreateOptions extends ConnectionOptions {
  readonly grant: readonly unknown[];
  readonly validFor: number;
  readonly tokenId?: string;
  readonly userId?: string;
}

/** `todoku token create|inspect|revoke|list-revoked`. */
export function registerToken(program: Command, io: CommandIo = processIo): void {
  const token = program.command("token").description("issue, explain and revoke disposable tokens");
  registerCreate(token, io);
  registerTokenInspect(token, io);
  registerRevocations(token, io);
}

function registerCreate(token: Command, io: CommandIo): void {
  withConnection(token.command("create"))
    .description("issue a disposable token and print it")
    .addOption(
      new Option("--grant <json...>", "what it may do: one grant each, as docs/reference/http.md has them")
        .argParser(parseGrant)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("--valid-for <span>", "it ends after so long: 90s, 10m, at most 25h")
        .argParser(toDurationMs)
        .makeOptionMandatory(),
    )
    .option("--token-id <id>", "items that it publishes carry this id; all tokens with it can be revoked together")
    .option(
      "--user-id <id>",
      "whom it is for: the user of its WebSockets; all tokens of a user can be revoked together",
    )
    .action(async (options: CreateOptions, command: Command) => {
      const { grant, validFor, tokenId, userId } = options;
      const body = { grants: grant, validForSeconds: validFor / 1000, tokenId, userId };
      const client = createClient(command, options, io, { leavesTokens: true });
      const issued = await client.call("POST", "/v1/tokens", body);
      const { token, jti, expiresAtMs } = issued as { token: string; jti: string; expiresAtMs: number };
      io.stdout.write(`${options.json ? JSON.stringify(issued) : token}\n`);
      io.stderr.write(`issued token ${jti}; it ends at ${new Date(expiresAtMs).toISOString()}\n`);
    });
}
