import fc from "fast-check";
import { expect, it } from "vitest";
import { connected, nobody, type People, withConnectedUsers, withPresence } from "./people.ts";

const presence = (user_id: string, status: "ONLINE" | "OFFLINE", seq: number, timestamp = seq) => ({
  ...{ user_id, status, seq, timestamp },
});
const list = (...people: { user_id: string; since: number; name?: string }[]) => ({ people });
const idsOf = (people: People) => connected(people).map(({ userId }) => userId);

it("knows who came and went, by name", () => {
  let people = withConnectedUsers(
    nobody,
    list({ user_id: "b", since: 1000, name: "Bob" }, { user_id: "c", since: 1000 }),
  );
  expect(connected(people).map(({ userId, name }) => [userId, name])).toEqual([
    ["b", "Bob"],
    ["c", undefined],
  ]);
  people = withPresence(people, presence("b", "OFFLINE", 5));
  expect(idsOf(people)).toEqual(["c"]);
  people = withPresence(people, presence("b", "ONLINE", 6));
  expect(connected(people)[0]).toMatchObject({ userId: "b", name: "Bob" });
});

it("stands at the newest presence of each user, in whatever order and however often they come (B16)", () => {
  const events = fc
    .array(fc.record({ user: fc.constantFrom("a", "b"), isOnline: fc.boolean() }), { minLength: 1, maxLength: 12 })
    .map((all) => all.map(({ user, isOnline }, at) => presence(user, isOnline ? "ONLINE" : "OFFLINE", at + 1)));
  const shuffled = events.chain((inOrder) =>
    fc.tuple(
      fc.constant(inOrder),
      fc.shuffledSubarray([...inOrder, ...inOrder], { minLength: inOrder.length * 2, maxLength: inOrder.length * 2 }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([inOrder, anyOrder]) => {
      expect(idsOf(anyOrder.reduce(withPresence, nobody))).toEqual(idsOf(inOrder.reduce(withPresence, nobody)));
    }),
  );
});

it("is the same object when nothing is new, so that nobody is told twice", () => {
  const people = withPresence(nobody, presence("b", "ONLINE", 5));
  expect(withPresence(people, presence("b", "ONLINE", 5))).toBe(people);
  expect(withPresence(people, presence("b", "OFFLINE", 4))).toBe(people);
});

it("takes a new list for the truth, but for who has gone since it was made", () => {
  let people = withConnectedUsers(nobody, list({ user_id: "b", since: 1000 }, { user_id: "c", since: 1000 }));
  people = withConnectedUsers(people, list({ user_id: "c", since: 1000 }));
  expect(idsOf(people)).toEqual(["c"]);
  people = withPresence(people, presence("c", "OFFLINE", 9));
  expect(idsOf(withConnectedUsers(people, list({ user_id: "c", since: 1000 })))).toEqual([]);
  expect(idsOf(withConnectedUsers(people, list({ user_id: "c", since: 10_000 })))).toEqual(["c"]);
});

it("does not let an old OFFLINE that comes late take away who is in the list", () => {
  const people = withConnectedUsers(nobody, list({ user_id: "b", since: 20_000 }));
  expect(withPresence(people, presence("b", "OFFLINE", 3, 10))).toBe(people);
  expect(idsOf(withPresence(people, presence("b", "OFFLINE", 5, 30)))).toEqual([]);
});

it("reads the article's list of ids, and stays as it is for whatever else comes", () => {
  expect(idsOf(withConnectedUsers(nobody, { users: ["b", 7, "a"] }))).toEqual(["a", "b"]);
  fc.assert(
    fc.property(fc.anything(), (message) => {
      expect(withPresence(nobody, message)).toBeDefined();
      expect(withConnectedUsers(nobody, message)).toBeDefined();
    }),
  );
  expect(withPresence(nobody, { user_id: "b", status: "AWAY", seq: 1, timestamp: 1 })).toBe(nobody);
});
