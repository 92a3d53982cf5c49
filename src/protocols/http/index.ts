// The HTTP door: our JSON API under /v1, topics as server-sent events, health and metrics. JSON calls go through Hono; event
// streams are written to the Node response directly. Works with HTTP/1.1 and with Node's HTTP/2 compatibility objects.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { connectionOf, endConnection } from "../../lib/end-connection.ts";
import { Heartbeats } from "../../lib/heartbeats.ts";
import { redactUrl } from "../../lib/redact-url.ts";
import { routes } from "./api.ts";
import { headersOf, noSuchRoute, toProblem } from "./errors.ts";
import { answerPreflight, isPreflight, setCommonHeaders } from "./headers.ts";
import { buildOpenApi } from "./openapi.ts";
import type { NodeBindings } from "./operation.ts";
import type { HttpOptions } from "./options.ts";
import { addRoutes } from "./routes.ts";

export type { HttpOptions } from "./options.ts";

/** For event streams: well inside the 60 s after which proxies close a silent line. */
const heartbeat = { roundMs: 15 * limits.heartbeatMs, turns: 15 };

/** Takes every HTTP request that no other door claims. */
export interface HttpDoor {
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Stops the heartbeats. Open event streams end with `topics.closeAll`. */
  close(): void;
}

export function createHttpDoor(options: HttpOptions): HttpDoor {
  const heartbeats = new Heartbeats(options.wheel, heartbeat);
  const onInternalError = (error: TodokuError, { method, url = "" }: IncomingMessage): string => {
    const instance = `urn:uuid:${randomUUID()}`;
    options.log.error(
      { area: "http", instance, method, url: redactUrl(url), err: error.cause ?? error },
      "an HTTP call failed",
    );
    return instance;
  };

  let openApi: string | undefined;
  const app = new Hono<{ Bindings: NodeBindings }>();
  addRoutes(app, routes, {
    ...options,
    heartbeats,
    openApi: () => (openApi ??= JSON.stringify(buildOpenApi(routes, options.version))),
    onInternalError,
  });
  app.notFound(() => toResponse(noSuchRoute()));
  app.onError(async (error, context) => {
    const known = toTodokuError(error);
    const { incoming, outgoing } = context.env;
    const connection = connectionOf(incoming, outgoing);
    if (options.connectionGuard?.refused(known, connection, incoming.socket.remoteAddress)) endConnection(outgoing);
    if (known.retryAfterMs !== undefined) await options.wheel.wait(limits.rates.refusalDelayMs);
    return toResponse(known, known.code === "internal" ? onInternalError(known, incoming) : undefined);
  });

  // Node-server replaces the global Response by its own subclass: without it each JSON answer goes through a web stream.
  const listener = getRequestListener((request, env) => app.fetch(request, env as unknown as NodeBindings), {
    // Load balancers of HTTP/1.0 send no Host. It only completes the address; who the caller is comes from the header.
    hostname: "localhost",
    errorHandler: () => toResponse(new TodokuError("invalid_argument", "the request's address or Host is not valid")),
  });
  return {
    handle(request, response) {
      response.on("error", () => {}); // `close` follows
      setCommonHeaders(request, response);
      if (isPreflight(request)) answerPreflight(response);
      else void listener(request, response);
    },
    close: () => heartbeats.stop(),
  };
}

function toResponse(error: TodokuError, instance?: string): Response {
  const problem = toProblem(error, instance);
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { "content-type": "application/problem+json", ...headersOf(error) },
  });
}
