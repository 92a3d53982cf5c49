import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CheckedNotification } from "./notification.ts";
import type { TaskStatus } from "./task.ts";
import { isNews, listMaxLength, noTasks, reduceTasks, seenMaxLength, type Tasks, type TasksEvent } from "./tasks.ts";

const told = (taskId: string, status: CheckedNotification["status"], attempt = 1): CheckedNotification => ({
  taskId,
  status,
  attempt,
  text: `text of ${taskId}`,
  message: "",
  atMs: 1000,
});
const notified = (...args: Parameters<typeof told>): TasksEvent => ({ kind: "notified", notification: told(...args) });
const queued = (id: string, atMs = 500): TasksEvent => ({ kind: "queued", id, text: `text of ${id}`, atMs });
const cleared: TasksEvent = { kind: "cleared" };
const after = (events: TasksEvent[], tasks: Tasks = noTasks) => events.reduce(reduceTasks, tasks);
const statuses = ({ list }: Tasks) => Object.fromEntries(list.map(({ id, status }) => [id, status]));

describe("the list", () => {
  it("follows a task from the form to its end, and keeps when it was made", () => {
    const tasks = after([queued("a"), notified("a", "working"), notified("a", "done")]);
    expect(tasks.list).toEqual([
      { id: "a", text: "text of a", status: "done", attempt: 1, createdAtMs: 500, changedAtMs: 1000 },
    ]);
  });

  it("shows the newest first, and no task changes its place", () => {
    const before = after([queued("a"), queued("b"), queued("c")]);
    const later = after([notified("a", "working"), notified("b", "done"), queued("b")], before);
    for (const { list } of [before, later]) expect(list.map(({ id }) => id)).toEqual(["c", "b", "a"]);
  });

  it("is the same object when nothing has changed", () => {
    const tasks = after([queued("a"), notified("a", "done")]);
    expect(reduceTasks(tasks, notified("a", "done"))).toBe(tasks);
    expect(reduceTasks(tasks, notified("a", "working"))).toBe(tasks);
    expect(reduceTasks(tasks, queued("a"))).toBe(tasks);
  });

  it("lets a failed task succeed, but no done one fail", () => {
    expect(statuses(after([notified("a", "failed"), notified("a", "done")]))).toEqual({ a: "done" });
    expect(statuses(after([notified("a", "done"), notified("a", "failed")]))).toEqual({ a: "done" });
  });

  it("counts the tries of a task that is still worked on", () => {
    const [task] = after([notified("a", "working", 1), notified("a", "working", 3)]).list;
    expect(task).toMatchObject({ status: "working", attempt: 3, changedAtMs: 1000 });
  });

  it("comes to the same statuses in whatever order, and however often, notifications come", () => {
    const ids = fc.constantFrom("a", "b", "c");
    const ends = fc.constantFrom<CheckedNotification["status"]>("working", "done", "failed");
    const notifications = fc.array(fc.tuple(ids, ends), { maxLength: 12 });
    const shuffled = notifications.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
    );
    fc.assert(
      fc.property(shuffled, ([once, twice]) => {
        const of = (pairs: typeof once) => statuses(after(pairs.map((pair) => notified(...pair))));
        expect(of(twice)).toEqual(of(once));
      }),
    );
  });

  it("holds 200 tasks; the finished go first", () => {
    const many = Array.from({ length: listMaxLength }, (_, i) => notified(`done-${i}`, "done"));
    const tasks = after([queued("waits"), ...many, queued("last")]);
    expect(tasks.list).toHaveLength(listMaxLength);
    expect(tasks.list[0]?.id).toBe("last");
    expect(tasks.list.at(-1)?.id).toBe("waits");
    const running = after(Array.from({ length: listMaxLength + 5 }, (_, i) => queued(`q-${i}`)));
    expect(running.list.map(({ id }) => id)).toEqual(
      Array.from({ length: listMaxLength }, (_, i) => `q-${listMaxLength + 4 - i}`),
    );
  });

  it("brings nothing back that was cleared, but shows a cleared failed task when it is done after all", () => {
    const tasks = after([notified("a", "failed"), notified("b", "done"), queued("c"), cleared]);
    expect(statuses(tasks)).toEqual({ c: "queued" });
    const doubled = after([notified("a", "working"), notified("a", "failed"), notified("b", "done")], tasks);
    expect(doubled).toBe(tasks);
    expect(statuses(reduceTasks(tasks, notified("a", "done")))).toEqual({ a: "done", c: "queued" });
  });

  it("remembers a bounded number of ends", () => {
    const tasks = after(Array.from({ length: seenMaxLength + 50 }, (_, i) => notified(`t-${i}`, "done")));
    expect(tasks.seen).toHaveLength(seenMaxLength);
    expect(tasks.seen.at(-1)).toBe(`done:t-${seenMaxLength + 49}`);
  });
});

describe("news", () => {
  const newsOf = (taskId: string, status: CheckedNotification["status"], before: Tasks) =>
    isNews(before, told(taskId, status), reduceTasks(before, notified(taskId, status)));

  it("are ends that were not known, each once", () => {
    const working = after([notified("a", "working")]);
    expect(newsOf("a", "done", working)).toBe(true);
    expect(newsOf("a", "working", noTasks)).toBe(false);
    expect(newsOf("a", "done", after([notified("a", "done")]))).toBe(false);
    expect(newsOf("a", "done", after([notified("a", "done"), cleared]))).toBe(false);
    expect(newsOf("a", "done", after([notified("a", "failed")]))).toBe(true);
    expect(newsOf("a", "failed", after([notified("a", "done")]))).toBe(false);
  });
});

describe("another tab", () => {
  const shared = (tasks: Tasks): TasksEvent => ({ kind: "shared", tasks });

  it("shares what was queued there", () => {
    const mine = after([queued("a")]);
    expect(statuses(after([shared(after([queued("b")]))], mine))).toEqual({ a: "queued", b: "queued" });
  });

  it("shares what was cleared there, and nothing that is not finished", () => {
    const both = after([notified("a", "done"), notified("b", "working")]);
    const theirs = after([cleared], both);
    expect(statuses(after([shared(theirs)], both))).toEqual({ b: "working" });
  });

  it("takes no news away: who hears of an end second still tells it", () => {
    const mine = after([queued("a")]);
    const theirs = after([notified("a", "done")], mine);
    const next = after([shared(theirs)], mine);
    expect(next).toBe(mine);
    expect(isNews(next, told("a", "done"), after([notified("a", "done")], next))).toBe(true);
  });

  it("brings back nothing that was cleared here", () => {
    const both = after([notified("a", "done")]);
    const mine = after([cleared], both);
    expect(after([shared(both)], mine)).toBe(mine);
    const queuedThere: Tasks = {
      list: both.list.map((task) => ({ ...task, status: "queued" as TaskStatus })),
      seen: [],
    };
    expect(after([shared(queuedThere)], mine)).toBe(mine);
  });
});
