import type { Logger } from "pino";
import type { KeptText } from "../shared/kept-text.ts";
import { type Task, taskSchema } from "../shared/task.ts";
import { Hold, HoldLost } from "./hold.ts";
import type { Notifier } from "./notifier.ts";
import { receiptFor } from "./receipt.ts";
import type { Message, TaskQueue } from "./task-queue.ts";
import { work } from "./work.ts";

/** What it takes to handle a message. */
export interface HandleOptions {
  readonly queue: TaskQueue;
  readonly notifier: Notifier;
  /** Of the receipt service: a third party's key. */
  readonly receiptKey: KeptText;
  readonly visibilitySeconds: number;
  readonly taskMs: number;
  /** Fires when the worker wants to end: what is held is given back. */
  readonly draining: AbortSignal;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
}

/**
 * Works on one message, whatever becomes of the others: done means told and deleted, an error means hidden for a while. After its last
 * receive the queue itself moves it to the dead letters. Throws nothing.
 */
export async function handleMessage(message: Message, options: HandleOptions): Promise<void> {
  const { queue, log, draining } = options;
  const hold = new Hold(queue, message, options.visibilitySeconds, log);
  const { messageId, receiveCount: attempt } = message;
  try {
    await finish(message, options, AbortSignal.any([hold.lost, draining]));
    await hold.release();
    // Between the publish and this delete a crash may come: then the user is told twice, rather than never.
    const outcome = await queue.delete(message);
    log.info({ messageId, attempt, outcome }, "task done");
  } catch (error) {
    await hold.release();
    if (error instanceof HoldLost) {
      log.warn({ messageId, attempt, err: error }, "message lost, it is worked on elsewhere");
      return;
    }
    const pauseSeconds = draining.aborted ? 0 : backoffSeconds(attempt);
    if (draining.aborted) log.info({ messageId, attempt }, "message given back");
    else log.warn({ messageId, attempt, pauseSeconds, err: error }, "task failed");
    await queue.hide(message, pauseSeconds).catch((failure: unknown) => {
      log.warn({ messageId, err: failure }, "message not given back; it comes back when its visibility ends");
    });
  }
}

async function finish(message: Message, options: HandleOptions, signal: AbortSignal): Promise<void> {
  const { notifier, receiptKey, taskMs, log } = options;
  const { messageId, receiveCount: attempt } = message;
  const task = parseTask(message.body);
  if (task === undefined) throw new Error("the message is no task of ours");
  const { userId, taskId, data } = task;
  // A task whose receipt nobody can sign is not begun.
  const key = await receiptKey.current();
  if (attempt === 1) {
    // Nice to know, and no reason not to work when it fails.
    await notifier.tell(userId, { taskId, status: "working", data, attempt }).catch((error: unknown) => {
      log.warn({ messageId, err: error }, "the user was not told that the work begins");
    });
  }
  await work(task, taskMs, signal);
  const receipt = receiptFor(task, key);
  await notifier.tellPatiently(
    userId,
    { taskId, status: "done", data, message: `Finished task: ${data}`, receipt, attempt },
    signal,
  );
}

/** Undefined for what is not ours: it is never worked on, and ends in the dead letters as any message that cannot be handled. */
export function parseTask(body: string): Task | undefined {
  try {
    return taskSchema.parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** 1, 2, 4, 8 s after the first failures; after the last one at once, to the dead letters. */
function backoffSeconds(attempt: number): number {
  return attempt > 4 ? 0 : 2 ** (attempt - 1);
}
