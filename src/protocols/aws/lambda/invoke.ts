import { Buffer } from "node:buffer";
import { authorize } from "../../../domain/auth/authorize.ts";
import { handlerNotFound } from "../../../domain/handlers/handler.ts";
import type { Handlers } from "../../../domain/handlers/handlers.ts";
import type { AwsAnswer, AwsCall } from "../call.ts";
import { AwsError } from "../errors.ts";

/** AWS: how much of the log an answer carries. */
const tailBytes = 4096;
const executed = { "x-amz-executed-version": "$LATEST" };

type Answer = (handlers: Handlers, call: AwsCall, name: string, event: string) => Promise<AwsAnswer>;

/** By the header X-Amz-Invocation-Type. */
const answers: Readonly<Record<string, Answer>> = {
  RequestResponse: invoke,
  Event: accept,
  async DryRun(handlers, { principal }, name) {
    check(handlers, principal, name);
    return { status: 204 };
  },
};

/** @throws AwsError; TodokuError as `Handlers.invokeAs`. */
export async function answerInvoke(handlers: Handlers, call: AwsCall, name: string): Promise<AwsAnswer> {
  const type = headerOf(call, "x-amz-invocation-type") ?? "RequestResponse";
  const answer = Object.hasOwn(answers, type) ? answers[type] : undefined;
  if (!answer) {
    const types = Object.keys(answers).join(", ");
    throw new AwsError(
      "InvalidParameterValueException",
      `InvocationType "${type.slice(0, 100)}" must be one of ${types}`,
    );
  }
  // As Lambda has it: who sends nothing sends an empty event.
  const event = call.body.length === 0 ? "{}" : call.body.toString();
  return answer(handlers, call, name, event);
}

async function invoke(handlers: Handlers, call: AwsCall, name: string, event: string): Promise<AwsAnswer> {
  const { principal } = call;
  const wantsLog = headerOf(call, "x-amz-log-type") === "Tail";
  const before = wantsLog ? (await handlers.logs.read(principal, name, { limit: 1 })).next : undefined;
  const { kind, payload } = await handlers.invokeAs(principal, name, event);
  const log = wantsLog ? await tailOf(handlers, principal, name, before) : undefined;
  return {
    headers: {
      ...executed,
      "content-type": "application/json",
      // Lambda itself says so of every error, whoever reported it.
      ...(kind === "error" && { "x-amz-function-error": "Unhandled" }),
      ...(log !== undefined && { "x-amz-log-result": log }),
    },
    body: payload,
  };
}

/** Taken, and run at most once: it waits in memory, and nobody hears what came of it. */
async function accept(handlers: Handlers, { principal }: AwsCall, name: string, event: string): Promise<AwsAnswer> {
  check(handlers, principal, name);
  const invoked = handlers.invokeAs(principal, name, event);
  // What is refused is refused at once; everything else takes a process to answer.
  await Promise.race([invoked, new Promise((resolve) => setImmediate(resolve))]);
  invoked.catch(() => {}); // its log says what became of it
  return { status: 202, headers: executed };
}

/** @throws TodokuError `permission_denied`, `not_found`. */
function check(handlers: Handlers, principal: AwsCall["principal"], name: string): void {
  authorize(principal, "handler.invoke", "", name);
  if (!handlers.get(principal.environment, name)) throw handlerNotFound(name);
}

/** What the handler wrote meanwhile, for whichever invocation. */
async function tailOf(
  { logs }: Handlers,
  principal: AwsCall["principal"],
  name: string,
  after: string | undefined,
): Promise<string> {
  const { lines } = await logs.read(principal, name, { after });
  const text = Buffer.from(lines.map((line) => `${line.text}\n`).join(""));
  return text.subarray(Math.max(0, text.length - tailBytes)).toString("base64");
}

function headerOf({ headers }: AwsCall, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
