import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { failedInvocation, type InvocationResult } from "../../domain/handlers/handler.ts";
import type { Invocation } from "../../domain/handlers/runtime.ts";
import { limits } from "../../domain/limits.ts";
import { readBounded } from "./read-bounded.ts";

/** Lambda's paths have this version in front. */
const version = "2018-06-01";

/** What one process has said at its start. */
type InitOutcome =
  | { readonly kind: "ready" }
  /** `payload`: `{"errorMessage","errorType","stackTrace"?}`. */
  | { readonly kind: "error"; readonly payload: string };

/** Where one process gets its work: Lambda's Runtime API, for one invocation at a time. */
export interface RuntimeApi {
  /** What goes into AWS_LAMBDA_RUNTIME_API. */
  readonly address: string;
  /** Resolves when the process asks for its first work, or says that it cannot. */
  readonly init: Promise<InitOutcome>;
  /** Of what is under way, or was last: what it has written may come behind its result. */
  readonly invocationId: string | undefined;
  /** Has the process been given this invocation? */
  hasTaken(invocationId: string): boolean;
  /** Hands it over. Resolves with what the process answers; not when it never does. There must be none under way. */
  invoke(invocation: Invocation): Promise<InvocationResult>;
  /** The process is told nothing: its connections are cut. */
  close(): void;
}

interface Running {
  readonly invocation: Invocation;
  readonly end: (result: InvocationResult) => void;
  isTaken: boolean;
  /** Its result is being read: one at a time, for each may be large. */
  isAnswered: boolean;
}

/**
 * Listens on this machine. `secret`: a first part of the path that nobody else can guess, "" where a client can only be given host and port: then
 * any process of this machine may take its part.
 */
export async function openRuntimeApi(secret: string): Promise<RuntimeApi> {
  const api = new OneProcess(secret);
  await api.listen();
  return api;
}

class OneProcess implements RuntimeApi {
  readonly init: Promise<InitOutcome>;
  readonly #server: Server;
  readonly #prefix: string;
  readonly #initialised = Promise.withResolvers<InitOutcome>();
  #host = "";
  #isReady = false;
  #running: Running | undefined;
  #lastId: string | undefined;
  /** The call for work that is held open. */
  #asking: ServerResponse | undefined;

  constructor(secret: string) {
    this.init = this.#initialised.promise;
    this.#prefix = secret === "" ? "" : `/${secret}`;
    this.#server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => {
      void this.#answer(request, response).catch(() => response.destroy());
    });
  }

  get address(): string {
    return `${this.#host}${this.#prefix}`;
  }

  get invocationId(): string | undefined {
    return this.#lastId;
  }

  hasTaken(invocationId: string): boolean {
    return this.#lastId === invocationId;
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject).listen(0, "127.0.0.1", () => {
        this.#host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
        // It must not keep the process alive.
        this.#server.unref();
        resolve();
      });
    });
  }

  invoke(invocation: Invocation): Promise<InvocationResult> {
    return new Promise((resolve) => {
      const end = (result: InvocationResult) => {
        this.#running = undefined;
        resolve(result);
      };
      this.#running = { invocation, end, isTaken: false, isAnswered: false };
      this.#handOver();
    });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A web page can reach this port, under a name of its own too: what a browser sends is none of a runtime.
    const { host, origin, "sec-fetch-site": site } = request.headers;
    if (host !== this.#host || origin !== undefined || site !== undefined) {
      refuse(response, 403, "Forbidden", "this is for the runtime of a handler only");
      return;
    }
    const url = (request.url ?? "").replace(/\?.*$/s, "");
    const root = `${this.#prefix}/${version}/runtime/`;
    const path = url.startsWith(root) ? url.slice(root.length) : "";
    const [, id = "", verb] = /^invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    if (path === "invocation/next" && request.method === "GET") this.#next(response);
    else if (request.method !== "POST") refuse(response, 404, "NotFound", "there is no such path");
    else if (path === "init/error") await this.#initError(request, response);
    else if (verb === undefined) refuse(response, 404, "NotFound", "there is no such path");
    else await this.#result(id, verb === "error", request, response);
  }

  #next(response: ServerResponse): void {
    if (this.#running?.isTaken) {
      refuse(response, 403, "InvalidStateTransition", "the invocation before has no response yet");
      return;
    }
    this.#isReady = true;
    this.#initialised.resolve({ kind: "ready" });
    // Who asks twice has lost the answer to the first.
    this.#asking?.destroy();
    this.#asking = response;
    response.on("close", () => {
      if (this.#asking === response) this.#asking = undefined;
    });
    this.#handOver();
  }

  #handOver(): void {
    const [running, response] = [this.#running, this.#asking];
    if (!running || !response) return;
    this.#asking = undefined;
    running.isTaken = true;
    const { id, deadlineMs, functionArn, event } = running.invocation;
    this.#lastId = id;
    const body = Buffer.from(event);
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": body.length,
      "lambda-runtime-aws-request-id": id,
      "lambda-runtime-deadline-ms": String(deadlineMs),
      "lambda-runtime-invoked-function-arn": functionArn,
    });
    response.end(body);
  }

  async #result(id: string, isError: boolean, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const running = this.#running;
    if (!running?.isTaken || running.isAnswered || running.invocation.id !== id) {
      refuse(response, 400, "InvalidRequestID", "this is not the id of the invocation under way");
      return;
    }
    running.isAnswered = true;
    const body = await readBounded(request, limits.handler.resultMaxBytes).finally(() => {
      running.isAnswered = false;
    });
    // Its time may have been over meanwhile.
    if (this.#running !== running) {
      refuse(response, 400, "InvalidRequestID", "this is not the id of the invocation under way");
      return;
    }
    if (body === undefined) {
      const text = `the result must have <= ${limits.handler.resultMaxBytes} bytes`;
      refuse(response, 413, "RequestEntityTooLarge", text);
      running.end(failedInvocation("Function.ResponseSizeTooLarge", text));
      return;
    }
    accept(response);
    running.end(isError ? toError(body) : toSuccess(body));
  }

  async #initError(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readBounded(request, limits.handler.resultMaxBytes)) ?? "";
    if (this.#isReady) {
      refuse(response, 403, "InvalidStateTransition", "it has asked for work already");
      return;
    }
    accept(response);
    const { payload } = toError(body);
    this.#initialised.resolve({ kind: "error", payload });
  }
}

function accept(response: ServerResponse): void {
  response.writeHead(202, { "content-type": "application/json" }).end('{"status":"OK"}\n');
}

function refuse(response: ServerResponse, status: number, errorType: string, errorMessage: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ errorMessage, errorType }));
}

/** Nothing at all is null, as with Lambda. */
function toSuccess(body: string): InvocationResult {
  if (body.trim() === "") return { kind: "success", payload: "null" };
  if (isJson(body)) return { kind: "success", payload: body };
  return failedInvocation("Runtime.InvalidResponse", "the result is no JSON");
}

function toError(body: string): InvocationResult {
  if (isJson(body)) return { kind: "error", isHandled: true, payload: body };
  return failedInvocation("Runtime.InvalidError", "the error that it gave is no JSON");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
