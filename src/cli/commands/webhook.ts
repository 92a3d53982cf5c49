import type { Command } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { type CommandIo, printable, processIo, table } from "./io.ts";
import { registerWebhookDeadLetters } from "./webhook-dead-letters.ts";
import { registerWebhookDeliveries } from "./webhook-deliveries.ts";
import { registerWebhookPut } from "./webhook-put.ts";
import { registerWebhookSecret } from "./webhook-secret.ts";
import {
  pathOf,
  queryOf,
  titleOf,
  type WebhookJson,
  webhookHints,
  webhookTable,
  withoutQuery,
} from "./webhook-shape.ts";

interface WebhookInfoJson extends WebhookJson {
  readonly circuit: string;
  readonly overlap?: { readonly endsAtMs: number; readonly receiverIsBehind: boolean };
  readonly cursor: string;
  readonly waiting?: number;
  readonly counters: Readonly<Record<"delivered" | "failures" | "dead" | "replayed" | "dropped" | "missed", number>>;
  readonly deadLetters: { readonly count: number; readonly bytes: number; readonly replaying: number };
}

const cacheHints = { not_found: "todoku cache list shows the caches there are" };

/** `todoku webhook put|list|show|delete|pause|resume|secret|rotate|test|deliveries|dead|replay|drop`. */
export function registerWebhook(program: Command, io: CommandIo = processIo): void {
  const webhook = program.command("webhook").description("deliver what is published on a topic to a URL");
  registerWebhookPut(webhook, io);
  registerLooks(webhook, io);
  registerDelete(webhook, io);
  registerPause(webhook, io, "pause", "deliver nothing until resume; the topic keeps what is due, as long as it can");
  registerPause(webhook, io, "resume", "deliver again, from where it was paused");
  registerWebhookSecret(webhook, io);
  registerWebhookDeliveries(webhook, io);
  registerWebhookDeadLetters(webhook, io);
}

function registerLooks(webhook: Command, io: CommandIo): void {
  withConnection(webhook.command("list"))
    .description("list the webhooks that the credential may see, without the queries of their URLs")
    .argument("[cache]", "of this cache only")
    .action(async (cache: string | undefined, options: ConnectionOptions, command: Command) => {
      const path = `/v1/webhooks${queryOf({ cache })}`;
      const answer = await createClient(command, options, io).call("GET", path, undefined, cacheHints);
      const { webhooks } = answer as { webhooks: readonly WebhookJson[] };
      const lines = options.json ? [JSON.stringify(answer)] : webhookTable(webhooks, withoutQuery);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });

  withConnection(webhook.command("show"))
    .description("show a webhook with its whole URL, how far it has come, and what became of its deliveries")
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .action(async (cache: string, name: string, options: ConnectionOptions, command: Command) => {
      const answer = await createClient(command, options, io).call("GET", pathOf(cache, name), undefined, webhookHints);
      const lines = options.json ? [JSON.stringify(answer)] : details(answer as WebhookInfoJson);
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

function registerDelete(webhook: Command, io: CommandIo): void {
  withConnection(webhook.command("delete"))
    .description("delete a webhook with its dead letters; the topic and its messages stay")
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .action(async (cache: string, name: string, options: ConnectionOptions, command: Command) => {
      await createClient(command, options, io).call("DELETE", pathOf(cache, name), undefined, webhookHints);
      const text = options.json ? JSON.stringify({ deleted: { cache, name } }) : `deleted ${titleOf(cache, name)}`;
      io.stdout.write(`${text}\n`);
    });
}

function registerPause(webhook: Command, io: CommandIo, verb: "pause" | "resume", description: string): void {
  withConnection(webhook.command(verb))
    .description(description)
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .action(async (cache: string, name: string, options: ConnectionOptions, command: Command) => {
      const path = `${pathOf(cache, name)}/${verb}`;
      const answer = await createClient(command, options, io).call("POST", path, undefined, webhookHints);
      io.stdout.write(`${options.json ? JSON.stringify(answer) : `${verb}d ${titleOf(cache, name)}`}\n`);
    });
}

function details({ circuit, cursor, waiting, overlap, counters, deadLetters, ...webhook }: WebhookInfoJson): string[] {
  const { delivered, failures, dead, replayed, dropped, missed } = counters;
  const { count, bytes, replaying } = deadLetters;
  return [
    ...webhookTable([webhook], (url) => url),
    "",
    ...table(
      ["CIRCUIT", "CURSOR", "WAITING", "DEAD LETTERS", "BYTES", "REPLAYING"],
      [[printable(circuit), printable(cursor), waiting ?? "-", count, bytes, replaying].map(String)],
    ),
    "",
    ...table(
      ["DELIVERED", "FAILED ATTEMPTS", "DEAD", "REPLAYED", "DROPPED", "MISSED"],
      [[delivered, failures, dead, replayed, dropped, missed].map(String)],
    ),
    ...(overlap ? ["", sentenceOf(overlap)] : []),
  ];
}

function sentenceOf({ endsAtMs, receiverIsBehind }: NonNullable<WebhookInfoJson["overlap"]>): string {
  const receiver = receiverIsBehind ? "; its receiver still verifies with one" : "";
  return `former secrets sign too until ${new Date(endsAtMs).toISOString()}${receiver}`;
}
