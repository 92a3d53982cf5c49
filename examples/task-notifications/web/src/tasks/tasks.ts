import type { CheckedNotification } from "./notification.ts";
import { isFinished, isFurther, type Task, type TaskStatus } from "./task.ts";

/** The list, and what it must not forget of tasks that are not in it any more. */
export interface Tasks {
  /** Newest first, in the order in which this device heard of them: a task never changes its place. */
  readonly list: readonly Task[];
  /** Ends that were seen, as `<status>:<id>`, oldest first, so that a doubled notification brings nothing back that was cleared. */
  readonly seen: readonly string[];
}

/** What can happen to the list. */
export type TasksEvent =
  | { readonly kind: "queued"; readonly id: string; readonly text: string; readonly atMs: number }
  | { readonly kind: "notified"; readonly notification: CheckedNotification }
  | { readonly kind: "cleared" }
  /** Another tab has saved its list. */
  | { readonly kind: "shared"; readonly tasks: Tasks };

export const noTasks: Tasks = { list: [], seen: [] };
export const listMaxLength = 200;
export const seenMaxLength = 1000;

/** The list after `event`. Pure; the same object when nothing changed. */
export function reduceTasks(tasks: Tasks, event: TasksEvent): Tasks {
  switch (event.kind) {
    case "queued":
      return put(tasks, queuedTask(event));
    case "notified":
      return put(tasks, toTask(event.notification));
    case "cleared":
      return { ...tasks, list: tasks.list.filter((task) => !isFinished(task.status)) };
    case "shared":
      return share(tasks, event.tasks);
  }
}

/** Whether `after` shows that the task of `notification` came to an end that `before` did not know. */
export function isNews(before: Tasks, { taskId, status }: CheckedNotification, after: Tasks): boolean {
  return isFinished(status) && !before.seen.includes(endOf(status, taskId)) && find(after, taskId)?.status === status;
}

function queuedTask({ id, text, atMs }: { id: string; text: string; atMs: number }): Task {
  return { id, text, status: "queued", attempt: 0, createdAtMs: atMs, changedAtMs: atMs };
}

function toTask({ taskId, text, status, attempt, atMs }: CheckedNotification): Task {
  return { id: taskId, text, status, attempt, createdAtMs: atMs, changedAtMs: atMs };
}

function put(tasks: Tasks, task: Task): Tasks {
  const known = find(tasks, task.id);
  if (!known && wasSeen(tasks, task)) return tasks;
  const seen = remember(tasks.seen, isFinished(task.status) ? [endOf(task.status, task.id)] : []);
  if (!known) return { list: bound([task, ...tasks.list]), seen };
  const next = join(known, task);
  if (next === known && seen === tasks.seen) return tasks;
  return { list: tasks.list.map((one) => (one === known ? next : one)), seen };
}

/** One task of two that tell of the same. */
function join(known: Task, told: Task): Task {
  const isAhead = isFurther(told.status, known.status);
  const attempt = Math.max(known.attempt, told.attempt);
  if (!isAhead && attempt === known.attempt) return known;
  const changed = isAhead ? { status: told.status, changedAtMs: told.changedAtMs } : {};
  return { ...known, ...changed, attempt, text: known.text || told.text };
}

/** Whether the task, though not in the list, was seen at its status or further: then it was cleared, or is too old. */
function wasSeen({ seen }: Tasks, { id, status }: Task): boolean {
  const ends: TaskStatus[] = ["failed", "done"];
  return ends.some((end) => !isFurther(status, end) && seen.includes(endOf(end, id)));
}

/**
 * Takes from another tab what this tab's own stream does not tell: what was queued there, and what was cleared there, which is what the
 * other has seen the end of and does not list. Not the rest, or the tab that hears of an end second would show no toast for it.
 */
function share(mine: Tasks, theirs: Tasks): Tasks {
  const kept = mine.list.filter((task) => !isFinished(task.status) || find(theirs, task.id) || !wasSeen(theirs, task));
  const added = theirs.list.filter((task) => task.status === "queued" && !find(mine, task.id) && !wasSeen(mine, task));
  if (added.length === 0 && kept.length === mine.list.length) return mine;
  return { ...mine, list: bound([...added, ...kept]) };
}

/** The finished go first: of the others there is still something to tell. */
function bound(list: readonly Task[]): readonly Task[] {
  if (list.length <= listMaxLength) return list;
  const excess = list.length - listMaxLength;
  const finished = list.filter((task) => isFinished(task.status)).slice(-excess);
  const rest = finished.length === 0 ? list : list.filter((task) => !finished.includes(task));
  return rest.slice(0, listMaxLength);
}

function remember(seen: readonly string[], ends: readonly string[]): readonly string[] {
  const added = ends.filter((end) => !seen.includes(end));
  return added.length === 0 ? seen : [...seen, ...added].slice(-seenMaxLength);
}

function endOf(status: TaskStatus, id: string): string {
  return `${status}:${id}`;
}

function find({ list }: Tasks, id: string): Task | undefined {
  return list.find((task) => task.id === id);
}
