import fc from "fast-check";
import { expect, it } from "vitest";
import { readNotification } from "./notification.ts";

const nowMs = 1_795_000_000_000;
const notification = {
  type: "task",
  taskId: "t-1",
  status: "done",
  data: "Write <b>it</b>",
  message: "Finished task: Write <b>it</b>",
  attempt: 2,
  at: "2026-11-22T10:00:00.000Z",
};
const read = (value: unknown) => readNotification(JSON.stringify(value), nowMs);

it("reads what the worker sends", () => {
  expect(read(notification)).toEqual({
    taskId: "t-1",
    status: "done",
    text: "Write <b>it</b>",
    message: "Finished task: Write <b>it</b>",
    attempt: 2,
    atMs: Date.parse("2026-11-22T10:00:00Z"),
  });
});

it("takes what is missing or of a wrong shape for nothing", () => {
  const bare = { type: "task", taskId: "t-1", status: "working", data: 7, message: {}, attempt: "x", at: "yesterday" };
  expect(read(bare)).toEqual({ taskId: "t-1", status: "working", text: "", message: "", attempt: 1, atMs: nowMs });
});

it.each([
  { ...notification, type: "chat" },
  { ...notification, status: "queued" },
  { ...notification, status: "toString" },
  { ...notification, taskId: "" },
  { ...notification, taskId: "x".repeat(201) },
  { ...notification, taskId: ["t-1"] },
  [],
  null,
  7,
  "task",
])("ignores %j", (value) => {
  expect(read(value)).toBeUndefined();
});

it("cuts a text of 100 kB, but no character in two", () => {
  const text = read({ ...notification, data: `x${"😀".repeat(50_000)}` })?.text ?? "";
  expect(text).toHaveLength(999);
  expect(text.isWellFormed()).toBe(true);
});

it("never throws, and what it gives has bounds", () => {
  const keys = fc.constantFrom("type", "taskId", "status", "data", "message", "attempt", "at");
  const values = fc.oneof(fc.constantFrom<unknown>("task", "done", "failed"), fc.jsonValue(), fc.string());
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.dictionary(keys, values).map((value) => JSON.stringify(value)),
      ),
      (text) => {
        const result = readNotification(text, nowMs);
        if (!result) return;
        expect(result.text.length).toBeLessThanOrEqual(1000);
        expect(result.attempt).toBeGreaterThanOrEqual(1);
        expect(() => new Date(result.atMs).toISOString()).not.toThrow();
      },
    ),
  );
});
