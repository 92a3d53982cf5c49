// kill -9 of a server with users: nobody who is back is announced again, and nobody who is not stays ONLINE.
import { once } from "node:events";
import { expect, it } from "vitest";
import { WebSocket } from "ws";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";
import { follow } from "../support/sse.ts";
import type { PresenceBody } from "../support/users.ts";

// Time for a process to be reached under load.
const graceMs = 2000;

async function connect(server: DevProcess, user: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/push?user=${user}`);
  await once(socket, "open");
  return socket;
}

/** The first changes of presence that the topic has, from its start. */
async function told(server: DevProcess, count: number): Promise<PresenceBody["message"][]> {
  const stream = await follow(`http://127.0.0.1:${server.port}/v1/topics/events/presence?after=0-0`);
  const changes: PresenceBody["message"][] = [];
  while (changes.length < count) {
    const { text } = await stream.nextData<{ text?: string }>();
    if (text !== undefined) changes.push((JSON.parse(text) as PresenceBody).message);
  }
  stream.close();
  return changes;
}

it("after kill -9 tells OFFLINE of those who do not come back, and nothing of those who do", async () => {
  await using directory = await aDirectory();
  const args = [
    "--port",
    "0",
    "--data-dir",
    directory.path,
    "--gateway-presence-grace-seconds",
    String(graceMs / 1000),
  ];
  const first = await startDevProcess(args);
  const sockets = [await connect(first, "alice"), await connect(first, "alice"), await connect(first, "bob")];
  const online = await told(first, 2);
  await first.end("SIGKILL");
  for (const socket of sockets) socket.terminate();
  const second = await startDevProcess(args);
  const alice = await connect(second, "alice");
  const changes = await told(second, 3);
  expect(changes.slice(0, 2)).toEqual(online);
  expect(changes.map(({ user_id, status }) => `${user_id} ${status}`)).toEqual([
    "alice ONLINE",
    "bob ONLINE",
    "bob OFFLINE",
  ]);
  expect(changes[2]?.seq).toBeGreaterThan(changes[1]?.seq ?? Number.NaN);
  // Whoever leaves is told after the grace, so that nothing was told of alice between.
  alice.terminate();
  expect((await told(second, 4))[3]).toMatchObject({ user_id: "alice", status: "OFFLINE" });
  await second.end("SIGTERM");
});
