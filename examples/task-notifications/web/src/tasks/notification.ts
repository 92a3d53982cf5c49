import type { TaskNotification } from "../../../shared/task.ts";
import { taskTextMaxLength } from "./task.ts";

/** A notification whose parts were checked and cut to what the list can hold. */
export interface CheckedNotification extends Pick<TaskNotification, "taskId" | "status" | "attempt"> {
  readonly text: string;
  /** What the worker says about it; "" when nothing. */
  readonly message: string;
  readonly atMs: number;
}

const idMaxLength = 200;
/** The worker's sentence is a little longer than the text in it. */
const messageMaxLength = taskTextMaxLength + 100;
const statuses: readonly unknown[] = ["working", "done", "failed"] satisfies TaskNotification["status"][];

/** Reads a message of the user's topic; undefined for what is no notification of a task. Never throws, whatever the message is. */
export function readNotification(text: string, nowMs: number): CheckedNotification | undefined {
  const value = parse(text);
  if (value?.type !== "task" || !statuses.includes(value.status)) return undefined;
  const { taskId, data, message, attempt, at } = value;
  if (typeof taskId !== "string" || taskId === "" || taskId.length > idMaxLength) return undefined;
  const atMs = typeof at === "string" ? Date.parse(at) : Number.NaN;
  return {
    taskId,
    status: value.status as TaskNotification["status"],
    text: cut(data, taskTextMaxLength),
    message: cut(message, messageMaxLength),
    attempt: Number.isSafeInteger(attempt) ? Math.max(1, attempt as number) : 1,
    atMs: Number.isNaN(atMs) ? nowMs : atMs,
  };
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** At most `maxLength` of a text; a character is not cut in two. */
function cut(value: unknown, maxLength: number): string {
  if (typeof value !== "string") return "";
  return value.length <= maxLength ? value.toWellFormed() : value.slice(0, maxLength).replace(/[\ud800-\udbff]$/, "");
}
