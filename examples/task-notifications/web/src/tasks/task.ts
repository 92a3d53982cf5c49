/** How far a task is. `queued` is what the page itself saw; the others come as notifications. */
export type TaskStatus = "queued" | "working" | "done" | "failed";

/** A task as the list shows it. */
export interface Task {
  readonly id: string;
  readonly text: string;
  readonly status: TaskStatus;
  /** How often it was begun; 0 while it is queued. */
  readonly attempt: number;
  /** When this device first heard of it. */
  readonly createdAtMs: number;
  /** When it came to its status. */
  readonly changedAtMs: number;
}

/** The bound of the API. Measured as `String.length`, as it measures. */
export const taskTextMaxLength = 1000;

/**
 * A status is never taken back by a lower one, so the same notifications, doubled or late, give the same list. `done` is above `failed`: a
 * task that was sent round again may succeed, but what is done stays done.
 */
const ranks: Readonly<Record<TaskStatus, number>> = { queued: 0, working: 1, failed: 2, done: 3 };

/** Whether `a` is further than `b`. */
export function isFurther(a: TaskStatus, b: TaskStatus): boolean {
  return ranks[a] > ranks[b];
}

/** Whether nothing more is expected to happen. */
export function isFinished(status: TaskStatus): status is "done" | "failed" {
  return status === "done" || status === "failed";
}
