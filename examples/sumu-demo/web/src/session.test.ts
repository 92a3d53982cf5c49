import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LiveEvent } from "./live/live-event.ts";
import { connected, nameOf } from "./people/people.ts";
import { Session } from "./session.ts";
import { TestSocket } from "./testing/socket.ts";

let told: LiveEvent[];
let session: Session;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", TestSocket);
  vi.stubGlobal("window", new EventTarget());
  TestSocket.all.length = 0;
  told = [];
  session = new Session({
    gatewayUrl: "ws://todoku/push",
    token: async () => "token",
    onEvent: (event) => told.push(event),
  });
});
afterEach(() => {
  session.live.disconnect();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function started(): Promise<TestSocket> {
  session.start();
  await vi.advanceTimersByTimeAsync(0);
  const socket = TestSocket.all.at(-1) as TestSocket;
  socket.accept();
  return socket;
}
const frames = () => told.filter(({ type }) => type === "frame");
const aMessage = (id: string) => ({
  ...{ type: "message", id, message: { text: id, user_id: "b", timestamp: 1, name: "Bob" } },
});

it("asks for the list as soon as it is connected, and tells of its changes by presence", async () => {
  const socket = await started();
  expect(socket.sent.at(-1)).toMatchObject({ action: "publish", message: { type: "get_connected_users" } });
  socket.tell({ type: "connected_users", id: "1", message: { people: [{ user_id: "b", since: 1, name: "Bob" }] } });
  expect(connected(session.state.people).map(nameOf)).toEqual(["Bob"]);
  socket.tell({ type: "presence", id: "2", message: { user_id: "b", status: "OFFLINE", seq: 2, timestamp: 2 } });
  expect(connected(session.state.people)).toEqual([]);
});

it("keeps what came, and takes the same message once", async () => {
  const socket = await started();
  for (const id of ["a", "b", "a"]) socket.tell(aMessage(id));
  expect(session.state.messages.map(({ text }) => text)).toEqual(["b", "a"]);
  expect(frames()).toHaveLength(2);
  expect(session.state.messages[0]).toMatchObject({ from: "Bob" });
});

it("keeps who went and what came while the line is lost", async () => {
  const socket = await started();
  socket.tell({ type: "connected_users", id: "1", message: { people: [{ user_id: "b", since: 1, name: "Bob" }] } });
  socket.tell(aMessage("a"));
  socket.end(1006);
  expect(session.state).toMatchObject({ live: "connecting", messages: [{ text: "a" }] });
  expect(session.state.people.get("b")?.name).toBe("Bob");
});
