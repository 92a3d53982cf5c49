import { setTimeout as wait } from "node:timers/promises";
import type { Task } from "../shared/task.ts";

/** Stands for what a real application does here: it takes `taskMs`, and fails when the text asks for it. @throws Error; the signal's reason. */
export async function work(task: Task, taskMs: number, signal: AbortSignal): Promise<void> {
  if (/fail/i.test(task.data)) throw new Error("the task's text asks it to fail");
  await wait(taskMs, undefined, { signal }).catch(() => signal.throwIfAborted());
}
