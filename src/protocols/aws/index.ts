// The door for AWS clients: boto3 and the AWS SDKs as they are. A request is told from those of other doors by what only they send,
// read, its signature checked, and handed to its service; what comes back is written as its wire wants it.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type TodokuError, toTodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { watchClient } from "../../lib/client-presence.ts";
import { connectionOf, endConnection } from "../../lib/end-connection.ts";
import { type Address, addressOf } from "./address.ts";
import { commonHeadersOf, errorAnswer, sendAnswer } from "./answers.ts";
import { AwsAuthentication } from "./authentication.ts";
import { baseUrlOf } from "./base-url.ts";
import { readBody, readForm, readInput } from "./body.ts";
import type { AwsAnswer, AwsCall, AwsService, AwsServiceName } from "./call.ts";
import { AwsError, toCommonAwsError } from "./errors.ts";
import type { AwsOptions } from "./options.ts";
import { guessedTarget, isOfAws, type Target, targetOf } from "./routing.ts";
import { createServices } from "./services.ts";
import { type AwsCallCount, AwsCounters } from "./stats.ts";

export type { AwsOptions } from "./options.ts";

/** Takes the requests of AWS clients. */
export interface AwsDoor {
  /** Is the request one of an AWS client? Asked after the doors that have paths of their own. */
  accepts(request: IncomingMessage): boolean;
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** Calls since the start. */
  stats(): readonly AwsCallCount[];
}

export function createAwsDoor(options: AwsOptions): AwsDoor {
  return new Door(options, createServices(options));
}

/** A call that is being worked on. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly address: Address;
  readonly requestId: string;
  /** What it is for; before it has been read, what it seems to be for. */
  target: Target;
  /** When there is one: its service may name the error. */
  call?: AwsCall;
}

class Door implements AwsDoor {
  readonly #options: AwsOptions;
  readonly #services: ReadonlyMap<AwsServiceName, AwsService>;
  readonly #authentication: AwsAuthentication;
  readonly #counters = new AwsCounters();

  constructor(options: AwsOptions, services: ReadonlyMap<AwsServiceName, AwsService>) {
    this.#options = options;
    this.#services = services;
    this.#authentication = new AwsAuthentication(options);
  }

  accepts(request: IncomingMessage): boolean {
    return isOfAws(request);
  }

  stats(): readonly AwsCallCount[] {
    return this.#counters.all();
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    response.on("error", () => {}); // `close` follows
    const requestId = randomUUID();
    const address = addressOf(request.url);
    // No page of another origin may call: it is not told that it could.
    if (request.method === "OPTIONS") {
      const common = commonHeadersOf(requestId, this.#options.clock.wallMs());
      response.writeHead(204, { ...common, allow: "GET, POST, DELETE, OPTIONS" }).end();
    } else void this.#serve({ request, response, address, requestId, target: guessedTarget(request, address) });
  }

  async #serve(visit: Visit): Promise<void> {
    const { request, response } = visit;
    let answer: AwsAnswer;
    let failure: AwsError | undefined;
    try {
      answer = (await this.#answerPublic(visit)) ?? (await this.#answer(visit));
    } catch (error) {
      failure = error instanceof AwsError ? error : await this.#explain(toTodokuError(error), visit);
      answer = errorAnswer(failure, visit.target, visit.requestId);
    }
    this.#counters.add(visit.target.service, visit.call, failure);
    // HTTP/2 says so by itself.
    if (this.#options.isDraining?.() && request.httpVersionMajor === 1) endConnection(response);
    const common = commonHeadersOf(visit.requestId, this.#options.clock.wallMs());
    sendAnswer(request, response, visit.target.wire, answer, common);
  }

  async #answerPublic({ request, address, requestId }: Visit): Promise<AwsAnswer | undefined> {
    const { method = "", headers } = request;
    if (method !== "GET" || headers.authorization !== undefined) return undefined;
    const facts = { ...address, method, requestId, baseUrl: baseUrlOf(request, this.#options) };
    for (const service of this.#services.values()) {
      const answer = await service.handlePublic?.(facts);
      if (answer) return answer;
    }
    return undefined;
  }

  async #answer(visit: Visit): Promise<AwsAnswer> {
    const { request, response, address, requestId } = visit;
    const receiver = watchClient(request, response);
    const body = await readBody(request, address, this.#options.wheel);
    const form = readForm(request, address, body);
    visit.target = targetOf(request, address, form);
    const { service, wire, action } = visit.target;
    const { principal, region } = await this.#authentication.authenticate(request, address, body, service);
    const { method = "", headers } = request;
    const { rawPath, query } = address;
    const call: AwsCall = {
      ...{ service, wire, action, principal, region, method, rawPath, query, body, headers, requestId, receiver },
      input: wire === "json" ? readInput(body) : {},
      form: wire === "query" ? form : new URLSearchParams(),
      baseUrl: baseUrlOf(request, this.#options),
    };
    visit.call = call;
    refuseOpenGet(call);
    return this.#serviceOf(service).handle(call);
  }

  /** @throws AwsError: the operator has not switched it on. */
  #serviceOf(name: AwsServiceName): AwsService {
    const service = this.#services.get(name);
    if (service) return service;
    throw new AwsError("UnknownOperationException", `the service ${name} is not offered here`, {
      queryCode: "InvalidAction",
    });
  }

  /** Also slows down and cuts off who goes on when it is refused. */
  async #explain(error: TodokuError, visit: Visit): Promise<AwsError> {
    const { request, response, call, requestId } = visit;
    const { connectionGuard, wheel, log } = this.#options;
    const { service, action } = visit.target;
    const connection = connectionOf(request, response);
    if (connectionGuard?.refused(error, connection, request.socket.remoteAddress)) endConnection(response);
    if (error.retryAfterMs !== undefined) await wheel.wait(limits.rates.refusalDelayMs);
    if (error.code === "internal") {
      log.error({ area: "aws", requestId, service, action, err: error.cause ?? error }, "an AWS call failed");
      return toCommonAwsError(error);
    }
    // Rates are asked for while it is found out who calls: before there is a call.
    const isCommon = error.code === "unauthenticated" || (!call && error.code !== "limit_exceeded");
    if (isCommon || error.subject === "request_size") return toCommonAwsError(error, service);
    const { method = "" } = request;
    return this.#services.get(service)?.toAwsError(error, { method }) ?? toCommonAwsError(error);
  }
}

/** Pages of other origins can make a browser GET whatever they like: without a credential that changes nothing, here too. */
function refuseOpenGet({ principal, wire, method }: AwsCall): void {
  if (principal.kind !== "open" || wire !== "query" || method === "POST") return;
  throw new AwsError("AccessDeniedException", `${method} is taken with a signature of an access key only: use POST`, {
    status: 403,
    queryCode: "AccessDenied",
  });
}
