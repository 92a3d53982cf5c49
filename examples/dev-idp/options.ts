import { parseArgs } from "node:util";
import { isLoopbackAddress } from "./loopback.ts";
import type { IdpOptions } from "./start-idp.ts";

export const usage = `node examples/dev-idp/main.ts [options]

  --port <port>       PORT       port to listen on, 0 for any free one (3001)
  --host <host>       HOST       address to bind to (127.0.0.1)
  --issuer <url>      ISSUER     where browsers and APIs reach it (http://<host>:<port>)
  --data-dir <dir>    DATA_DIR   users, keys, sessions (.todoku/dev-idp)
  --client-id <id>    OIDC_CLIENT_ID  the app that signs in with it (task-notifications)
`;

type Log = IdpOptions["log"];

/**
 * Options of flags and environment variables; flags win. Undefined when help is asked for.
 * @throws Error that names the option, its value and what it must be.
 */
export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv, log: Log): IdpOptions | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { port: text, host: text, issuer: text, "data-dir": text, "client-id": text, help: { type: "boolean" } },
  });
  if (values.help) return undefined;
  const host = values.host ?? env.HOST ?? "127.0.0.1";
  if (host !== "localhost" && !isLoopbackAddress(host)) {
    log(`host ${host} can be reached from other machines, and everybody knows the password of the demo users`);
  }
  const issuer = values.issuer ?? env.ISSUER;
  return {
    port: parsePort(values.port ?? env.PORT ?? "3001"),
    host,
    issuer: issuer === undefined ? undefined : parseIssuer(issuer),
    dataDir: values["data-dir"] ?? env.DATA_DIR ?? ".todoku/dev-idp",
    clientId: parseClientId(values["client-id"] ?? env.OIDC_CLIENT_ID ?? "task-notifications"),
    log,
  };
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new Error(`port ${JSON.stringify(text)} must be a whole number from 0 to 65535`);
}

function parseIssuer(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "http:" && url.origin === text) return text;
  throw new Error(`issuer ${JSON.stringify(text)} must be http://host:port and nothing more: this server has no TLS`);
}

// RFC 6749, A.1: what a client id may consist of; a shorter length than anybody needs.
function parseClientId(text: string): string {
  if (/^[\x21-\x7e]{1,100}$/.test(text)) return text;
  throw new Error(`client id ${JSON.stringify(text)} must be 1 to 100 visible ASCII characters`);
}
