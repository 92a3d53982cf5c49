import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ access: { isOpen: false, devKey: "the-key" } });
});
afterAll(() => door[Symbol.asyncDispose]());

async function run(args: readonly string[], apiKey = "the-key"): Promise<[number, string, string]> {
  const command = runCommand(args, { TODOKU_URL: door.url, TODOKU_API_KEY: apiKey });
  return [await command.done, command.stdout, command.stderr];
}

const publish = '{"resource":"topic","role":"publish","cache":{"name":"c"},"topic":{"all":true}}';
const send = '{"resource":"queue","role":"send","queue":{"name":"orders"}}';

describe("todoku key", () => {
  it("prints a new key alone on standard output, which then works until it is deleted", async () => {
    const [code, stdout, stderr] = await run(["key", "create", "--description", "worker", "--grant", publish, send]);
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^created key dev-[0-9a-f]{16}; keep what was printed, it is not shown again\n$/),
    ]);
    const apiKey = stdout.trimEnd();
    expect(stdout).toBe(`${apiKey}\n`);
    expect((await run(["topic", "publish", "c", "t", "hello"], apiKey))[0]).toBe(0);
    const keyId = stderr.split(/[ ;]/)[2] ?? "";
    expect(await run(["key", "list"])).toEqual([
      0,
      expect.stringMatching(/^KEY +CREATED +RIGHTS +DESCRIPTION\ndev-\w{16} {2}\S+Z {2}2 grants {2}worker\n$/),
      "",
    ]);
    expect(await run(["key", "delete", keyId])).toEqual([0, `deleted key ${keyId}\n`, ""]);
    expect((await run(["topic", "publish", "c", "t", "hello"], apiKey))[0]).toBe(1);
    expect(await run(["key", "delete", keyId])).toEqual([
      1,
      "",
      `error: API key "${keyId}" does not exist\ntodoku key list shows the keys there are\n`,
    ]);
  });

  it("prints what the server answered with --json", async () => {
    const [, stdout] = await run(["key", "create", "--super-user", "--json"]);
    const { apiKey, ...shown } = JSON.parse(stdout);
    expect([typeof apiKey, shown.superUser]).toEqual(["string", true]);
    const [, listed] = await run(["key", "list", "--json"]);
    expect(JSON.parse(listed)).toEqual({ keys: [shown] });
    await run(["key", "delete", shown.keyId]);
  });

  it.each([
    [["create"], "give either --super-user or at least one --grant"],
    [["create", "--super-user", "--grant", publish], "give either --super-user or at least one --grant"],
    [["create", "--grant", "{"], "It is not JSON"],
    [["delete", "tdk_dev-0123456789abcdef_AAAA"], "this is no id of a key"],
  ])("ends with 2 for %j", async (args, text) => {
    const [code, stdout, stderr] = await run(["key", ...args]);
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(text)]);
    expect(stderr).not.toContain("tdk_");
  });
});
