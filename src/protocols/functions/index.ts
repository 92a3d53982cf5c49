// Handlers over HTTP: the URLs of functions, and REST APIs as API Gateway has them.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { toCaller } from "../../domain/auth/caller.ts";
import { foreignPageProblem } from "../../domain/auth/open-access.ts";
import type { Caller } from "../../domain/auth/principal.ts";
import { TodokuError, toTodokuError } from "../../domain/errors.ts";
import { isTimedOut } from "../../domain/handlers/timed-out.ts";
import { limits } from "../../domain/limits.ts";
import { connectionOf, endConnection } from "../../lib/end-connection.ts";
import { commonHeaders } from "../../lib/response.ts";
import { answerOf, eventHeaders, invokeNamed, readOrBlame } from "../lambda-events.ts";
import { readRequestBytes } from "../request-bytes.ts";
import { UnreadAnswers } from "../unread-answers.ts";
import { holdOf } from "../uploads.ts";
import { type FunctionAnswer, readProxyAnswer, readUrlAnswer } from "./answer.ts";
import type { FunctionCall } from "./call.ts";
import { type Claims, signIn, stranger } from "./caller.ts";
import { corsHeaders, isPreflight, preflightHeaders } from "./cors.ts";
import { functionUrlEvent, proxyEvent } from "./events.ts";
import type { FunctionsOptions } from "./options.ts";
import { badGateway, notFound, Refusal, timedOutRefusal, tooLong, toRefusal } from "./refusal.ts";
import { type Place, Places, type Target } from "./target.ts";

export type { FunctionsOptions, RestApiSettings } from "./options.ts";

/** AWS: the longest that a client of a REST API waits. A function URL waits as long as the function may take. */
const restTimeoutMs = limits.gateway.actionMaxSeconds * 1000;

/** Takes the paths `/functions/<name>` and those of REST APIs. */
export interface FunctionsDoor {
  accepts(request: Pick<IncomingMessage, "method" | "url">): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
}

export function createFunctionsDoor(options: FunctionsOptions): FunctionsDoor {
  return new Functions(options);
}

class Functions implements FunctionsDoor {
  readonly #options: FunctionsOptions;
  readonly #places: Places;
  readonly #unread = new UnreadAnswers();

  constructor(options: FunctionsOptions) {
    this.#options = options;
    this.#places = new Places(options.settings, options.handlers);
  }

  accepts({ method = "", url }: Pick<IncomingMessage, "method" | "url">): boolean {
    return this.#places.at(method, pathOf(url)) !== undefined;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => {}); // `close` follows
    const { method = "", headers, url } = request;
    const place = this.#places.at(method, pathOf(url));
    const requestId = randomUUID();
    const common = { ...commonHeaders, ...corsHeaders(headers, place?.origins ?? []), "x-amzn-requestid": requestId };
    this.#answer(request, response, place, requestId)
      .then((answer) => this.#write(request, response, common, answer))
      .catch(async (error: unknown) => {
        const refusal = await this.#refuse(request, response, error, requestId);
        this.#write(request, response, common, refusal);
      });
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    place: Place | undefined,
    requestId: string,
  ): Promise<FunctionAnswer> {
    const { method = "", headers } = request;
    if (!place || place.methods.length === 0) throw notFound();
    const target = findTarget(place);
    // A route of its own for them goes before.
    const answersPreflights = place.origins.length > 0 && !place.methods.includes("OPTIONS");
    if (answersPreflights && isPreflight(method, headers)) {
      return { status: 204, headers: preflightHeaders(place.methods), body: Buffer.alloc(0) };
    }
    if (!target) {
      const allow = place.methods.join(", ");
      throw new Refusal(405, "Method Not Allowed", "MethodNotAllowedException", { allow });
    }
    const { proxies, auth } = this.#options;
    const caller = toCaller(request.socket.remoteAddress, headers, proxies);
    if (target.auth === "none" && place.trustedOrigins) checkPage(caller, place.trustedOrigins);
    const claims = target.auth === "jwt" ? await signIn(auth, target, headers.authorization, caller) : undefined;
    // Who is not asked for a name is counted by address.
    if (!claims) await auth.identify(caller, async () => stranger(target.environment));
    const event = await this.#read(request, target, caller, claims, requestId);
    const answer = await this.#invoke(event, target);
    this.#unread.hold(response, answer.body.length);
    return answer;
  }

  /** The event alone: what waits for its handler must not hold the body twice. */
  async #read(
    request: IncomingMessage,
    target: Target,
    caller: Caller,
    claims: Claims | undefined,
    requestId: string,
  ): Promise<string> {
    const { environment, handler, rest, path } = target;
    const { clock, wheel, isBehindTls } = this.#options;
    const { headers, httpVersion, method = "", url = "" } = request;
    const { eventMaxBytes: maxBytes } = limits.handler;
    const tooLarge = () => new TodokuError("limit_exceeded", "the body is too long", { subject: "request_size" });
    if (Number(headers["content-length"] ?? 0) > maxBytes) throw tooLong();
    const body = await readRequestBytes(request, { maxBytes, tooLarge, hold: holdOf(request, wheel) });
    const [, rawQuery = ""] = /\?(.*)$/s.exec(url) ?? [];
    const call: FunctionCall = {
      ...{ method, path, rawQuery, body, claims, environment, requestId },
      headers: eventHeaders(request, caller.address, isBehindTls),
      contentType: headers["content-type"],
      address: caller.address,
      userAgent: headers["user-agent"] ?? "",
      domainName: caller.host ?? "",
      protocol: `HTTP/${httpVersion}`,
      nowMs: clock.wallMs(),
    };
    const event = rest ? proxyEvent(call, rest.stagePath, rest.route) : functionUrlEvent(call, handler);
    const text = JSON.stringify(event);
    if (Buffer.byteLength(text) > maxBytes) throw tooLong();
    return text;
  }

