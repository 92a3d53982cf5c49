import { z } from "zod";

/** How long the text of a task may be, in UTF-16 units as a browser's `maxlength` counts. */
export const taskDataMaxLength = 1000;

/** A topic has the name of its user: at most 255 bytes (Todoku); the `sub` of an identity provider is ASCII of at most 255 (OpenID Connect 2). */
export const userIdPattern = /^[\x21-\x7e]{1,255}$/;

/** The body of a message in the task queue, as JSON. The worker checks what the API wrote: a queue outlives the code that filled it. */
export const taskSchema = z.object({
  /** The `sub` of the user who asked, and the name of the topic on which that user listens. */
  userId: z.string().regex(userIdPattern),
  /** As long as the id of a message may be; a longer one could make a notification that no topic takes. */
  taskId: z.string().min(1).max(128),
  data: z.string().min(1).max(taskDataMaxLength),
  queuedAtMs: z.number(),
});

export type Task = z.output<typeof taskSchema>;

/** What a user is told, as JSON text on the user's topic. */
export interface TaskNotification {
  readonly type: "task";
  readonly taskId: string;
  readonly status: "working" | "done" | "failed";
  readonly data: string;
  /** A sentence to show; not with `working`. */
  readonly message?: string;
  /** With `done`: what the receipt service accepts as proof. */
  readonly receipt?: string;
  /** How often the task has been begun, from 1. */
  readonly attempt: number;
  /** ISO 8601. */
  readonly at: string;
}
