import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { type ConnectionOptions, createClient, withConnection } from "./client.ts";
import { type CredentialJson, explainCredential } from "./credential-sentences.ts";
import { readText } from "./input.ts";
import type { CommandIo } from "./io.ts";

/** Of a token that is genuine but expired, or for somebody else, the reason says all. */
const hints = {
  unauthenticated: (reason: string) =>
    /not valid$|signature/.test(reason)
      ? "it is forged, cut off, of another server, or signed by a key that has retired"
      : undefined,
};

/** `todoku token inspect`. */
export function registerTokenInspect(token: Command, io: CommandIo): void {
  withConnection(token.command("inspect"))
    .description("say what a token or API key is, until when, and what it may do")
    .argument("[from]", "a file, or - for standard input (default: what is piped in, else $TODOKU_API_KEY)")
    .action(async (from: string | undefined, options: ConnectionOptions, command: Command) => {
      const credential = (await readCredential(command, from, io)).trim();
      if (credential === "") command.error("error: there is no credential: pipe one in, or name a file");
      const client = createClient(command, options, io);
      const answer = await client.call("POST", "/v1/tokens/inspect", { credential }, hints);
      const lines = options.json ? [JSON.stringify(answer)] : explainCredential(answer as CredentialJson, Date.now());
      for (const line of lines) io.stdout.write(`${line}\n`);
    });
}

async function readCredential(command: Command, from: string | undefined, io: CommandIo): Promise<string> {
  if (from === "-") return readText(command, "-", io);
  if (from !== undefined) {
    // The name is not repeated: it may be a token, pasted by mistake.
    return readFile(from, "utf8").catch(() =>
      command.error("error: the file cannot be read; a token itself is piped in"),
    );
  }
  const piped = io.stdin.isTTY ? "" : await readText(command, "-", io);
  return piped.trim() === "" ? (io.env.TODOKU_API_KEY ?? "") : piped;
}
