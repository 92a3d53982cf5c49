import type Provider from "oidc-provider";
import { limits } from "../limits.ts";

type Middleware = Parameters<Provider["use"]>[0];

/** One request and its answer, as Koa gives them. */
export type Context = Parameters<Middleware>[0];

/** A page and its path; what the path captures is given to `handle`. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  handle(ctx: Context, captured: string): void | Promise<void>;
}

/** Something that the person at the browser is to be told on a page of its own. */
export class PageError extends Error {
  readonly status: number;
  readonly heading: string;

  constructor(status: number, heading: string, message: string) {
    super(message);
    this.status = status;
    this.heading = heading;
  }
}

/** The route of this request; undefined when the path is none of ours. */
export function findRoute(routes: readonly Route[], ctx: Context): { route: Route; captured: string } | undefined {
  const matches = routes.flatMap((route) => {
    const match = route.path.exec(ctx.path);
    return match === null ? [] : [{ route, captured: match[1] ?? "" }];
  });
  if (matches.length === 0) return undefined;
  const method = ctx.method === "HEAD" ? "GET" : ctx.method;
  const found = matches.find(({ route }) => route.method === method);
  if (found) return found;
  ctx.set("Allow", matches.map(({ route }) => route.method).join(", "));
  throw new PageError(405, "Not allowed", "This page does not take that kind of request.");
}

/** The fields of a submitted form. */
export async function readForm(ctx: Context): Promise<URLSearchParams> {
  if (!ctx.is("application/x-www-form-urlencoded")) {
    throw new PageError(415, "Not a form", "Send the form as application/x-www-form-urlencoded.");
  }
  const chunks: Buffer[] = [];
  let size = 0;
  // Without destroyOnReturn the refusal below would cut the connection before its answer is sent.
  for await (const chunk of ctx.req.iterator({ destroyOnReturn: false })) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limits.formMaxBytes) {
      ctx.set("Connection", "close");
      throw new PageError(413, "Too much", `A form may have ${limits.formMaxBytes} bytes at most.`);
    }
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

export function sendPage(ctx: Context, page: string, status = 200): void {
  ctx.status = status;
  ctx.type = "html";
  ctx.body = page;
}

/** To another page, to be fetched with GET. */
export function redirect(ctx: Context, address: string): void {
  ctx.status = 303;
  ctx.redirect(address);
}
