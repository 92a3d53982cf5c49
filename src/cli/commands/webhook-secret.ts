import { type Command, Option } from "commander";
import { checkSecretName } from "../../domain/secrets/secret.ts";
import { CallFailure, type Client, type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toDurationMs } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";
import { pathOf, titleOf, webhookHints } from "./webhook-shape.ts";

interface RotateOptions extends ConnectionOptions {
  readonly overlap?: number;
  readonly secret?: string;
}

/** `todoku webhook secret|rotate`. */
export function registerWebhookSecret(webhook: Command, io: CommandIo): void {
  withConnection(webhook.command("secret"))
    .description("print what a webhook signs with")
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .action(async (cache: string, name: string, options: ConnectionOptions, command: Command) => {
      const path = `${pathOf(cache, name)}/secret`;
      const answer = await createClient(command, options, io).call("GET", path, undefined, webhookHints);
      const { secret } = answer as { secret: string };
      io.stdout.write(`${options.json ? JSON.stringify(answer) : secret}\n`);
    });

  withConnection(webhook.command("rotate"))
    .description("give a webhook a new secret and print it; for a while the one before signs too")
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .addOption(
      new Option("--overlap <span>", "how long both sign: 10m, 24h, at most 7d (default: 24h)").argParser(toDurationMs),
    )
    .option("--secret <name>", "put it into the secret of this name instead of printing it")
    .action(async (cache: string, name: string, options: RotateOptions, command: Command) => {
      const { overlap, secret: intoSecret, json } = options;
      if (intoSecret !== undefined) checkSecretName(intoSecret);
      const client = createClient(command, options, io);
      const body = { overlapSeconds: overlap === undefined ? undefined : overlap / 1000 };
      const answer = await client.call("POST", `${pathOf(cache, name)}/rotate`, body, webhookHints);
      const { secret: value } = answer as { secret: string };
      const title = `${titleOf(cache, name)} has a new secret`;
      await printSecret({ client, io, value, intoSecret, title, json: json ? {} : undefined });
      if (intoSecret === undefined && !json) {
        io.stderr.write("copies in the secret store are not changed; --secret NAME changes one\n");
      }
    });
}

interface Printed {
  readonly client: Client;
  readonly io: CommandIo;
  /** What a webhook signs with. */
  readonly value: string;
  /** Name of the secret that is to hold it; undefined: it is printed. */
  readonly intoSecret: string | undefined;
  /** What was done. */
  readonly title: string;
  /** What else to print as JSON; undefined: text. */
  readonly json: object | undefined;
}

/** Prints what a webhook signs with, or puts it into a secret: then it is not printed. @throws CallFailure. */
export async function printSecret({ client, io, value, intoSecret, title, json }: Printed): Promise<void> {
  if (intoSecret === undefined) {
    io.stdout.write(`${json ? JSON.stringify({ ...json, secret: value }) : value}\n`);
    if (!json) io.stderr.write(`${title}; it signs with what was printed\n`);
    return;
  }
  const secretVersion = await keepSecret(client, intoSecret, value);
  const kept = `it signs with version ${secretVersion} of secret ${printable(intoSecret)}`;
  io.stdout.write(`${json ? JSON.stringify({ ...json, secretVersion }) : `${title}; ${kept}`}\n`);
}

/** The version of the secret that holds `value`: a new one unless the current one does. */
async function keepSecret(client: Client, name: string, value: string): Promise<number> {
  const path = `/v1/secrets/${encodeURIComponent(name)}`;
  const hint = "the webhook itself is done; todoku webhook secret prints what the secret should hold";
  const hints = { permission_denied: hint, unavailable: hint, limit_exceeded: hint, invalid_argument: hint };
  try {
    const current = (await client.call("GET", path, undefined, hints)) as { value: string; version: number };
    if (current.value === value) return current.version;
  } catch (error) {
    // Who may write it need not be allowed to read it.
    if (!(error instanceof CallFailure) || !["not_found", "permission_denied"].includes(error.code ?? "")) throw error;
  }
  return ((await client.call("POST", path, { value }, hints)) as { version: number }).version;
}
