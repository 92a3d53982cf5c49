import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { join, resolve } from "node:path";
import { limits } from "./limits.ts";
import { Outbox } from "./outbox.ts";
import { createProvider } from "./provider.ts";
import { SignUps } from "./sign-ups.ts";
import { interactionRoutes } from "./site/interactions.ts";
import { createSite } from "./site/site.ts";
import { openKeys } from "./state/keys.ts";
import { Records } from "./state/records.ts";
import { Users } from "./state/users.ts";

export interface IdpOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host: string;
  /** Where browsers and APIs reach it, `http://host:port`; undefined: the bound address. */
  readonly issuer?: string | undefined;
  /** Users, keys, sessions; made with mode 0700. */
  readonly dataDir: string;
  readonly clientId: string;
  /** Gets one line at a time, never a secret. */
  readonly log: (line: string) => void;
}

export interface RunningIdp {
  readonly issuer: string;
  /** Cuts open requests off, frees the port and the data directory. */
  close(): Promise<void>;
}

/**
 * Starts the identity provider.
 * @throws Error with a sentence for the developer: the port is taken, the data directory is in use or holds something else.
 */
export async function startIdp(options: IdpOptions): Promise<RunningIdp> {
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const records = new Records(join(dataDir, "records.sqlite"));
  try {
    const keys = await openKeys(join(dataDir, "keys.json"));
    const users = await Users.open(join(dataDir, "users.json"));
    const server = await listen(options);
    const issuer = options.issuer ?? addressOf(server, options.host);
    const { clientId, log } = options;

    const outbox = new Outbox(log);
    const signUps = new SignUps(users, outbox, issuer);
    const provider = createProvider({ issuer, clientId, keys, users, records, log });
    const interactions = interactionRoutes({ provider, users, signUps, cookieKey: keys.cookieKey });
    provider.use(createSite({ issuer, outbox, signUps, log }, interactions));
    server.on("request", provider.callback());

    const sweeper = setInterval(() => records.sweep(), limits.sweepMs).unref();
    return {
      issuer,
      async close() {
        clearInterval(sweeper);
        const closed = once(server, "close");
        server.close();
        server.closeAllConnections();
        await closed;
        records.close();
      },
    };
  } catch (error) {
    records.close();
    throw error;
  }
}

async function listen({ port, host }: IdpOptions): Promise<Server> {
  const server = createServer({ requestTimeout: limits.requestMaxMs });
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new Error(`port ${port} of ${host} is taken (EADDRINUSE): choose another one with PORT or --port`);
  }
  return server;
}

function addressOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return `http://${isIPv6(reachable) ? `[${reachable}]` : reachable}:${port}`;
}
