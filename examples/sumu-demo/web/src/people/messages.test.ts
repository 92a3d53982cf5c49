import fc from "fast-check";
import { expect, it } from "vitest";
import { keptMax, messageOf, type ReceivedMessage, withMessage } from "./messages.ts";
import { nobody, withConnectedUsers } from "./people.ts";

const aFrame = (id: string, message: object = {}) => ({
  ...{ type: "message", id, message: { text: id, user_id: "b", timestamp: 1000, ...message } },
});

it("keeps the last messages, newest first", () => {
  let messages: readonly ReceivedMessage[] = [];
  for (let at = 0; at <= keptMax; at++) messages = withMessage(messages, aFrame(`m${at}`), nobody);
  expect(messages).toHaveLength(keptMax);
  expect(messages[0]).toEqual({ id: `m${keptMax}`, from: "b", text: `m${keptMax}`, atMs: 1000 });
  expect(messages.at(-1)?.id).toBe("m1");
});

it("names the sender as the message does, else as the list of users does, else by the id", () => {
  const people = withConnectedUsers(nobody, { people: [{ user_id: "b", since: 1, name: "Bob" }] });
  expect(messageOf(aFrame("m", { name: "Robert" }), people)?.from).toBe("Robert");
  expect(messageOf(aFrame("m"), people)?.from).toBe("Bob");
  expect(messageOf(aFrame("m"), nobody)?.from).toBe("b");
});

it("takes only what can be shown, whatever comes", () => {
  const anything = fc.oneof(
    fc.record({ type: fc.constant("message"), message: fc.anything() }),
    fc.double().map((timestamp) => aFrame("m", { timestamp })),
  );
  fc.assert(
    fc.property(anything, (frame) => {
      const message = messageOf(frame, nobody);
      if (message) expect(new Date(message.atMs).toISOString()).toBeTypeOf("string");
    }),
  );
  expect(messageOf(aFrame("m", { timestamp: 1e300 }), nobody)).toBeUndefined();
  expect(messageOf({ ...aFrame("m"), type: "presence" }, nobody)).toBeUndefined();
});
