import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { limits } from "../domain/limits.ts";
import { UnreadAnswers } from "./unread-answers.ts";

const { maxBytes, smallMaxBytes } = limits.unreadAnswers;

it("refuses a large answer past the bound of all, lets small ones through, and forgets what was read or is gone", () => {
  const unread = new UnreadAnswers();
  const [one, two, late] = [new EventEmitter(), new EventEmitter(), new EventEmitter()];
  unread.hold(one, maxBytes / 2);
  unread.hold(two, maxBytes / 2);
  expect(() => unread.hold(late, smallMaxBytes + 1)).toThrow("not yet read");
  expect(() => unread.hold(late, smallMaxBytes)).not.toThrow();
  expect(unread.bytes).toBe(maxBytes);
  unread.hold(one, 0);
  unread.hold(late, smallMaxBytes + 1);
  two.emit("close");
  late.emit("close");
  expect(unread.bytes).toBe(0);
});

it("says no only to who asks for more: what waits already may be read", () => {
  const unread = new UnreadAnswers();
  const [one, two] = [new EventEmitter(), new EventEmitter()];
  unread.hold(one, maxBytes);
  expect(() => unread.hold(two, 5_000_000)).toThrow("not yet read");
  expect(() => unread.hold(one, maxBytes - 1)).not.toThrow();
  expect(() => unread.hold(one, maxBytes)).not.toThrow();
});
