import { type Command, Option } from "commander";
import { checkSecretName } from "../../domain/secrets/secret.ts";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { readText } from "./input.ts";
import { type CommandIo, printable } from "./io.ts";
import { printSecret } from "./webhook-secret.ts";
import { pathOf, titleOf, type WebhookJson, withoutQuery } from "./webhook-shape.ts";

interface PutOptions extends ConnectionOptions {
  readonly topic: string;
  readonly to: string;
  readonly ordered?: true;
  readonly unordered?: true;
  readonly secret?: string;
}

/** `todoku webhook put`. */
export function registerWebhookPut(webhook: Command, io: CommandIo): void {
  withConnection(webhook.command("put"))
    .description(
      "make a webhook, or change it, and print what it signs with; a changed one keeps its secret and its place",
    )
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .requiredOption("--topic <topic>", "the topic whose messages are delivered, from the next one on")
    .requiredOption("--to <url>", "where they go; - reads it from stdin, for other users see arguments")
    .addOption(new Option("--unordered", "one message that fails does not hold up the others").conflicts("ordered"))
    .option("--ordered", "one after the other (default: as it was; a new one is ordered)")
    .option("--secret <name>", "put what it signs with into the secret of this name instead of printing it")
    .action(async (cache: string, name: string, options: PutOptions, command: Command) => {
      const { topic, to, ordered, unordered, secret } = options;
      const path = pathOf(cache, name);
      if (secret !== undefined) checkSecretName(secret);
      const url = await readText(command, to, io);
      const client = createClient(command, options, io);
      const body = { topic, url, ordered: ordered ?? (unordered ? false : undefined) };
      const hints = { not_found: `create the cache with: todoku cache create ${printable(cache)}` };
      const answer = await client.call("PUT", path, body, hints);
      const { webhook: made, secret: value } = answer as { webhook: WebhookJson; secret: string };
      const title = `${titleOf(cache, name)} delivers ${printable(topic)} to ${printable(withoutQuery(made.url))}`;
      await printSecret({
        client,
        io,
        value,
        intoSecret: secret,
        title,
        json: options.json ? { webhook: made } : undefined,
      });
    });
}
