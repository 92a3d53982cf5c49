import { formatPosition, type Position, parsePosition } from "../live/position.ts";
import type { Task, TaskStatus } from "./task.ts";
import { listMaxLength, noTasks, seenMaxLength, type Tasks } from "./tasks.ts";

/** What the browser keeps of one user. */
export interface Saved {
  readonly tasks: Tasks;
  /** The last message that is in `tasks`: where to go on. Undefined when the list is to be read anew. */
  readonly position: Position | undefined;
  /** Messages up to here were shown as toasts, or are older than this device. */
  readonly toldUntil: Position | undefined;
}

/** The part of `localStorage` that is used here. */
export type SavedStorage = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/** Users of one browser that are remembered; past it the one that was away longest is forgotten. */
const usersMax = 8;
const prefix = "todoku-tasks:";
const statuses: readonly unknown[] = ["queued", "working", "done", "failed"] satisfies TaskStatus[];

/** Each user has a key of its own: nobody sees another's list, whoever signed in before. */
export function savedKey(userId: string): string {
  return `${prefix}${userId}`;
}

/** What was saved; nothing when there is nothing, or something else stands there. */
export function parseSaved(json: string | null): Saved {
  const value = parseObject(json);
  const list = Array.isArray(value.list) ? value.list.filter(isTask).slice(0, listMaxLength) : [];
  const seen = Array.isArray(value.seen) ? value.seen.filter((end) => typeof end === "string") : [];
  return {
    tasks: list.length === 0 && seen.length === 0 ? noTasks : { list, seen: seen.slice(-seenMaxLength) },
    position: parsePosition(value.position),
    toldUntil: parsePosition(value.toldUntil),
  };
}

/** Saves, and forgets users beyond the bound. A browser that keeps nothing (its storage is full, or forbidden) is no error. */
export function save(storage: SavedStorage, userId: string, { tasks, position, toldUntil }: Saved): void {
  const json = JSON.stringify({
    list: tasks.list,
    seen: tasks.seen,
    position: position && formatPosition(position),
    toldUntil: toldUntil && formatPosition(toldUntil),
    savedAtMs: Date.now(),
  });
  try {
    storage.setItem(savedKey(userId), json);
    forgetOthers(storage);
  } catch {
    // The list is in memory, and the topic's history fills it again.
  }
}

function forgetOthers(storage: SavedStorage): void {
  const keys = Array.from({ length: storage.length }, (_, i) => storage.key(i) ?? "").filter((k) =>
    k.startsWith(prefix),
  );
  if (keys.length <= usersMax) return;
  const savedAtMs = (key: string) => Number(parseObject(storage.getItem(key)).savedAtMs) || 0;
  const oldestFirst = keys.toSorted((a, b) => savedAtMs(a) - savedAtMs(b));
  for (const key of oldestFirst.slice(0, keys.length - usersMax)) storage.removeItem(key);
}

function parseObject(json: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json ?? "{}");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isTask(value: unknown): value is Task {
  const task = value as Partial<Task> | null;
  return (
    typeof task?.id === "string" &&
    typeof task.text === "string" &&
    statuses.includes(task.status) &&
    Number.isFinite(task.attempt) &&
    isTime(task.createdAtMs) &&
    isTime(task.changedAtMs)
  );
}

/** What a `Date` can hold. */
function isTime(ms: number | undefined): boolean {
  return ms !== undefined && Math.abs(ms) <= 8.64e15;
}
