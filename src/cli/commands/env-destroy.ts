import type { Command } from "commander";
import { type ConnectionOptions, createClient, withServer } from "./client.ts";
import type { CommandIo } from "./io.ts";

const hints = {
  not_found: "todoku env list shows the environments there are",
  unavailable: "nobody gets into it any more; the server goes on by itself",
};

/** `todoku env destroy`. */
export function registerEnvDestroy(env: Command, io: CommandIo): void {
  withServer(env.command("destroy"))
    .description("destroy an environment with all that is in it; ends when nothing is left")
    .argument("<name>", "name of the environment")
    .option("--yes", "do not ask for its name first")
    .action(async (name: string, options: ConnectionOptions & { yes?: boolean }, command: Command) => {
      const client = createClient(command, options, io);
      if (!options.yes) await confirm(command, name, io);
      await client.call("DELETE", `/v1/environments/${encodeURIComponent(name)}`, undefined, hints);
      io.stdout.write(`${options.json ? JSON.stringify({ destroyed: name }) : `destroyed environment ${name}`}\n`);
    });
}

/** Ends the command unless somebody at a terminal types the name. */
async function confirm(command: Command, name: string, io: CommandIo): Promise<void> {
  if (io.stdin.isTTY !== true) command.error("error: nobody is at a terminal to be asked: add --yes");
  io.stderr.write(`all of environment ${name} will be gone; its name, to go on: `);
  const typed = await readLine(io);
  if (typed !== name) command.error("error: that is not its name; nothing was done");
}

async function readLine({ stdin }: CommandIo): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stdin) {
    text += decoder.decode(chunk, { stream: true });
    if (text.includes("\n")) break;
  }
  return text.split(/\r?\n/, 1)[0] ?? "";
}
