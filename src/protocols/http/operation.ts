import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";
import type { z } from "zod";
import type { Principal } from "../../domain/auth/principal.ts";
import type { HttpParts } from "./options.ts";

/** What node-server gives each call: Node's own request and response, HTTP/1.1 or the HTTP/2 compatibility objects. */
export interface NodeBindings {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

export type HttpContext = Context<{ Bindings: NodeBindings }>;

/** The chapters of the description, in their order. */
export const tags = {
  environments: "Isolated namespaces; all but one's own is for operators",
  caches: "Named spaces of items and topics",
  topics: "Ordered logs that are published to and followed",
  queues: "Messages that are received, worked off and deleted",
  webhooks: "Durable subscriptions of topics to URLs",
  handlers: "Functions of one's own that queues, topics and calls invoke",
  notifications: "Frames for users, wherever they are connected",
  connections: "Open WebSockets, and the users behind them",
  tokens: "Disposable tokens, which say exactly who may do what and until when",
  keys: "API keys",
  secrets: "What applications must know and nobody else may, in versions",
  tickets: "For callers that cannot send a header",
  server: "Health, metrics and this description; no credential is needed",
} as const;

/** One answer: JSON by `schema`; text of another `mediaType`; with neither there is no content. */
export interface Answer {
  /** A sentence without its full stop. */
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly mediaType?: string;
}

/** What an operation is called with: all of it checked by the schemas of the operation itself. */
interface Call<Path, Query, Headers, Body, Caller> {
  readonly principal: Caller extends "none" ? undefined : Principal;
  /** Parameters of the path, percent-decoded. */
  readonly path: Path;
  readonly query: Query;
  readonly headers: Headers;
  readonly body: Body;
  readonly context: HttpContext;
  readonly parts: HttpParts;
}

/**
 * One method on one path: what it does, in the words and schemas that the OpenAPI document is made of, and how. What is not
 * described is not read: the door checks the parts of a request by these schemas before `handle` sees them.
 */
export interface Operation<
  Path extends z.ZodObject = z.ZodObject,
  Query extends z.ZodObject = z.ZodObject,
  Headers extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
  Caller extends "known" | "none" = "known" | "none",
> {
  /** `operationId`: a verb and what it acts on, like `createCache`. */
  readonly id: string;
  readonly tag: keyof typeof tags;
  /** A sentence without its full stop. */
  readonly summary: string;
  /** Markdown. */
  readonly description?: string;
  /** `none`: anybody may call it. Default: who calls is found out first, and is `principal`. */
  readonly caller?: Caller;
  /** One field for each `:name` of the path. */
  readonly path?: Path;
  /** Others are passed over. */
  readonly query?: Query;
  /** By their names as they are written; others are passed over. */
  readonly headers?: Headers;
  /** JSON; without it the request has no body. */
  readonly body?: Body;
  /** Bytes of the body. Default: `limits.http.jsonBodyMaxBytes`. */
  bodyMaxBytes?(parts: HttpParts, principal: Principal | undefined): number;
  /** What it answers when all is well, by status. Every error is problem details. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** Answers, or throws a TodokuError. */
  handle(
    call: Call<z.output<Path>, z.output<Query>, z.output<Headers>, z.output<Body>, Caller>,
  ): Response | Promise<Response>;
}

/** `definition`, with the types of its schemas known to its `handle`. */
export function operation<
  Path extends z.ZodObject,
  Query extends z.ZodObject,
  Headers extends z.ZodObject,
  Body extends z.ZodType,
  Caller extends "known" | "none" = "known",
>(definition: Operation<Path, Query, Headers, Body, Caller>): Operation {
  return definition;
}
