import type { Command } from "commander";
import { loadFor, withConfigFlags } from "./config-flags.ts";
import { runServer } from "./run-server.ts";

/** `todoku start`: a server for production. It starts only when nothing of dev mode is left open. */
export function registerStart(program: Command): void {
  const command = program
    .command("start")
    .description("start a server for production, on a data directory that `todoku init` has made");
  withConfigFlags(command, "production").action(async (options: Record<string, unknown>) => {
    const { url } = await runServer("production", () => loadFor("production", options, process.env));
    process.stdout.write(`Todoku listens on ${url}\n`);
  });
}
