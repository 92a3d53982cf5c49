import { TodokuError } from "../../domain/errors.ts";
import { checkName } from "../../domain/names.ts";
import { checkWebhookName } from "../../domain/subscriptions/webhook-checks.ts";
import { type CommandIo, printable, table } from "./io.ts";

/** A webhook as the server lists it. */
export interface WebhookJson {
  readonly cache: string;
  readonly name: string;
  readonly topic: string;
  readonly url: string;
  readonly ordered: boolean;
  readonly paused?: { readonly reason: string; readonly atMs: number };
  readonly createdAtMs: number;
}

/** What helps when a webhook is missing. */
export const webhookHints = { not_found: "todoku webhook list shows the webhooks there are" };

/** The address of a webhook. @throws TodokuError `invalid_argument`: with these names it would be the address of something else. */
export function pathOf(cache: string, name: string): string {
  checkName("cache", cache);
  if (cache === "." || cache === "..") {
    throw new TodokuError("invalid_argument", `no address of a webhook can hold the cache name "${cache}"`);
  }
  checkWebhookName(name);
  return `/v1/webhooks/${encodeURIComponent(cache)}/${encodeURIComponent(name)}`;
}

/** A URL without its query, in which receivers often want a token: plans and lists stand in the logs of builds. */
export function withoutQuery(url: string): string {
  const at = url.indexOf("?");
  return at === -1 ? url : `${url.slice(0, at)}?...`;
}

/** `webhook n of cache c`. */
export function titleOf(cache: string, name: string): string {
  return printable(`webhook ${name} of cache ${cache}`);
}

/** One row for each. `urlOf`: how much of the URL is shown. */
export function webhookTable(webhooks: readonly WebhookJson[], urlOf: (url: string) => string): string[] {
  const rows = webhooks.map(({ cache, name, topic, url, ordered, paused }) => [
    ...[cache, name, topic].map(printable),
    ordered ? "yes" : "no",
    paused === undefined ? "active" : `paused (${paused.reason})`,
    printable(urlOf(url)),
  ]);
  return table(["CACHE", "NAME", "TOPIC", "ORDERED", "STATE", "URL"], rows);
}

/** Rows of a log, one object a line with `--json`. */
export function printRows(io: CommandIo, isJson: boolean | undefined, rows: readonly unknown[], lines: string[]): void {
  for (const line of isJson ? rows.map((row) => JSON.stringify(row)) : lines) io.stdout.write(`${line}\n`);
}

/** Without what is undefined. */
export function queryOf(parameters: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}
