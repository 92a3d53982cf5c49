import { createHash, randomUUID } from "node:crypto";
import type { Context } from "hono";
import type { Logger } from "pino";
import { z } from "zod";
import { CredentialRefused } from "../shared/credential.ts";
import { type Task, taskDataMaxLength } from "../shared/task.ts";
import { type Todoku, TodokuFailure } from "../shared/todoku.ts";
import { ApiError, unavailable } from "./api-error.ts";
import type { Authorizer } from "./authorizer.ts";
import { readJson } from "./body.ts";
import type { ApiEnvironment } from "./headers.ts";
import type { RateLimit } from "./rate-limit.ts";

/** What `POST /task` needs. */
export interface TaskOptions {
  readonly authorizer: Authorizer;
  readonly rateLimit: RateLimit;
  readonly todoku: Todoku;
  readonly taskQueue: string;
  readonly log: Pick<Logger, "error">;
}

const requestSchema = z.strictObject({
  data: z
    .string()
    .min(1)
    .max(taskDataMaxLength)
    .refine((text) => text.isWellFormed(), "must be well-formed Unicode"),
});
const sentSchema = z.object({ messageId: z.string(), isRepeat: z.boolean() });

/** `POST /task`: 202 as soon as the task is safe in the queue. */
export function postTask(options: TaskOptions) {
  return async (context: Context<ApiEnvironment>) => {
    const user = await options.authorizer.authorize(context.req.header("authorization"));
    options.rateLimit.take(user.sub);
    const taskId = taskIdOf(user.sub, context.req.header("idempotency-key"));
    const { data } = await readJson(context, requestSchema);
    await queue(options, { userId: user.sub, taskId, data, queuedAtMs: Date.now() });
    return context.json({ taskId, status: "queued" }, 202, { location: `/tasks/${taskId}` });
  };
}

/** The same user and the same key give the same id, so that a client that heard no answer may ask again. Another user's same key is another task. */
function taskIdOf(sub: string, idempotencyKey: string | undefined): string {
  if (idempotencyKey === undefined) return randomUUID();
  if (!/^[\x20-\x7e]{1,100}$/.test(idempotencyKey)) {
    throw new ApiError(400, "Idempotency-Key must have 1..100 printable ASCII characters");
  }
  return createHash("sha256")
    .update(JSON.stringify([sub, idempotencyKey]))
    .digest("base64url");
}

/** The task's id is the message's id: Todoku takes it once within five minutes, so that a second try after a lost answer is safe. */
async function queue({ todoku, taskQueue, log }: TaskOptions, task: Task): Promise<void> {
  const message = { messageId: task.taskId, body: JSON.stringify(task) };
  const send = () => todoku.call("POST", `/v1/queues/${taskQueue}/send`, message, sentSchema);
  try {
    await send().catch((error: unknown) => {
      if (error instanceof TodokuFailure && error.status === undefined) return send();
      throw error;
    });
  } catch (error) {
    const isOurFault = error instanceof CredentialRefused || (error instanceof TodokuFailure && !error.isTemporary);
    log.error({ taskId: task.taskId, err: error }, isOurFault ? "the set-up is wrong: run setup.ts" : "no task taken");
    throw unavailable("The task cannot be taken now; try again", 2);
  }
}
