import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toDurationMs } from "./input.ts";
import { type CommandIo, table } from "./io.ts";

interface SigningKeyJson {
  readonly kid: string;
  readonly createdAtMs: number;
  readonly retiresAtMs: number | null;
  readonly isCurrent: boolean;
}

interface RotateOptions extends ConnectionOptions {
  readonly overlap: number;
}

/** The longest life of a token: nobody loses a token that they have. */
const overlapDefaultMs = 25 * 3_600_000;

/** `todoku key list-signing|rotate-signing`. */
export function registerSigningKeys(key: Command, io: CommandIo): void {
  withConnection(key.command("list-signing"))
    .description("list the keys that tokens of the environment are signed with")
    .action(async (options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", "/v1/signing-keys");
      const { signingKeys } = answer as { signingKeys: readonly SigningKeyJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : tableOf(signingKeys);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });

  withConnection(key.command("rotate-signing"))
    .description("sign tokens with a new key; tokens that were signed before are good for the overlap, then refused")
    .addOption(
      new Option("--overlap <span>", "how long: 0 (all tokens are void at once), 10m, ... 30d (default: 25h)")
        .argParser(toDurationMs)
        .default(overlapDefaultMs, "25h"),
    )
    .action(async (options: RotateOptions, command: Command) => {
      const body = { overlapSeconds: options.overlap / 1000 };
      const hints = { limit_exceeded: "todoku key list-signing shows when older ones retire" };
      const answer = await createClient(command, options, io).call("POST", "/v1/signing-keys", body, hints);
      const { kid } = answer as SigningKeyJson;
      const rest = options.overlap === 0 ? "at once" : `at ${new Date(Date.now() + options.overlap).toISOString()}`;
      const text = `tokens are signed with ${kid} from here on; those signed before are refused ${rest}`;
      io.stdout.write(`${options.json ? JSON.stringify(answer) : text}\n`);
    });
}

function tableOf(keys: readonly SigningKeyJson[]): string[] {
  const rows = keys.map(({ kid, createdAtMs, retiresAtMs, isCurrent }) => [
    ...[kid, isCurrent ? "yes" : "no", new Date(createdAtMs).toISOString()],
    retiresAtMs === null ? "-" : new Date(retiresAtMs).toISOString(),
  ]);
  return table(["SIGNING KEY", "SIGNS", "CREATED", "RETIRES"], rows);
}
