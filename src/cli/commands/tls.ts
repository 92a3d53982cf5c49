import { isIP } from "node:net";
import type { Command } from "commander";
import { type CommandIo, processIo } from "./io.ts";
import type { DevTls } from "./tls-dev.ts";

interface DevOptions {
  readonly endpoint: string;
  readonly out: string;
  readonly name?: readonly string[];
  readonly json?: true;
}

/** `todoku tls dev`: a certificate for local work. */
export function registerTls(program: Command, io: CommandIo = processIo): void {
  program
    .command("tls")
    .description("certificates for local work")
    .command("dev")
    .description("make a private CA, or use the one that is there, and a certificate for a server of your own")
    .option("--endpoint <host:port>", "what clients dial, and what keys and tokens name", "localhost:8443")
    .option("--out <dir>", "directory for the files; made with mode 0700", ".todoku/tls")
    .option("--name <name...>", "more names or addresses of the server")
    .option("--json", "print JSON")
    .action(async ({ endpoint, out, name = [], json }: DevOptions) => {
      // Loaded here: the library for certificates takes a tenth of a second, and changes the global Reflect.
      const { makeDevTls } = await import("./tls-dev.ts");
      const made = await makeDevTls({ endpoint, out, names: name, nowMs: Date.now() });
      const { expiresAtMs, ...fields } = made;
      const text = json
        ? JSON.stringify({ ...fields, expiresAt: new Date(expiresAtMs).toISOString() })
        : nextSteps(made, name).join("\n");
      io.stdout.write(`${text}\n`);
    });
}

/** What to do with what was made, to be pasted. */
function nextSteps(made: DevTls, names: readonly string[]): string[] {
  const { endpoint, caFile, certFile, keyFile, hosts, expiresAtMs, isNewCa } = made;
  const [host = "", port = "443"] = endpoint.split(":");
  const more = names.filter((name) => isIP(name) === 0);
  return [
    `A certificate for ${endpoint} until ${new Date(expiresAtMs).toISOString()}, by ${isNewCa ? "a new CA" : "the CA that was there"}:`,
    `  ${caFile}`,
    "The CA can sign for nothing but these names. Its key beside it must stay on this machine.",
    "",
    "1. Start the server with it:",
    `  todoku dev --port ${port} --tls-cert ${certFile} --tls-key ${keyFile} --public-endpoint ${endpoint}`,
    "",
    `2. Let clients trust the CA${isNewCa ? "" : " (done, if it was before)"}:`,
    `  Node, before it starts   export NODE_EXTRA_CA_CERTS=${caFile}`,
    `  curl                     curl --cacert ${caFile} https://${endpoint}/health/ready`,
    `  Chromium on Linux        certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n ${host} -i ${caFile}`,
    `  macOS                    security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db ${caFile}`,
    `  Windows                  certutil -user -addstore Root ${caFile}`,
    "  Firefox                  Settings, Certificates, View Certificates, Authorities, Import",
    "",
    "3. Let the names lead to the server, here in /etc/hosts:",
    `  127.0.0.1 ${[...hosts, ...more].join(" ")}`,
  ];
}
