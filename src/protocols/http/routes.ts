import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context, Hono } from "hono";
import { methodNotAllowed } from "./errors.ts";

/** What node-server gives each call: Node's own request and response, HTTP/1.1 or the HTTP/2 compatibility objects. */
export interface NodeBindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

export type HttpApp = Hono<{ Bindings: NodeBindings }>;
export type HttpContext = Context<{ Bindings: NodeBindings }>;

/** Answers, or throws a TodokuError. */
type HttpHandler = (context: HttpContext) => Response | Promise<Response>;

/** By method. `HEAD` is answered as `GET` without the body. */
type Methods = Readonly<Partial<Record<"GET" | "POST" | "DELETE", HttpHandler>>>;

/** What paths lead to. A path segment `:name` is a parameter, percent-decoded. */
export type Routes = Readonly<Record<string, Methods>>;

/** Registers the routes; any other method on their paths is a 405 that says what is allowed. */
export function addRoutes(app: HttpApp, routes: Routes): void {
  for (const [path, methods] of Object.entries(routes)) {
    for (const [method, handler] of Object.entries(methods)) app.on(method, path, handler);
    const allowed = allowedMethods(methods);
    app.all(path, (context) => {
      context.env.outgoing.setHeader("allow", allowed);
      throw methodNotAllowed(context.req.method, allowed);
    });
  }
}

function allowedMethods(methods: Methods): string {
  const names = Object.keys(methods);
  if (methods.GET) names.splice(1, 0, "HEAD");
  return [...names, "OPTIONS"].join(", ");
}

/** A path parameter that the route is sure to have. */
export function parameter(context: HttpContext, name: string): string {
  return context.req.param(name) ?? "";
}
