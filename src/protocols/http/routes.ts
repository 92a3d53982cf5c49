import type { Hono } from "hono";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { check } from "../check.ts";
import { holdOf } from "../uploads.ts";
import { readJson, refuseForms } from "./body.ts";
import { authenticate } from "./caller.ts";
import { methodNotAllowed } from "./errors.ts";
import type { HttpContext, NodeBindings, Operation } from "./operation.ts";
import type { HttpParts } from "./options.ts";

export type HttpApp = Hono<{ Bindings: NodeBindings }>;

/** By method. `HEAD` is answered as `GET` without the body. */
type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What paths lead to. A path segment `:name` is a parameter, percent-decoded. */
export type Routes = Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;

/** Registers the routes; any other method on their paths is a 405 that says what is allowed. */
export function addRoutes(app: HttpApp, routes: Routes, parts: HttpParts): void {
  for (const [path, operations] of Object.entries(routes)) {
    for (const [method, operation] of Object.entries(operations)) {
      app.on(method, path, (context) => run(operation, context, parts));
    }
    const allowed = allowedMethods(path, Object.keys(operations));
    app.all(path, (context) => {
      context.env.outgoing.setHeader("allow", allowed);
      throw methodNotAllowed(context.req.method, allowed);
    });
  }
}

/** Finds out who calls, checks what was sent by the operation's own schemas, and only then runs it. */
async function run(operation: Operation, context: HttpContext, parts: HttpParts): Promise<Response> {
  const { incoming } = context.env;
  const principal = operation.caller === "none" ? undefined : await authenticate(parts, context);
  checkEncoding(incoming.url);
  const { path, query, headers } = readParameters(operation, context);
  const bodyMaxBytes = operation.bodyMaxBytes?.(parts, principal) ?? limits.http.jsonBodyMaxBytes;
  // What changes nothing may say of a body it does not have what it likes.
  if (!operation.body && !["GET", "HEAD"].includes(context.req.method)) refuseForms(incoming);
  const body =
    operation.body && (await readJson(incoming, operation.body, bodyMaxBytes, holdOf(incoming, parts.wheel)));
  // A body may take a minute: who sends it slowly must not act with a key that was deleted meanwhile. Tickets come without a body.
  if (principal && operation.body) parts.auth.recheck(principal);
  return operation.handle({ principal, path, query, headers, body, context, parts });
}

/** What is no percent-encoded UTF-8 would else be taken as it stands: `%ff` and `%25ff` would be one name. */
function checkEncoding(url = ""): void {
  try {
    decodeURIComponent(url.split("?", 1)[0] ?? "");
  } catch {
    throw new TodokuError("invalid_argument", "the path is no percent-encoded UTF-8");
  }
}

function readParameters({ path, query, headers }: Operation, { req }: HttpContext) {
  const sentHeaders = Object.keys(headers?.shape ?? {}).map((name) => [name, req.header(name)]);
  return {
    path: path ? check(path, req.param(), "the path") : {},
    query: query ? check(query, req.query(), "the query") : {},
    headers: headers ? check(headers, Object.fromEntries(sentHeaders), "the headers") : {},
  };
}

/** `OPTIONS` is answered where pages of other origins may call. */
function allowedMethods(path: string, methods: readonly string[]): string {
  const answered = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  return [...answered, ...(path.startsWith("/v1/") ? ["OPTIONS"] : [])].join(", ");
}
