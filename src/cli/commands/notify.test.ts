import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { aConnection } from "../../../test/support/connections.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

function start(...args: string[]) {
  return runCommand(args, { TODOKU_URL: door.url });
}

async function run(...args: string[]) {
  const command = start(...args);
  return { code: await command.done, stdout: command.stdout, stderr: command.stderr };
}

describe("todoku notify", () => {
  it("sends JSON, or a text, to users, and prints whom it reached", async () => {
    using alice = aConnection(door.connections, "alice");
    using bob = aConnection(door.connections, "bob");
    const sent = await run("notify", "--user", "alice", "--user", "nobody", '{"a":1}', "--id", "n-1");
    expect(sent).toEqual({ code: 0, stdout: "1 reached, 1 offline\n", stderr: "" });
    await run("notify", "--user", "alice", "hello there");
    expect([alice.frames, bob.frames]).toEqual([['{"id":"n-1","a":1}', '"hello there"'], []]);
  });

  it("warns of JSON that is broken, and sends it as the text that it is", async () => {
    using alice = aConnection(door.connections, "alice");
    const sent = await run("notify", "--user", "alice", '{"type":"order"');
    expect(sent).toMatchObject({ code: 0, stderr: expect.stringMatching(/^warning: this is no JSON/) });
    expect(alice.frames).toEqual([JSON.stringify('{"type":"order"')]);
  });

  it("sends to everybody but the excluded, when that is said", async () => {
    using alice = aConnection(door.connections, "alice");
    using bob = aConnection(door.connections, "bob");
    const { stdout } = await run("notify", "--broadcast", "--exclude", "bob", "7", "--json");
    expect(JSON.parse(stdout)).toEqual({ connections: 1, undelivered: 0, held: 0, offlineUsers: 0 });
    expect([alice.frames, bob.frames]).toEqual([["7"], []]);
  });

  it.each([
    [["notify", "x"], "give either --user or --broadcast"],
    [["notify", "--broadcast", "--user", "a", "x"], "give either --user or --broadcast"],
    [["notify", "--user", "a", "--exclude", "b", "x"], "--exclude goes with --broadcast"],
    [["notify", "--broadcast"], "missing required argument"],
    [["connections", "kick"], "give one of a connection's id"],
    [["connections", "kick", "c", "--everyone"], "give one of a connection's id"],
    [["connections", "kick", "--user", "a", "--after-ms", "x"], "whole number"],
  ])("ends with 2 for %j", async (args, message) => {
    expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});

describe("todoku connections", () => {
  it("lists them, all or of one user", async () => {
    using alice = aConnection(door.connections, "alice");
    using _bob = aConnection(door.connections, "b\u202eob");
    const { stdout } = await run("connections", "list");
    expect(stdout).toMatch(/^ID +USER +CONNECTED +LAST ACTIVE +ADDRESS +PATH\n/);
    expect(stdout).toMatch(new RegExp(`\\n${alice.connection.id} +alice +\\d{4}-.* +127.0.0.1 +/push\\n`));
    expect(stdout).toContain("b\\u202eob");
    const ofUser = JSON.parse((await run("connections", "list", "--user", "alice", "--json")).stdout);
    expect(ofUser).toMatchObject({ connections: [{ connectionId: alice.connection.id, userId: "alice" }] });
  });

  it("ends them, and tells their clients what to do", async () => {
    const [first, second] = [aConnection(door.connections, "alice"), aConnection(door.connections, "alice")];
    expect((await run("connections", "kick", first.connection.id, "--after-ms", "500")).stdout).toBe("ended 1\n");
    expect(first.ended).toEqual({ reason: "kicked", reconnect: true, afterMs: 500 });
    await run("connections", "kick", "--user", "alice", "--no-reconnect", "--reason", "abuse");
    expect(second.ended).toEqual({ reason: "abuse", reconnect: false });
    const third = aConnection(door.connections, "carol");
    expect((await run("connections", "kick", "--everyone")).stdout).toMatch(/^ended \d+\n$/);
    expect(third.ended).toBeDefined();
  });
});

describe("todoku presence watch", () => {
  it("prints who comes and goes, and nothing else that is published there", async () => {
    const [all, one] = [start("presence", "watch"), start("presence", "watch", "--user", "bob", "--json")];
    while (door.topics.stats().get("dev")?.subscriptions !== 2) await new Promise((resolve) => setImmediate(resolve));
    const tell = (text: string) => {
      const value = { isText: true, bytes: Buffer.from(text) };
      return door.topics.publish(door.principal, "events", "presence", { value });
    };
    const presence = (user_id: string, status: string, seq: number) =>
      tell(JSON.stringify({ type: "presence", message: { user_id, status, timestamp: 1_795_000_000.25, seq } }));
    await tell("no JSON");
    await tell('{"type":"presence","message":null}');
    await tell('{"type":"presence","message":{"user_id":"bob","status":"ONLINE","timestamp":1e300,"seq":1}}');
    await presence("ali\u0007ce", "ONLINE", 1);
    await presence("bob", "OFFLINE", 2);
    expect(await all.line("stdout", /bob/)).toBe("2026-11-18T11:06:40.250Z  OFFLINE  bob  (2)");
    expect(all.stdout.split("\n")[0]).toBe("2026-11-18T11:06:40.250Z  ONLINE  ali\\u0007ce  (1)");
    const line = await one.line("stdout", /bob/);
    expect(JSON.parse(line)).toEqual({ user_id: "bob", status: "OFFLINE", timestamp: 1_795_000_000.25, seq: 2 });
    expect(one.stdout).toBe(`${line}\n`);
    for (const command of [all, one]) {
      command.interrupt();
      expect(await command.done).toBe(0);
    }
  });
});
