import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { type DevTls, makeDevTls } from "../../src/cli/commands/tls-dev.ts";
import type { ConfigInput } from "../../src/config/schema.ts";
import { aDirectory, aServer } from "./server.ts";

/** A name that no DNS knows: whoever dials it has been told where it leads. */
export const host = "momento.test";

/** A private CA and a certificate for `momento.test`, as `todoku tls dev` makes them, and the CA as text. */
export async function aCertificate(overrides: { out?: string; nowMs?: number } = {}) {
  const directory = await aDirectory();
  const { out = directory.path, nowMs = Date.now() } = overrides;
  const made: DevTls = await makeDevTls({ endpoint: host, out, names: [], nowMs });
  return { ...made, ca: await readFile(made.caFile, "utf8"), [Symbol.asyncDispose]: directory[Symbol.asyncDispose] };
}

/** A finished handshake with a server on loopback that must be `momento.test`. Rejects with what is wrong. */
export async function secureSocket(
  port: number,
  ca: string,
  options: ConnectionOptions = {},
): Promise<TLSSocket & Disposable> {
  const socket = connect({ host: "127.0.0.1", port, ca, servername: host, ...options });
  await once(socket, "secureConnect");
  return Object.assign(socket, { [Symbol.dispose]: () => void socket.destroy() });
}

/** Runs curl, which must trust `caFile` only; any name leads to loopback. Resolves with what it printed. */
export async function curl(caFile: string, port: number, args: readonly string[]): Promise<string> {
  const shared = ["--silent", "--show-error", "--cacert", caFile, "--connect-to", `::127.0.0.1:${port}`];
  return (await promisify(execFile)("curl", [...shared, ...args])).stdout;
}

/**
 * A server of this process that speaks TLS only, on a free port of loopback, and names itself `momento.test` with that port;
 * its API keys need nothing else.
 */
export async function aTlsServer(overrides: Omit<ConfigInput, "tls" | "port"> = {}) {
  const certificate = await aCertificate();
  const { certFile, keyFile, ca } = certificate;
  const port = await aFreePort();
  const endpoint = `${host}:${port}`;
  const tls = { certFile, keyFile, plaintext: "never" } as const;
  const server = await aServer({ devKey: true, port, publicEndpoint: endpoint, tls, ...overrides });
  return {
    ...{ server, certificate, endpoint, port, ca },
    /** One call of the JSON API. Rejects for an answer that is an error. */
    call: (method: string, path: string, body?: unknown) =>
      callJson({ host: "127.0.0.1", servername: host, port, ca, method, path }, server.devKey ?? "", body),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await certificate[Symbol.asyncDispose]();
    },
  };
}

async function aFreePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await once(server.close(), "close");
  return port;
}

async function callJson(options: RequestOptions, key: string, body: unknown): Promise<unknown> {
  const sent = request({
    ...options,
    agent: false,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const text = (await response.setEncoding("utf8").toArray()).join("");
  if ((response.statusCode ?? 0) >= 300) throw new Error(`${response.statusCode}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}
