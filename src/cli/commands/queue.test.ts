import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ wallMs: Date.UTC(2026, 0, 2) });
});
// To open a door for each test takes longer than most of them. A queue goes before the one that takes its dead letters.
afterEach(async () => {
  for (const name of ["q", "dead"]) await door.queues.delete(door.principal, name).catch(() => {});
});
afterAll(() => door[Symbol.asyncDispose]());

async function run(...args: string[]) {
  const command = runCommand(["queue", ...args], { TODOKU_URL: door.url });
  return [await command.done, command.stdout, command.stderr];
}

describe("todoku queue", () => {
  it("creates, lists, shows, purges and deletes", async () => {
    expect(await run("create", "dead")).toEqual([0, "created queue dead\n", ""]);
    const settings = ["--visibility", "1.5", "--delay", "2", "--retention", "60"];
    await run("create", "q", ...settings, "--dead-letter", "dead", "--max-receives", "3");
    const list = [
      "NAME  VISIBILITY  DELAY  RETENTION  DEAD LETTERS",
      "dead  30 s        0 s    345600 s   -",
      "q     1.5 s       2 s    60 s       dead after 3",
    ];
    expect(await run("list")).toEqual([0, `${list.join("\n")}\n`, ""]);
    await run("send", "q", "a", "--message-id", "m");
    const [, shown] = await run("show", "q");
    expect(shown).toMatch(
      /\n\nREADY {2}DELAYED {2}IN FLIGHT {2}BYTES {2}OLDEST\n0 {6}1 {8}0 {10}\d+ +2026-01-02T00:00:00.000Z\n$/,
    );
    expect(await run("purge", "q")).toEqual([0, "purged queue q\n", ""]);
    expect(JSON.parse(String((await run("show", "q", "--json"))[1]))).toMatchObject({ messages: { delayed: 0 } });
    expect(await run("delete", "q")).toEqual([0, "deleted queue q\n", ""]);
    expect(await run("delete", "q")).toEqual([
      1,
      "",
      'error: queue "q" does not exist\ntodoku queue list shows the queues there are\n',
    ]);
  });

  it("updates what is given, and shows wait, size, sources and tags", async () => {
    await run("create", "dead", "--dead-letter-source", "q", "r", "--tag", "team=a=b", "stage=dev");
    await run("create", "q", "--dead-letter", "dead", "--max-receives", "3", "--wait", "2");
    expect(await run("update", "q", "--no-dead-letter", "--message-max-bytes", "1024")).toEqual([
      0,
      "updated queue q\n",
      "",
    ]);
    const q = JSON.parse(String((await run("show", "q", "--json"))[1]));
    expect(q).toMatchObject({ waitSeconds: 2, messageMaxBytes: 1024 });
    expect(q).not.toHaveProperty("deadLetter");
    await run("update", "dead", "--untag", "stage", "--wait", "1.5");
    const [, shown] = await run("show", "dead");
    expect(shown).toContain(
      "WAIT   LARGEST MESSAGE  DEAD LETTERS FROM  TAGS\n1.5 s  262144 bytes     q, r               team=a=b\n",
    );
    expect(await run("create", "other", "--dead-letter", "dead", "--max-receives", "1")).toEqual([
      ...[1, ""],
      expect.stringContaining('queue "dead" takes no dead letters of queue "other"'),
    ]);
    expect((await run("update", "q", "--tag", "x"))[2]).toContain("It must be <key>=<value>.");
    await run("update", "dead", "--no-dead-letter-source");
    expect(JSON.parse(String((await run("show", "dead", "--json"))[1]))).not.toHaveProperty("deadLetterSources");
  });

  it("sends, peeks and receives, with the body on one line", async () => {
    await run("create", "q");
    expect(await run("send", "q", "a\n\u001b[31mb", "--message-id", "m")).toEqual([0, "m\n", ""]);
    expect(await run("send", "q", "c", "--message-id", "m")).toEqual([0, "m (sent before with this id)\n", ""]);
    expect(await run("peek", "q")).toEqual([0, "1  ready  2026-01-02T00:00:00.000Z  m  0  a\\n\\u001b[31mb\n", ""]);
    expect(await run("receive", "q", "--max", "2")).toEqual([
      0,
      "2026-01-02T00:00:00.000Z  m  1  a\\n\\u001b[31mb\n",
      "",
    ]);
    expect(await run("receive", "q")).toEqual([0, "", "nothing to receive\n"]);
    expect(await run("peek", "q", "--after", "1")).toEqual([0, "", ""]);
  });

  it("shows the attributes of a message, such as who sent it", async () => {
    await run("create", "q");
    const attributes = { user_id: { type: "String" as const, value: "ali\u0007ce" } };
    await door.queueMessages.send(door.principal, "q", [{ body: "a", attributes, messageId: "m" }]);
    const line = "2026-01-02T00:00:00.000Z  m  1  user_id=ali\\u0007ce  a\n";
    expect(await run("receive", "q")).toEqual([0, line, ""]);
  });

  it("reads a body from stdin, prints JSON, and deletes what it printed", async () => {
    await run("create", "q");
    const sent = runCommand(["queue", "send", "q", "-"], { TODOKU_URL: door.url }, [Buffer.from("grüße\n")]);
    expect([await sent.done, sent.stdout]).toEqual([0, expect.stringMatching(/^[\da-f-]{36}\n$/)]);
    const [, received] = await run("receive", "q", "--json", "--delete");
    expect(JSON.parse(String(received))).toMatchObject({ body: "grüße", receiptHandle: expect.any(String) });
    expect(JSON.parse(String((await run("show", "q", "--json"))[1]))).toMatchObject({
      messages: { ready: 0, delayed: 0, inFlight: 0 },
    });
  });

  it("redrives dead letters", async () => {
    await run("create", "dead");
    await run("create", "q", "--visibility", "1", "--dead-letter", "dead", "--max-receives", "1");
    await run("send", "q", "a");
    for (let tries = 0; tries < 2; tries++) {
      await run("receive", "q");
      door.advance(1000);
    }
    expect(await run("redrive", "dead", "--to", "none")).toEqual([
      1,
      "",
      expect.stringContaining('"none" does not exist'),
    ]);
    expect(await run("redrive", "dead")).toEqual([0, "moved 1, 0 left\n", ""]);
  });

  it.each([
    [["send", "q"], "missing required argument"],
    [["create", "q", "--dead-letter", "d"], "--dead-letter and --max-receives go together"],
    [["create", "q", "--delay", "-1"], "must be seconds"],
    [["receive", "q", "--max", "0"], "whole number from 1 on"],
    [["receive", "q", "--wait", "1.0001"], "at most three decimals"],
  ])("ends with 2 for %j", async (args, message) => {
    expect(await run(...args)).toEqual([2, "", expect.stringContaining(message)]);
  });

  it("ends with 1 and says how to go on when there is no such queue", async () => {
    expect(await run("send", "none", "a")).toEqual([
      1,
      "",
      'error: queue "none" does not exist\ncreate it with: todoku queue create none\n',
    ]);
  });
});
