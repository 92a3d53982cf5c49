import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toDurationMs } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";

interface RotateOptions extends ConnectionOptions {
  readonly secret: string;
  readonly overlap: number;
}

interface RotatedJson {
  readonly keyId: string;
  readonly secretVersion: number;
  readonly oldKeyId: string;
  readonly oldExpiresAtMs: number;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

const hints = {
  not_found: "todoku secret list shows the secrets of the environment",
  unavailable: "run it again: what is half done is finished then",
};

/** `todoku key rotate --secret NAME --overlap 10m`: for cron. */
export function registerKeyRotate(key: Command, io: CommandIo): void {
  withConnection(key.command("rotate"))
    .description("put a new API key with the same rights in the place of the one that a secret holds")
    .requiredOption("--secret <name>", "name of the secret that holds the key")
    .addOption(
      new Option("--overlap <span>", "how long the old key goes on: 10m, 1h, at most 7d")
        .argParser(toDurationMs)
        .default(600_000, "10m"),
    )
    .action(async (options: RotateOptions, command: Command) => {
      const body = { secret: options.secret, overlapSeconds: options.overlap / 1000 };
      const answer = await createClient(command, options, io).call("POST", "/v1/keys/rotate", body, hints);
      const { keyId, secretVersion, oldKeyId, oldExpiresAtMs, accessKeyId, secretAccessKey } = answer as RotatedJson;
      const lines = [
        `key ${keyId} is version ${secretVersion} of secret ${printable(options.secret)}`,
        `key ${oldKeyId} ends at ${new Date(oldExpiresAtMs).toISOString()}`,
        ...(accessKeyId === undefined
          ? []
          : [`AWS_ACCESS_KEY_ID=${accessKeyId}`, `AWS_SECRET_ACCESS_KEY=${secretAccessKey}`]),
      ];
      io.stdout.write(`${options.json ? JSON.stringify(answer) : lines.join("\n")}\n`);
    });
}
