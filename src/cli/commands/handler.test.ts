import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type RunningCommand, runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

const source = `
let calls = 0;
export async function handler(event, context) {
  calls++;
  console.log("call", calls, process.env.STAGE ?? "");
  if (event?.throw) throw new TypeError(event.throw);
  if (event?.env) return [process.env.TODOKU_URL, process.env[event.env]];
  // Backwards: what commands print in tests is searched for the values of secrets.
  if (event?.secret) return [...process.env[event.secret]].reverse().join("");
  return { calls, event };
}
`;

let door: TestDoor;
let directory: string;
const running: RunningCommand[] = [];
beforeAll(async () => {
  door = await anHttpDoor({ wallMs: Date.UTC(2026, 0, 2) });
  directory = await mkdtemp(join(tmpdir(), "todoku-handler-"));
  await writeFile(join(directory, "server.mjs"), source);
});
afterEach(async () => {
  for (const command of running.splice(0)) {
    command.interrupt();
    await command.done;
  }
});
afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const env = () => ({ TODOKU_URL: door.url, PATH: process.env.PATH });
async function run(...args: string[]) {
  const command = runCommand(["handler", ...args], env());
  return [await command.done, command.stdout, command.stderr];
}
/** A handler that is attached until the end of the test. */
async function attach(...options: string[]): Promise<RunningCommand> {
  const place = ["--directory", directory];
  const command = runCommand(["handler", "run", "h", ...place, ...options, "--", "node:./server.handler"], env());
  running.push(command);
  await command.line("stderr", /^handler h is attached to http:\/\/127\.0\.0\.1:\d+; Ctrl-C ends it$/);
  return command;
}

describe("todoku handler", () => {
  it("runs a function here, and lists, shows and calls it; with Ctrl-C it is gone, and its key with it", async () => {
    await door.queues.create(door.principal, "q");
    const options = [
      "--queue",
      "q",
      "--batch-size",
      "5",
      "--timeout",
      "5s",
      "--concurrency",
      "2",
      "--function-url",
      "none",
    ];
    const command = await attach(...options, "--topic", "messages", "--variable", "STAGE=test");
    expect(await command.line("stderr", /its URL/)).toBe(`-- its URL is ${door.url}/functions/h`);
    const rows = [
      "NAME  STATE  RUN       SOURCES                         TIMEOUT  CONCURRENCY  URL",
      "h     ready  attached  queue q, topic events/messages  5 s      2            none",
    ];
    expect(await run("list")).toEqual([0, `${rows.join("\n")}\n`, ""]);
    expect(await run("invoke", "h", '{"a":1}')).toEqual([0, '{"calls":1,"event":{"a":1}}\n', ""]);
    expect(await command.line("stdout", /^call/)).toBe("call 1 test");
    expect(await run("invoke", "h")).toEqual([0, '{"calls":2,"event":null}\n', ""]);
    const sums = "RUNNING  WAITING  SUCCEEDED  FAILED  TIMED OUT\n0        0        2          0       0\n";
    expect(await run("show", "h")).toEqual([0, `${rows.join("\n")}\n\n${sums}`, ""]);
    expect((await door.keys.list(door.principal)).map(({ name }) => name)).toEqual([
      expect.stringMatching(/^handler\/h\//),
    ]);
    command.interrupt();
    expect(await command.done).toBe(0);
    expect(await door.keys.list(door.principal)).toEqual([]);
    expect(await run("show", "h")).toEqual([
      ...[1, "", 'error: handler "h" does not exist\ntodoku handler list shows the handlers there are\n'],
    ]);
  });

  it("reads an event from stdin, and ends with 1 when the function fails", async () => {
    await attach();
    const piped = runCommand(["handler", "invoke", "h", "-"], env(), [Buffer.from('{"throw":"no \\u001b"}\n')]);
    expect([await piped.done, piped.stdout, piped.stderr]).toEqual([
      ...[1, "", "error: handler h failed: TypeError: no \\u001b\n"],
    ]);
    const [code, stdout] = await run("invoke", "h", '{"throw":"no"}', "--json");
    expect([code, JSON.parse(String(stdout))]).toMatchObject([
      1,
      { outcome: "error", payload: { errorType: "TypeError" } },
    ]);
    expect(await run("invoke", "h", "{")).toEqual([2, "", "error: the event is not JSON\n"]);
    const [, shown] = await run("show", "h");
    expect(shown).toMatch(/\n\n2026-01-02T00:00:00.000Z {2}TypeError: no\n$/);
  });

  it("gives its processes the server's address and the values of secrets, which no log has", async () => {
    const put = runCommand(["secret", "put", "db-password"], env(), [Buffer.from("correct-horse")]);
    expect(await put.done).toBe(0);
    const queueUrl = ["--variable", `QUEUE=\${TODOKU_URL}/000000000000/q?\${HOME}`];
    const variables = ["--variable", "STAGE=correct-horse", ...queueUrl];
    const command = await attach("--secret", "DB_PASSWORD=db-password", ...variables);
    expect(await run("invoke", "h", '{"secret":"DB_PASSWORD"}')).toEqual([0, '"esroh-tcerroc"\n', ""]);
    expect(await command.line("stdout", /^call/)).toBe("call 1 ***");
    const [, printed] = await run("invoke", "h", '{"env":"QUEUE"}');
    expect(printed).toBe(`["${door.url}","${door.url}/000000000000/q?\${HOME}"]\n`);
  });

  it("says what is to feed it and is not there", async () => {
    const command = await attach("--queue", "later");
    expect(await command.line("stderr", /waits/)).toBe('-- it waits for queue "later"');
    expect((await run("list"))[1]).toMatch(/^h +waiting /m);
  });

  it("prints what it wrote, with the time and the invocation, and follows", async () => {
    await attach();
    const before = runCommand(["handler", "logs", "h", "--limit", "1", "-f"], env());
    running.push(before);
    await run("invoke", "h");
    expect(await before.line("stdout", /call 1 $/)).toMatch(/^20\d\d-\d\d-\d\dT[\d:.]+Z {2}[\da-f]{8} {2}call 1 $/);
    await run("invoke", "h", '{"throw":"x"}');
    expect(await before.line("stdout", /TypeError/)).toMatch(/Z {2}[\da-f]{8} {2}TypeError: x$/);
  });

  it("says why it does not run: the function, the name, the command line", async () => {
    const none = ["--", "node:./server.none"];
    const [code, , stderr] = await run("run", "h", "--directory", directory, ...none);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/error: handler "h" cannot start: Error: \.\/server exports no function none\n$/),
    ]);
    expect(await run("list")).toEqual([0, expect.not.stringContaining("attached"), ""]);
    await attach();
    expect(await run("run", "h", "--", "node:./server.handler")).toEqual([
      ...[
        1,
        "",
        expect.stringMatching(/^error: handler "h" is there already\nif it ran here a moment ago and was killed/),
      ],
    ]);
    for (const [options, words] of [
      [["--variable", "x"], "It is written name=value."],
      [["--filter", "[", "--topic", "t"], "It is no JSON object."],
      [["--filter", "{}"], "--filter goes with --topic"],
      [["--batch-size", "0"], "whole number"],
      [["--grant", "{"], "It is not JSON."],
    ] as const) {
      expect(await run("run", "x", ...options, "--", "node:./server.handler")).toEqual([
        ...[2, "", expect.stringContaining(words)],
      ]);
    }
    expect((await run("run", "x"))[0]).toBe(2);
  });
});
