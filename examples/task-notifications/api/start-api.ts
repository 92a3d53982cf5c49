import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { Hono } from "hono";
import type { Logger } from "pino";
import { names } from "../shared/names.ts";
import { Secrets } from "../shared/secrets.ts";
import { Todoku } from "../shared/todoku.ts";
import { ApiError } from "./api-error.ts";
import { Authorizer } from "./authorizer.ts";
import { type ApiEnvironment, commonHeaders, logRequests, refuseMethods } from "./headers.ts";
import { Issuer } from "./issuer.ts";
import { servePage } from "./page.ts";
import { type Rate, RateLimit } from "./rate-limit.ts";
import { postTask } from "./task-routes.ts";
import { getToken } from "./token-routes.ts";

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
  /** Origins of pages on other addresses than the API's own. */
  readonly allowedOrigins: readonly string[];
  /** The built page. */
  readonly pageDirectory: string;
  readonly taskRate?: Rate;
  readonly tokenRate?: Rate;
}

/** An API that accepts connections. */
export interface RunningApi {
  readonly url: string;
  /** Takes no more connections, and gives open requests three seconds to end. */
  close(): Promise<void>;
}

/** A hundred tasks in a row are fine, a flood is not. */
const defaultTaskRate: Rate = { burst: 120, perMinute: 120 };
/** A page needs three an hour; a user may have many, and reload them. */
const defaultTokenRate: Rate = { burst: 30, perMinute: 30 };
const closeGraceMs = 3000;
/** A request must be whole by then (slow loris). */
const requestTimeoutMs = 15_000;

/** @throws what `listen` throws. */
export async function startApi(options: ApiOptions, log: Logger): Promise<RunningApi> {
  const app = createApp(options, log);
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
    },
  };
}

function createApp(options: ApiOptions, log: Logger): Hono<ApiEnvironment> {
  const issuer = new Issuer(options.issuer);
  const { clientId, todokuUrl, keyFile } = options;
  const { cache: cacheName, taskQueue } = names;
  const credential = new Secrets({ todokuUrl, keyFile, log }).key(names.apiSecret);
  const authorizer = new Authorizer(issuer, clientId, log);
  const todokuPublicUrl = options.todokuPublicUrl ?? todokuUrl;
  const todoku = new Todoku(todokuUrl, credential);
  const taskRate = new RateLimit(options.taskRate ?? defaultTaskRate);
  const tokenRate = new RateLimit(options.tokenRate ?? defaultTokenRate);
  const page = servePage({
    directory: options.pageDirectory,
    async connectOrigins() {
      // Some providers have their endpoints elsewhere; while ours cannot be asked, nobody can sign in anyway.
      const { origins } = await issuer.discover().catch(() => ({ origins: [new URL(issuer.url).origin] }));
      return [new URL(todokuPublicUrl).origin, ...origins];
    },
  });

  const app = new Hono<ApiEnvironment>();
  app.use(logRequests(log), commonHeaders(options.allowedOrigins), refuseMethods());
  app.post("/task", postTask({ authorizer, rateLimit: taskRate, todoku, taskQueue, log }));
  const token = { authorizer, rateLimit: tokenRate, credential, todoku, todokuUrl, todokuPublicUrl, cacheName, log };
  app.get("/token", getToken(token));
  app.get("/config.json", (context) => context.json({ issuer: issuer.url, clientId, apiUrl: "" }));
  app.get("*", page);
  app.onError((error, context) => {
    if (error instanceof ApiError) return context.json({ message: error.message }, error.status, error.headers);
    log.error({ requestId: context.get("requestId"), err: error }, "a request failed");
    return context.json({ message: "Internal server error" }, 500);
  });
  return app;
}
