import { isUtf8 } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Auth } from "../../domain/auth/auth.ts";
import { authorize } from "../../domain/auth/authorize.ts";
import { toCaller } from "../../domain/auth/caller.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import type { Items } from "../../domain/cache/items.ts";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import type { ConnectionGuard } from "../../domain/limiting/connection-guard.ts";
import { limits } from "../../domain/limits.ts";
import type { Topics } from "../../domain/topics/topics.ts";
import { connectionOf, endConnection } from "../../lib/end-connection.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import type { TrustedProxies } from "../../lib/trusted-proxies.ts";
import type { UnreadAnswers } from "../unread-answers.ts";
import { holdOf } from "../uploads.ts";
import { answerPreflight, setWebHeaders } from "./cors.ts";
import { answerError, answerItems } from "./http-api-answer.ts";
import { LongPoll } from "./http-api-poll.ts";
import { readCredential, readKey, readPlace, readTtlMs, type Target, toTarget } from "./http-api-request.ts";
import { readBytes } from "./web-body.ts";

export interface HttpApiOptions {
  readonly auth: Auth;
  readonly items: Items;
  readonly topics: Topics;
  readonly wheel: TimerWheel;
  /** Of the envelopes too. */
  readonly unread: UnreadAnswers;
  /** `path` is without its query, which may hold a token. */
  readonly onInternalError: (error: TodokuError, path: string) => void;
  readonly connectionGuard?: Pick<ConnectionGuard, "refused"> | undefined;
  /** Whose word on the client's address counts; default: nobody's. */
  readonly proxies?: TrustedProxies | undefined;
}

const exposedHeaders = "Allow, Retry-After, WWW-Authenticate";
const allowedMethods = { cache: ["GET", "HEAD", "PUT", "DELETE"], topics: ["GET", "POST"] } as const;

/** Does the path belong to it? It is the same under any `Host`, `api.cache.` + endpoint included. */
export function isHttpApi(url: string | undefined): boolean {
  return url !== undefined && /^\/(?:cache|topics)\//.test(url);
}

/** Momento's HTTP API for topics and items (reference 6), for curl, pages and workers that cannot use an SDK. */
export class HttpApi {
  readonly #options: HttpApiOptions;
  readonly #polls = new Set<LongPoll>();
  #isClosing = false;

  constructor(options: HttpApiOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on("error", () => {}); // `close` follows
    // By hand: to a URL parser "//", "/./" and "\\" mean something else than what was sent.
    const [pathname = "", query = ""] = (request.url ?? "").split("#", 1)[0]?.split(/\?(.*)/s, 2) ?? [];
    const searchParams = new URLSearchParams(query);
    setWebHeaders(request, response, exposedHeaders);
    try {
      const target = toTarget(pathname);
      const methods: readonly string[] = allowedMethods[target.kind];
      const { method = "" } = request;
      if (method === "OPTIONS") answerPreflight(request, response, [...methods, "OPTIONS"].join(", "));
      else if (methods.includes(method)) await this.#call(method, target, searchParams, request, response);
      else {
        response.setHeader("allow", [...methods, "OPTIONS"].join(", "));
        throw new TodokuError("unimplemented", `method ${method} is not allowed here`, { subject: "method" });
      }
    } catch (error) {
      this.#refuse(request, response, error, pathname);
    }
  }

  /** Answers all polls with nothing, and those that still come. */
  close(): void {
    this.#isClosing = true;
    for (const poll of this.#polls) poll.stop();
  }

  async #call(
    method: string,
    target: Target,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { headers } = request;
    const caller = toCaller(request.socket.remoteAddress, headers, this.#options.proxies);
    const principal = await this.#options.auth.authenticate(readCredential(headers.authorization, query), caller);
    if (target.kind === "topics") {
      if (method === "POST") await this.#publish(principal, target, request, response);
      else await this.#poll(principal, target, query, response);
      return;
    }
    const key = readKey(query);
    if (method === "PUT") await this.#set(principal, target.cache, key, query, request, response);
    else if (method === "DELETE") await this.#delete(principal, target.cache, key, response);
    else await this.#get(principal, target.cache, key, response);
  }

  async #get(principal: Principal, cache: string, key: Uint8Array, response: ServerResponse): Promise<void> {
    const value = await this.#options.items.get(principal, cache, key);
    if (!value) throw new TodokuError("not_found", "there is no item with this key", { subject: "key" });
    const head = { "content-type": "application/octet-stream", "content-length": value.length };
    this.#options.unread.hold(response, value.length);
    response.writeHead(200, head).end(value);
  }

  async #set(
    principal: Principal,
    cache: string,
    key: Uint8Array,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const ttlMs = readTtlMs(query);
    // A body is only taken from somebody who may write it.
    authorize(principal, "item.write", cache, key);
    const value = await readBytes(request, limits.itemMaxBytes, holdOf(request, this.#options.wheel));
    this.#options.auth.recheck(principal);
    await this.#options.items.set(principal, cache, key, value, ttlMs);
    response.writeHead(204).end();
  }

  async #delete(principal: Principal, cache: string, key: Uint8Array, response: ServerResponse): Promise<void> {
    await this.#options.items.delete(principal, cache, key);
    response.writeHead(204).end();
  }

  async #publish(
    principal: Principal,
    { cache, topic }: Target,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { auth, topics, wheel } = this.#options;
    authorize(principal, "topic.publish", cache, topic);
    const bytes = await readBytes(request, topics.messageMaxBytes(principal.environment), holdOf(request, wheel));
    auth.recheck(principal);
    // curl says `application/x-www-form-urlencoded` when it is told nothing, as in Momento's examples: that is text.
    const isText = !request.headers["content-type"]?.toLowerCase().startsWith("application/octet-stream");
    if (isText && !isUtf8(bytes)) {
      throw new TodokuError("invalid_argument", "the message is not UTF-8: send bytes as application/octet-stream");
    }
    await topics.publish(principal, cache, topic, { value: { isText, bytes } });
    response.writeHead(204).end();
  }

  async #poll(
    principal: Principal,
    { cache, topic }: Target,
    query: URLSearchParams,
    response: ServerResponse,
  ): Promise<void> {
    const after = readPlace(query);
    const poll = new LongPoll(response, this.#options.wheel);
    this.#polls.add(poll);
    try {
      const answer = poll.follow(await this.#options.topics.subscribe(principal, cache, topic, after, poll));
      if (this.#isClosing) poll.stop();
      answerItems(response, await answer, poll.isStopped);
    } finally {
      this.#polls.delete(poll);
    }
  }

  #refuse(request: IncomingMessage, response: ServerResponse, error: unknown, path: string): void {
    const known = toTodokuError(error);
    const { connectionGuard, wheel, onInternalError } = this.#options;
    if (known.code === "internal") onInternalError(known, path);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (connectionGuard?.refused(known, connectionOf(request, response), request.socket.remoteAddress))
      endConnection(response);
    const answer = () => answerError(response, known);
    if (known.retryAfterMs === undefined) answer();
    else wheel.schedule(limits.rates.refusalDelayMs, answer);
  }
}
