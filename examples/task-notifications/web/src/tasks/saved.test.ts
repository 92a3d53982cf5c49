import fc from "fast-check";
import { expect, it } from "vitest";
import { aStorage } from "../testing/storage.ts";
import { parseSaved, type Saved, save, savedKey } from "./saved.ts";
import { noTasks } from "./tasks.ts";

const saved: Saved = {
  tasks: {
    list: [{ id: "a", text: "届く", status: "done", attempt: 1, createdAtMs: 1, changedAtMs: 2 }],
    seen: ["done:a"],
  },
  position: { page: 3, sequence: 14 },
  toldUntil: { page: 3, sequence: 14 },
};
const nothing: Saved = { tasks: noTasks, position: undefined, toldUntil: undefined };

it("reads what it wrote, for each user apart", () => {
  const storage = aStorage();
  save(storage, "alice", saved);
  expect(parseSaved(storage.getItem(savedKey("alice")))).toEqual(saved);
  expect(parseSaved(storage.getItem(savedKey("bob")))).toEqual(nothing);
});

it("takes what is broken for nothing", () => {
  const task = saved.tasks.list[0];
  for (const json of [null, "", "{", "[]", "null", "7", '{"list":{},"seen":7,"position":"x"}']) {
    expect(parseSaved(json)).toEqual(nothing);
  }
  const broken = [null, {}, { ...task, status: "gone" }, { ...task, createdAtMs: 1e300 }, { ...task, text: 7 }];
  expect(parseSaved(JSON.stringify({ list: [...broken, task], seen: [1, "done:a"] })).tasks).toEqual(saved.tasks);
  fc.assert(fc.property(fc.json(), (json) => void parseSaved(json)));
});

it("holds no more than the list may", () => {
  const list = Array.from({ length: 500 }, (_, i) => ({ ...saved.tasks.list[0], id: `t-${i}` }));
  expect(parseSaved(JSON.stringify({ list })).tasks.list).toHaveLength(200);
});

it("forgets the users that were away longest, and nothing that is not ours", () => {
  const storage = aStorage();
  storage.setItem("oidc.user", "x");
  for (let i = 0; i < 12; i++) storage.setItem(savedKey(`user-${i}`), JSON.stringify({ savedAtMs: i }));
  save(storage, "alice", saved);
  const users = [...storage.entries.keys()].filter((key) => key !== "oidc.user");
  expect(users.toSorted()).toEqual(
    ["alice", ...[10, 11, 5, 6, 7, 8, 9].map((i) => `user-${i}`)].map(savedKey).toSorted(),
  );
  expect(storage.getItem("oidc.user")).toBe("x");
});

it("goes on when the browser keeps nothing", () => {
  const full = {
    ...aStorage(),
    setItem() {
      throw new DOMException("full", "QuotaExceededError");
    },
  };
  expect(() => save(full, "alice", saved)).not.toThrow();
});
