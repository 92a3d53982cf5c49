import { type Command, Option } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { toCount } from "./input.ts";
import { type CommandIo, printable, table } from "./io.ts";
import { pathOf, printRows, queryOf, titleOf, webhookHints } from "./webhook-shape.ts";

interface TestJson {
  readonly delivered: boolean;
  readonly status?: number;
  readonly latencyMs: number;
  readonly error?: string;
  readonly answer?: string;
}

interface DeliveriesOptions extends ConnectionOptions {
  readonly failures?: boolean;
  readonly limit?: number;
  readonly before?: number;
}

interface EntryJson {
  readonly number: number;
  readonly position: string;
  readonly topic: string;
  readonly atMs: number;
  readonly status?: number;
  readonly latencyMs: number;
}

interface DeliveryJson extends EntryJson {
  readonly outcome: string;
  readonly attempts: number;
  readonly replay?: boolean;
}

interface FailureJson extends EntryJson {
  readonly attempt: number;
  readonly error: string;
  readonly answer?: string;
}

/** `todoku webhook test|deliveries`. */
export function registerWebhookDeliveries(webhook: Command, io: CommandIo): void {
  registerTest(webhook, io);
  withConnection(webhook.command("deliveries"))
    .description("what became of the last messages, the newest first: delivered or dead")
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .option("--failures", "the attempts that failed instead, with what the receiver answered")
    .addOption(new Option("--limit <n>", "so many at most (default: 100)").argParser(toCount))
    .addOption(new Option("--before <n>", "those before this number").argParser(toCount))
    .action(async (cache: string, name: string, options: DeliveriesOptions, command: Command) => {
      const { failures, limit, before } = options;
      const path = `${pathOf(cache, name)}/${failures ? "failures" : "deliveries"}${queryOf({ limit, before })}`;
      const answer = await createClient(command, options, io).call("GET", path, undefined, webhookHints);
      if (failures) {
        const rows = (answer as { failures: readonly FailureJson[] }).failures;
        printRows(io, options.json, rows, failuresTable(rows));
      } else {
        const rows = (answer as { deliveries: readonly DeliveryJson[] }).deliveries;
        printRows(io, options.json, rows, deliveriesTable(rows));
      }
    });
}

function registerTest(webhook: Command, io: CommandIo): void {
  withConnection(webhook.command("test"))
    .description("deliver one made-up message now, once, with the header todoku-test; fails when it is not taken")
    .argument("<cache>", "name of the cache")
    .argument("<name>", "name of the webhook")
    .action(async (cache: string, name: string, options: ConnectionOptions, command: Command) => {
      const path = `${pathOf(cache, name)}/test`;
      const answer = await createClient(command, options, io).call("POST", path, undefined, webhookHints);
      const { delivered, status, latencyMs, error = "it was not delivered", answer: said } = answer as TestJson;
      const outcome = `${status === undefined ? "no answer" : `status ${status}`} after ${latencyMs} ms`;
      if (options.json) io.stdout.write(`${JSON.stringify(answer)}\n`);
      else if (delivered) io.stdout.write(`delivered: ${outcome}\n`);
      if (delivered) return;
      const quote = said === undefined || said === "" ? "" : `\nit answered: ${printable(said)}`;
      throw new Error(`${titleOf(cache, name)}: ${printable(error)} (${outcome})${quote}`);
    });
}

function deliveriesTable(rows: readonly DeliveryJson[]): string[] {
  const cells = rows.map(({ outcome, attempts, replay, ...entry }) => [
    ...commonCells(entry),
    printable(outcome) + (replay ? " (replay)" : ""),
    String(attempts),
    ...answerCells(entry),
  ]);
  return table([...commonTitles, "OUTCOME", "ATTEMPTS", "STATUS", "LATENCY"], cells);
}

function failuresTable(rows: readonly FailureJson[]): string[] {
  const cells = rows.map(({ attempt, error, answer, ...entry }) => [
    ...commonCells(entry),
    String(attempt),
    ...answerCells(entry),
    printable(answer === undefined || answer === "" ? error : `${error}: ${answer}`),
  ]);
  return table([...commonTitles, "ATTEMPT", "STATUS", "LATENCY", "ERROR"], cells);
}

const commonTitles = ["NUMBER", "TIME", "TOPIC", "POSITION"];

function commonCells({ number, atMs, topic, position }: EntryJson): string[] {
  return [String(number), new Date(atMs).toISOString(), printable(topic), printable(position)];
}

function answerCells({ status, latencyMs }: EntryJson): string[] {
  return [status === undefined ? "-" : String(status), `${latencyMs} ms`];
}
