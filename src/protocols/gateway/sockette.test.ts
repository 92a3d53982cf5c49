// The client of the article, unmodified, on Node's own WebSocket.
import Sockette from "sockette";
import { expect, it } from "vitest";
import type { Frame } from "../../../test/support/gateway.ts";
import { aDirectory, aServer } from "../../../test/support/server.ts";

it("sockette connects, pings, and comes back by itself when the server is restarted", async () => {
  await using directory = await aDirectory();
  const first = await aServer({ dataDir: directory.path });
  const frames: Frame[] = [];
  const codes: number[] = [];
  let onClose: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    onClose = resolve;
  });
  let onFrame: () => void = () => {};
  const next = (type: string, seen: number) =>
    new Promise<Frame>((resolve) => {
      onFrame = () => {
        const found = frames.slice(seen).find((frame) => frame.type === type);
        if (found) resolve(found);
      };
      onFrame();
    });
  const client = new Sockette(`ws://127.0.0.1:${first.port}/push?user=alice`, {
    timeout: 20,
    maxAttempts: 500,
    onopen: () => client.json({ action: "ping" }),
    onmessage({ data }) {
      frames.push(JSON.parse(data));
      onFrame();
    },
    onclose({ code }) {
      codes.push(code);
      onClose();
    },
    onerror() {},
  });
  const before = await next("pong", 0);
  const seen = frames.length;
  const port = first.port;
  await first[Symbol.asyncDispose]();
  await closed;
  expect(frames.at(-1)).toMatchObject({ type: "disconnect", reconnect: true });
  expect(codes[0]).toBe(1012);

  await using _second = await aServer({ dataDir: directory.path, port });
  const after = await next("pong", seen);
  expect(after.connectionId).not.toBe(before.connectionId);
  const acked = next("ack", frames.length);
  client.json({ action: "publish", message: { type: "message", message: { text: "back" } } });
  expect(await acked).toMatchObject({ action: "publish" });
  client.close(1000);
});
