import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import type { Logger } from "pino";
import { ApiError } from "../../task-notifications/api/api-error.ts";
import { Authorizer } from "../../task-notifications/api/authorizer.ts";
import {
  type ApiEnvironment,
  commonHeaders,
  logRequests,
  refuseMethods,
} from "../../task-notifications/api/headers.ts";
import { Issuer } from "../../task-notifications/api/issuer.ts";
import { servePage } from "../../task-notifications/api/page.ts";
import { RateLimit } from "../../task-notifications/api/rate-limit.ts";
import { Secrets } from "../../task-notifications/shared/secrets.ts";
import { Caches } from "../shared/caches.ts";
import { names } from "../shared/names.ts";
import { getItems, getToken } from "./routes.ts";
import { Tokens } from "./tokens.ts";

/** How the API is run. */
export interface ApiOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Exactly as the identity provider writes it into its tokens. */
  readonly issuer: string;
  /** The audience of the ID tokens. */
  readonly clientId: string;
  readonly todokuUrl: string;
  /** Where a browser finds Todoku, when that differs. */
  readonly todokuPublicUrl?: string | undefined;
  /** Holds the bootstrap key. */
  readonly keyFile: string;
  /** The built page. */
  readonly pageDirectory: string;
}

/** An API that accepts connections. */
export interface RunningApi {
  readonly url: string;
  /** Takes no more connections, and gives open requests three seconds to end. */
  close(): Promise<void>;
}

/** Two calls for each view that a user opens, and again after each lost line. */
const rate = { burst: 120, perMinute: 120 };
const closeGraceMs = 3000;
/** A request must be whole by then (slow loris). */
const requestTimeoutMs = 15_000;

/** @throws what `listen` throws. */
export async function startApi(options: ApiOptions, log: Logger): Promise<RunningApi> {
  const { todokuUrl, keyFile } = options;
  const credential = new Secrets({ todokuUrl, keyFile, log }).key(names.apiSecret);
  const caches = new Caches(todokuUrl, credential);
  const app = createApp(options, new Tokens(todokuUrl, credential), caches, log);
  const serverOptions = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
  const server = createAdaptorServer({ fetch: app.fetch, serverOptions }) as Server;
  server.listen(options.port, options.host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      const timer = setTimeout(() => server.closeAllConnections(), closeGraceMs);
      await closed;
      clearTimeout(timer);
      caches.close();
    },
  };
}

function createApp(options: ApiOptions, tokens: Tokens, caches: Caches, log: Logger): Hono<ApiEnvironment> {
  const issuer = new Issuer(options.issuer);
  const { clientId, todokuUrl } = options;
  const todokuPublicUrl = options.todokuPublicUrl ?? todokuUrl;
  const authorizer = new Authorizer(issuer, clientId, log);
  const routes = { authorizer, rateLimit: new RateLimit(rate), tokens, caches, todokuPublicUrl, log };
  const page = servePage({
    directory: options.pageDirectory,
    async connectOrigins() {
      // Some providers have their endpoints elsewhere; while ours cannot be asked, nobody can sign in anyway.
      const { origins } = await issuer.discover().catch(() => ({ origins: [new URL(issuer.url).origin] }));
      return [new URL(todokuPublicUrl).origin, ...origins];
    },
  });

  const app = new Hono<ApiEnvironment>();
  app.use(logRequests(log), commonHeaders([]), refuseMethods());
  app.get("/token/:view/:id", getToken(routes));
  app.get("/items/:view/:id", getItems(routes));
  app.get("/config.json", (context) => context.json({ issuer: issuer.url, clientId, apiUrl: "" }));
  app.get("*", page);
  app.onError((error, context) => {
    if (error instanceof ApiError) return context.json({ message: error.message }, error.status, error.headers);
    log.error({ requestId: context.get("requestId"), err: error }, "a request failed");
    return context.json({ message: "Internal server error" }, 500);
  });
  return app;
}