  async #invoke(event: string, { environment, handler, rest }: Target): Promise<FunctionAnswer> {
    const { handlers } = this.#options;
    const timeoutMs = rest ? restTimeoutMs : undefined;
    const result = await invokeNamed(handlers, { environment, handler }, event, timeoutMs);
    if (isTimedOut(result)) throw timedOutRefusal();
    if (result.kind === "error") throw badGateway();
    const value = answerOf(result)?.value;
    const read = () => (rest ? readProxyAnswer(value) : readUrlAnswer(value));
    return readOrBlame(this.#options, { environment, handler }, read, badGateway);
  }

  async #refuse(request: IncomingMessage, response: ServerResponse, error: unknown, requestId: string) {
    const { log, wheel, connectionGuard } = this.#options;
    if (error instanceof Refusal) return toAnswer(error);
    const known = toTodokuError(error);
    if (known.code === "internal") {
      log.error({ area: "http", requestId, err: known.cause ?? known }, "a call of a function failed");
    }
    if (connectionGuard.refused(known, connectionOf(request, response), request.socket?.remoteAddress)) {
      endConnection(response);
    }
    // Whoever comes back at once comes back twenty times a second.
    if (known.retryAfterMs !== undefined) await wheel.wait(limits.rates.refusalDelayMs);
    return toAnswer(toRefusal(known));
  }

  /** What the function says of a header counts before what we say. */
  #write(
    { method }: IncomingMessage,
    response: ServerResponse,
    common: Readonly<Record<string, string>>,
    { status, headers, body }: FunctionAnswer,
  ): void {
    if (response.destroyed || response.headersSent) return;
    const hasBody = ![204, 205, 304].includes(status);
    const all: Record<string, string | readonly string[]> = { ...common, ...headers };
    if (common.vary !== undefined) all.vary = joinVary(headers.vary, common.vary);
    if (hasBody) all["content-length"] = String(body.length);
    else delete all["content-type"];
    try {
      for (const [name, value] of Object.entries(all)) response.setHeader(name, value);
      response.statusCode = status;
      response.end(hasBody && method !== "HEAD" ? body : undefined);
    } catch (error) {
      // What is said instead has headers of its own.
      for (const name of Object.keys(all)) response.removeHeader(name);
      throw error;
    }
  }
}

function toAnswer({ status, message, type, headers }: Refusal): FunctionAnswer {
  const body = Buffer.from(JSON.stringify({ message }));
  return { status, headers: { "content-type": "application/json", "x-amzn-errortype": type, ...headers }, body };
}

/** @throws Refusal: the path is not encoded as an address. */
function findTarget(place: Place): Target | undefined {
  try {
    return place.find();
  } catch {
    throw new Refusal(400, "Bad Request", "BadRequestException");
  }
}

/** @throws Refusal: its sentence tells the developer what to do. */
function checkPage(caller: Caller, trustedOrigins: readonly string[]): void {
  const problem = foreignPageProblem(caller, trustedOrigins);
  if (problem === undefined) return;
  const remedy = "list it in the origins of the functions to allow it";
  throw new Refusal(403, `Forbidden in dev mode: ${problem}; ${remedy}`, "AccessDeniedException");
}

function joinVary(theirs: string | readonly string[] | undefined, ours: string): string {
  const named = [theirs ?? []].flat().join(", ");
  if (named === "") return ours;
  return named.toLowerCase().split(/, */).includes(ours.toLowerCase()) ? named : `${named}, ${ours}`;
}

function pathOf(url = ""): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
