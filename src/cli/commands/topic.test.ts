import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, listen, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor();
});
// To open a door for each test takes longer than most of them.
afterEach(async () => {
  await door.caches.delete(door.principal, "c").catch(() => {});
  await door.caches.create(door.principal, "c", "memory");
});
afterAll(() => door[Symbol.asyncDispose]());

const env = () => ({ TODOKU_URL: door.url });

async function run(...args: string[]) {
  const command = runCommand(args, env());
  return { code: await command.done, stdout: command.stdout, stderr: command.stderr };
}

async function publish(text: string): Promise<void> {
  await door.topics.publish(door.principal, "c", "t", { value: { isText: true, bytes: Buffer.from(text) } });
}

async function history() {
  return (await door.topics.history(door.principal, "c", "t", { page: 0, sequence: 0 }, 100)).items;
}

async function subscribed(): Promise<void> {
  while (door.topics.stats().get("dev")?.subscriptions !== 1) await new Promise((resolve) => setImmediate(resolve));
}

describe("todoku topic publish", () => {
  it("prints the position", async () => {
    expect(await run("topic", "publish", "c", "t", "hello")).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^\d+-1\n$/),
      stderr: "",
    });
    expect(JSON.parse((await run("topic", "publish", "c", "t", "b", "--json")).stdout)).toMatchObject({
      sequenceNumber: 2,
    });
  });

  it("publishes once for one message id", async () => {
    for (const text of ["a", "b"]) await run("topic", "publish", "c", "t", text, "--message-id", "m");
    expect(await history()).toHaveLength(1);
  });

  it("reads a text from stdin, and bytes from a file", async () => {
    const command = runCommand(["topic", "publish", "c", "t", "-"], env(), [Buffer.from("gr"), Buffer.from("üße\n")]);
    expect(await command.done).toBe(0);
    const directory = await mkdtemp(join(tmpdir(), "todoku-cli-"));
    await writeFile(join(directory, "bytes"), Buffer.from([0, 255]));
    expect((await run("topic", "publish", "c", "t", "--binary-file", join(directory, "bytes"))).code).toBe(0);
    await rm(directory, { recursive: true });
    expect((await history()).map(({ value }) => [value.isText, Buffer.from(value.bytes).toString("latin1")])).toEqual([
      [true, Buffer.from("grüße").toString("latin1")],
      [false, "\u0000\u00ff"],
    ]);
  });

  it.each([
    [["topic", "publish", "c", "t"], "give either the text"],
    [["topic", "publish", "c", "t", "a", "--binary-file", "f"], "give either the text"],
    [["topic", "publish", "c"], "missing required argument"],
    [["topic", "publish", "c", "t", "a", "--url", "ftp://x"], "must begin with http"],
    [["topic", "publish", "c", "t", "a", "--url", "http://u:hush@x"], "must not contain a key"],
    [["topic", "publish", "c", "t", "a", "--api-key", "hu\u0007sh"], "characters that no key has"],
    [["topic", "subscribe", "c", "t", "--count", "0"], "whole number"],
    [["topic", "subscribe", "c", "t", "--after", "x"], "<page>-<sequence>"],
  ])("ends with 2 for %j", async (args, message) => {
    const { code, stderr } = await run(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(stderr).not.toMatch(/hu.?sh/);
  });

  it("ends with 2 for a stdin that is no text", async () => {
    expect(await runCommand(["topic", "publish", "c", "t", "-"], env(), [Buffer.from([255])]).done).toBe(2);
  });

  it("ends with 1 and says how to go on", async () => {
    const missing = await run("topic", "publish", "none", "t", "a");
    expect([missing.code, missing.stderr]).toEqual([
      1,
      'error: cache "none" does not exist\ncreate it with: todoku cache create none\n',
    ]);
    const refused = await run("topic", "publish", "c", "t", "a", "--api-key", "hush");
    expect([refused.code, refused.stderr]).toEqual([
      1,
      "error: this credential is not valid\ngive an API key or a token with --api-key or TODOKU_API_KEY\n",
    ]);
  });

  it("asks whether Todoku is running when nobody answers", async () => {
    const closed = createServer();
    const url = await listen(closed);
    await new Promise((resolve) => closed.close(resolve));
    const { code, stderr } = await run("topic", "publish", "c", "t", "a", "--url", url);
    expect([code, stderr]).toEqual([
      1,
      `error: cannot reach ${url} (ECONNREFUSED)\nis Todoku running? start it with npm start, or name another server with --url\n`,
    ]);
  });

  it("tells another server from Todoku", async () => {
    const other = createServer((_request, response) => response.writeHead(404).end("<html>"));
    const { code, stderr } = await run("topic", "publish", "c", "t", "a", "--url", await listen(other));
    other.close();
    expect([code, stderr]).toEqual([1, expect.stringContaining("but not as Todoku does")]);
  });
});

