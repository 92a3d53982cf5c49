import { Buffer } from "node:buffer";
import { TodokuError } from "../../domain/errors.ts";
import type { HandlerDefinition, InvocationResult } from "../../domain/handlers/handler.ts";
import { failedInvocation } from "../../domain/handlers/handler.ts";
import type { HandlerRuntime, Invocation, RunningHandler } from "../../domain/handlers/runtime.ts";
import { timedOut } from "../../domain/handlers/timed-out.ts";
import { limits } from "../../domain/limits.ts";
import type { GuardedClient, GuardedResult } from "../../lib/guarded-client/guarded-client.ts";
import { Signer } from "../webhooks/signatures.ts";

/** What endpoints are called with. */
export interface EndpointRuntimeOptions {
  readonly client: Pick<GuardedClient, "call" | "refusal">;
  readonly wallMs: () => number;
  /** Of this server, for the header `user-agent`. */
  readonly version: string;
}

/** Posts each event to a URL; the JSON of a 2xx answer is the result. */
export function createEndpointRuntime(options: EndpointRuntimeOptions): HandlerRuntime {
  const signer = new Signer();
  return {
    async start({ name, run }: HandlerDefinition): Promise<RunningHandler> {
      if (run.kind !== "endpoint") throw new TodokuError("internal", `handler "${name}" has no endpoint`);
      const refusal = options.client.refusal(run.url);
      if (refusal !== undefined) throw new TodokuError("unavailable", `handler "${name}" cannot be called: ${refusal}`);
      const { url, secret } = run;
      return new Endpoint((invocation) => call(options, signer, { url, secret }, invocation));
    },
  };
}

/** Calls of one URL. */
class Endpoint implements RunningHandler {
  readonly #call: (invocation: Invocation) => Promise<InvocationResult>;
  readonly #open = new Set<(result: InvocationResult) => void>();

  constructor(call: (invocation: Invocation) => Promise<InvocationResult>) {
    this.#call = call;
  }

  async invoke(invocation: Invocation): Promise<InvocationResult> {
    const { promise, resolve, reject } = Promise.withResolvers<InvocationResult>();
    this.#open.add(resolve);
    this.#call(invocation).then(resolve, reject);
    return promise.finally(() => this.#open.delete(resolve));
  }

  /** What is under way there goes on, but nobody waits for it. */
  async stop(): Promise<void> {
    for (const end of this.#open) end(failedInvocation("Runtime.Stopped", "the handler is stopping"));
  }
}

async function call(
  { client, wallMs, version }: EndpointRuntimeOptions,
  signer: Signer,
  { url, secret }: { readonly url: string; readonly secret: string | undefined },
  invocation: Invocation,
): Promise<InvocationResult> {
  const body = Buffer.from(invocation.event);
  const { id, timeoutMs } = invocation;
  const timestamp = String(Math.floor(wallMs() / 1000));
  const headers = {
    "content-type": "application/json",
    "user-agent": `Todoku/${version} (Handlers)`,
    "lambda-runtime-aws-request-id": id,
    "lambda-runtime-deadline-ms": String(invocation.deadlineMs),
    "lambda-runtime-invoked-function-arn": invocation.functionArn,
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    ...(secret !== undefined && { "webhook-signature": signer.standard([secret], id, timestamp, body) }),
  };
  const answerMaxBytes = limits.handler.resultMaxBytes + 1;
  const result = await client.call({ method: "POST", url, headers, body, timeoutMs, answerMaxBytes });
  return result.kind === "timeout" ? timedOut(invocation) : toResult(result);
}

/** AWS's own endpoints say by a header that the body is the function's error. */
function toResult(result: GuardedResult): InvocationResult {
  if (result.kind !== "answer") return failedInvocation("Endpoint.Unreachable", result.error);
  const { status, headers, body } = result;
  const error = headers["x-amz-function-error"];
  if (status < 200 || status > 299) return failedInvocation("Endpoint.Status", `the endpoint answered ${status}`);
  if (body.length > limits.handler.resultMaxBytes) {
    const text = `the result must have <= ${limits.handler.resultMaxBytes} bytes`;
    return failedInvocation("Function.ResponseSizeTooLarge", text);
  }
  const payload = toJson(body);
  if (payload === undefined) return failedInvocation("Runtime.InvalidResponse", "the answer is no JSON");
  return error === undefined
    ? { kind: "success", payload }
    : { kind: "error", isHandled: error.toLowerCase() !== "unhandled", payload };
}

/** Nothing at all is null. */
function toJson(body: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    if (text.trim() === "") return "null";
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}
