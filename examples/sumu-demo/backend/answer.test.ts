import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answer, type Tools } from "./answer.ts";
import { parseIncoming } from "./incoming.ts";

const atMs = 1_700_000_000_123;

function attributesOf(userId: string, source = "apigw.route.publish", timestamp = String(atMs)) {
  return {
    user_id: { type: "String", value: userId },
    source: { type: "String", value: source },
    timestamp: { type: "Number", value: timestamp },
  };
}

const everybody: Tools = {
  mayMessage: () => true,
  nameOf: (userId) => (userId === "alice" ? "Alice" : undefined),
  connectedUsers: async () => ({
    users: ["alice", "bob", "carol"].map((userId, index) => ({ userId, sinceMs: index })),
    hasMore: false,
  }),
};

/** What is answered to a body that alice has sent. */
async function answered(body: unknown, tools: Partial<Tools> = {}, source?: string) {
  const incoming = parseIncoming("m-1", JSON.stringify(body), attributesOf("alice", source));
  return incoming && answer(incoming, { ...everybody, ...tools });
}
const chat = (message: unknown) => ({ type: "message", message });
const said = { type: "message", message: { text: "hi", user_id: "alice", timestamp: atMs, name: "Alice" } };
const refused = (reason: string) => ({ users: ["alice"], data: { type: "refused", message: { reason } }, id: "m-1" });

describe("a chat message", () => {
  it("goes by UNICAST to all of the sender's own devices", async () => {
    const request = await answered(chat({ text: "hi", push_mode: "UNICAST", users: ["bob"] }));
    expect(request).toMatchObject({ users: ["alice"], data: said, id: "m-1" });
    expect(request).not.toHaveProperty("exclude_users");
  });

  it("goes by MULTICAST to the chosen users, each once, and not to the sender", async () => {
    const request = await answered(
      chat({ text: "hi", push_mode: "MULTICAST", users: ["bob", "alice", "bob", "carol"] }),
    );
    expect(request).toMatchObject({ users: ["bob", "carol"], data: said });
  });

  it("goes by BROADCAST to everybody but the sender", async () => {
    const request = await answered(chat({ text: "hi", push_mode: "BROADCAST", users: ["bob"] }));
    expect(request).toMatchObject({ exclude_users: ["alice"], data: said });
    expect(request).not.toHaveProperty("users");
  });

  it.each([
    [{ text: "hi", push_mode: "MULTICAST" }, "No other user is chosen."],
    [{ text: "hi", push_mode: "MULTICAST", users: null }, "No other user is chosen."],
    [{ text: "hi", push_mode: "MULTICAST", users: [] }, "No other user is chosen."],
    [{ text: "hi", push_mode: "MULTICAST", users: ["alice", ""] }, "No other user is chosen."],
    [{ text: "hi", push_mode: "MULTICAST", users: "bob" }, "The users must be a list of ids."],
    [{ text: "hi", push_mode: "EVERYCAST" }, "The push mode must be UNICAST, MULTICAST or BROADCAST."],
    [{ text: "hi" }, "The push mode must be UNICAST, MULTICAST or BROADCAST."],
    [{ text: " \n", push_mode: "BROADCAST" }, "The text is empty."],
    [{ text: "a".repeat(151), push_mode: "BROADCAST" }, "The text has more than 150 characters."],
  ])("that does not say whom it is for, or what, is refused and reaches nobody (B25): %j", async (message, reason) => {
    expect(await answered(chat(message))).toEqual(refused(reason));
  });

  it("is refused when the sender may not message one of the users (B27)", async () => {
    const message = chat({ text: "hi", push_mode: "MULTICAST", users: ["bob", "carol"] });
    const mayMessage = async (from: string, to: string) => !(from === "alice" && to === "carol");
    expect(await answered(message, { mayMessage })).toEqual(refused("You may not message all of these users."));
  });

  it("has the identity that Todoku knows, whatever the body says", async () => {
    const lie = { text: "hi", push_mode: "BROADCAST", user_id: "bob", name: "Bob", timestamp: 1 };
    expect(await answered({ ...chat(lie), user_id: "bob" })).toMatchObject({ exclude_users: ["alice"], data: said });
  });

  it("never becomes a broadcast unless it says so, whatever it says", async () => {
    const anything = fc.record(
      { text: fc.anything(), push_mode: fc.oneof(fc.anything(), fc.constant("MULTICAST")), users: fc.anything() },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, fc.anything()), async (message) => {
        fc.pre((message as { push_mode?: unknown } | null)?.push_mode !== "BROADCAST");
        const request = await answered(chat(message));
        return (request?.users?.length ?? 0) > 0 && request?.exclude_users === undefined;
      }),
    );
  });
});

describe("presence", () => {
  const presence = { user_id: "alice", status: "OFFLINE", timestamp: 1_700_000_000.5, seq: 7 };

  it("goes to everybody but the one whose it is", async () => {
    const request = await answered({ type: "presence", message: presence }, {}, "lambda.presence.watchdog");
    expect(request).toEqual({
      exclude_users: ["alice"],
      data: { type: "presence", message: { ...presence, name: "Alice" } },
      id: "m-1",
    });
  });

  it("that a client makes up is refused", async () => {
    const reason = "The type of the message must be message or get_connected_users.";
    expect(await answered({ type: "presence", message: presence })).toEqual(refused(reason));
  });
});

describe("get_connected_users", () => {
  it("is answered to the one who asks, with everybody else", async () => {
    expect(await answered({ type: "get_connected_users", message: { usage: "contact" } })).toEqual({
      users: ["alice"],
      data: {
        type: "connected_users",
        message: {
          users: ["bob", "carol"],
          people: [
            { user_id: "bob", since: 1 },
            { user_id: "carol", since: 2 },
          ],
          has_more: false,
        },
      },
      id: "m-1",
    });
  });
});

describe("what is passed over", () => {
  it("is what has no attributes of Todoku, no JSON, or another source", async () => {
    const text = JSON.stringify(chat({ text: "hi", push_mode: "BROADCAST" }));
    expect(parseIncoming("m-1", text, undefined)).toBeUndefined();
    expect(parseIncoming("m-1", text, { ...attributesOf("alice"), user_id: undefined })).toBeUndefined();
    expect(parseIncoming("m-1", text, attributesOf(""))).toBeUndefined();
    expect(parseIncoming("m-1", text, attributesOf("alice", "apigw.route.send", "soon"))).toBeUndefined();
    expect(parseIncoming("m-1", "{", attributesOf("alice"))).toBeUndefined();
    expect(parseIncoming("m-1", undefined, attributesOf("alice"))).toBeUndefined();
    expect(await answered(chat({ text: "hi", push_mode: "BROADCAST" }), {}, "somebody")).toBeUndefined();
  });
});