describe("todoku topic subscribe", () => {
  it("prints one line per message with time, position, token id and text, and ends after --count", async () => {
    const token = await door.token({ tokenId: "alice" });
    const tail = runCommand(["topic", "subscribe", "c", "t", "--count", "3"], env());
    await subscribed();
    await publish("plain");
    await runCommand(["topic", "publish", "c", "t", "two\nlines \u001b[31m", "--api-key", token], env()).done;
    await door.topics.publish(door.principal, "c", "t", { value: { isText: false, bytes: Buffer.alloc(7) } });
    expect(await tail.done).toBe(0);
    const lines = tail.stdout.trimEnd().split("\n");
    expect(lines.map((line) => line.replace(/^\S+Z {2}\d+-/, ""))).toEqual([
      "1  plain",
      "2  alice  two\\nlines \\u001b[31m",
      "3  <binary 7 bytes>",
    ]);
    expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}\d+-1 {2}plain$/);
  });

  it("prints JSON lines, from a position on, and shows a discontinuity", async () => {
    await publish("old");
    const [first] = await history();
    await door.caches.flush(door.principal, "c");
    await publish("new");
    const after = `${first?.page}-${first?.sequence}`;
    const json = runCommand(["topic", "subscribe", "c", "t", "--after", after, "--json", "--count", "1"], env());
    expect(await json.done).toBe(0);
    expect(
      json.stdout
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { discontinuity: { after, now: expect.stringMatching(/-0$/) } },
      expect.objectContaining({ text: "new" }),
    ]);
    const plain = runCommand(["topic", "subscribe", "c", "t", "--after", after, "--count", "1"], env());
    expect(await plain.done).toBe(0);
    expect(plain.stdout).toContain(`-- discontinuity: what came behind ${after} is gone`);
  });

  it("ends with 0 on Ctrl-C", async () => {
    const tail = runCommand(["topic", "subscribe", "c", "t"], env());
    await subscribed();
    tail.interrupt();
    expect([await tail.done, tail.stderr]).toEqual([0, ""]);
  });

  it("comes back after a lost connection and misses nothing", async () => {
    const tail = runCommand(["topic", "subscribe", "c", "t", "--count", "3"], env());
    await subscribed();
    await publish("1");
    await tail.line("stdout", / {2}1$/);
    // Nobody listens while the line is cut, so that the message is published while the command is away.
    const { port } = new URL(door.url);
    await closeListener(door.server);
    await tail.line("stderr", /^connection lost: .*; reconnecting in [\d.]+ s behind \d+-1$/);
    await publish("2");
    await new Promise<void>((resolve) => door.server.listen(Number(port), "127.0.0.1", resolve));
    await tail.line("stderr", /^connected again$/);
    await tail.line("stdout", / {2}2$/);
    await publish("3");
    expect(await tail.done).toBe(0);
  });

  it("ends with 1 when it cannot get better: the token expires, the cache is deleted", async () => {
    const token = await door.token({ validForMs: 5000 });
    const tail = runCommand(["topic", "subscribe", "c", "t", "--api-key", token], env());
    await subscribed();
    door.advance(7000);
    expect([await tail.done, tail.stderr]).toEqual([1, expect.stringContaining("error: this token has expired\n")]);
    const other = runCommand(["topic", "subscribe", "c", "t"], env());
    await subscribed();
    await door.caches.delete(door.principal, "c");
    expect([await other.done, other.stderr]).toEqual([1, expect.stringContaining('error: cache "c" was deleted\n')]);
  });
});

async function closeListener(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
