import { Buffer } from "node:buffer";
import { authorize } from "../../../domain/auth/authorize.ts";
import { toTodokuError } from "../../../domain/errors.ts";
import { handlerNotFound } from "../../../domain/handlers/handler.ts";
import type { Handlers } from "../../../domain/handlers/handlers.ts";
import { errorOf } from "../../lambda-events.ts";
import type { AwsAnswer, AwsCall } from "../call.ts";
import { AwsError } from "../errors.ts";
import type { AwsOptions } from "../options.ts";

/** AWS: how much of the log an answer carries. */
const tailBytes = 4096;
/** So long a function that has printed nothing yet is waited for: the pipe of a process on a busy machine. */
const tailWaitMs = 250;
const executed = { "x-amz-executed-version": "$LATEST" };

type InvokeParts = Pick<AwsOptions, "handlers" | "clock" | "wheel">;
type Answer = (parts: InvokeParts, call: AwsCall, name: string, event: string) => Promise<AwsAnswer>;

/** By the header X-Amz-Invocation-Type. */
const answers: Readonly<Record<string, Answer>> = {
  RequestResponse: invoke,
  Event: accept,
  async DryRun({ handlers }, { principal }, name) {
    check(handlers, principal, name);
    return { status: 204 };
  },
};

/** @throws AwsError; TodokuError as `Handlers.invokeAs`. */
export async function answerInvoke(parts: InvokeParts, call: AwsCall, name: string): Promise<AwsAnswer> {
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
  return answer(parts, call, name, event);
}

async function invoke(
  { handlers, wheel }: InvokeParts,
  call: AwsCall,
  name: string,
  event: string,
): Promise<AwsAnswer> {
  const { principal } = call;
  const wantsLog = headerOf(call, "x-amz-log-type") === "Tail";
  const before = wantsLog ? (await handlers.logs.read(principal, name, { limit: 1 })).next : undefined;
  const { kind, payload } = await handlers.invokeAs(principal, name, event);
  const log = wantsLog ? await tailOf({ handlers, wheel }, principal, name, before) : undefined;
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

/** Taken, and run at most once: it waits in memory, and only the handler's log tells what came of it. */
async function accept(
  { handlers, clock }: InvokeParts,
  { principal, requestId }: AwsCall,
  name: string,
  event: string,
): Promise<AwsAnswer> {
  check(handlers, principal, name);
  const invoked = handlers.invokeAs(principal, name, event);
  // What is refused is refused at once; everything else takes a process to answer.
  await Promise.race([invoked, new Promise((resolve) => setImmediate(resolve))]);
  const note = (problem: string) => {
    const text = `the event of request ${requestId} was lost: ${problem}`;
    handlers.logs.add(principal.environment, name, { atMs: clock.wallMs(), stream: "system", text });
  };
  invoked.then(
    (result) => {
      if (result.kind === "error") note(errorOf(result).type || "the handler failed");
    },
    (error: unknown) => note(toTodokuError(error).message),
  );
  return { status: 202, headers: executed };
}

/** @throws TodokuError `permission_denied`, `not_found`. */
function check(handlers: Handlers, principal: AwsCall["principal"], name: string): void {
  authorize(principal, "handler.invoke", "", name);
  if (!handlers.get(principal.environment, name)) throw handlerNotFound(name);
}

/** What the handler wrote meanwhile, for whichever invocation. What it printed comes another way than its answer, and may be behind it. */
async function tailOf(
  { handlers, wheel }: Pick<InvokeParts, "handlers" | "wheel">,
  principal: AwsCall["principal"],
  name: string,
  after: string | undefined,
): Promise<string> {
  const waited = new AbortController();
  const deadline = wheel.schedule(tailWaitMs, () => waited.abort());
  const { lines } = await handlers.logs.read(principal, name, { after, signal: waited.signal });
  deadline.cancel();
  const text = Buffer.from(lines.map((line) => `${line.text}\n`).join(""));
  return text.subarray(Math.max(0, text.length - tailBytes)).toString("base64");
}

function headerOf({ headers }: AwsCall, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
