import { expect, it } from "vitest";
import { audienceProblem, whereItGoes } from "./audience.ts";
import { nobody, withConnectedUsers, withPresence } from "./people.ts";

const listed = withConnectedUsers(nobody, {
  people: ["Bob", "Carol", "Dan"].map((name) => ({ user_id: name.toLowerCase(), since: 1000, name })),
});
/** Bob and Carol have gone. */
const people = ["bob", "carol"].reduce(
  (before, user_id) => withPresence(before, { user_id, status: "OFFLINE", seq: 2, timestamp: 2 }),
  listed,
);

it.each([
  [[], "Choose at least one user."],
  [["bob"], "Bob is not there."],
  [["bob", "carol"], "Bob and Carol are not there."],
  [["stranger"], "stranger is not there."],
  [["bob", "dan"], undefined],
])("to %j there is something to say when nobody would get it: %s", (users, problem) => {
  expect(audienceProblem({ push_mode: "MULTICAST", users }, people)).toBe(problem);
});

it.each(["UNICAST", "BROADCAST"] as const)("%s needs no choice", (push_mode) => {
  expect(audienceProblem({ push_mode }, nobody)).toBeUndefined();
});

it.each([
  ["UNICAST", undefined, "It goes to all of your windows."],
  ["BROADCAST", undefined, "It goes to everybody else who is there."],
  ["MULTICAST", ["dan"], "It goes to Dan."],
  ["MULTICAST", ["bob", "dan", "carol"], "It goes to Dan. Bob and Carol are not there."],
] as const)("says where %s to %j goes, by name, and who is not there", (push_mode, users, text) => {
  expect(whereItGoes({ push_mode, ...(users ? { users } : {}) }, people)).toBe(text);
});
