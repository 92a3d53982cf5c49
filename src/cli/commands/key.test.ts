import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ access: { isOpen: false, devKey: "the-key" } });
});
afterAll(() => door[Symbol.asyncDispose]());

afterEach(async () => {
  const { keys } = JSON.parse((await run(["key", "list", "--json"]))[1]);
  for (const { keyId } of keys) await run(["key", "delete", keyId]);
});

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
      expect.stringMatching(
        /^KEY +NAME +CREATED +ENDS +RIGHTS +DESCRIPTION\ndev-\w{16} {8}\S+Z {2}never {2}2 grants {2}worker\n$/,
      ),
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
    const { apiKey, apiKeyV2, expiresAt, ...shown } = JSON.parse(stdout);
    expect([typeof apiKey, typeof apiKeyV2, expiresAt, shown.superUser]).toEqual(["string", "string", null, true]);
    const [, listed] = await run(["key", "list", "--json"]);
    expect(JSON.parse(listed)).toEqual({ keys: [shown] });
  });

  it("prints what AWS clients need, as variables, with --access-key, and lists which keys have one", async () => {
    const [code, stdout] = await run(["key", "create", "--grant", send, "--access-key"]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^AWS_ACCESS_KEY_ID=dev-[0-9a-f]{16}\nAWS_SECRET_ACCESS_KEY=[\w-]{43}\n$/),
    ]);
    const [, listed] = await run(["key", "list"]);
    expect(listed).toMatch(/\ndev-\w{16} +\S+Z {2}never {2}1 grant, access key\n$/);
  });

  it("makes keys with a name, for a time, of operators, and in Momento's v2 form", async () => {
    const [code, stdout, stderr] = await run([
      ...["key", "create", "--operator", "--name", "laptop", "--valid-for", "30d", "--v2"],
    ]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}\n$/)]);
    expect(stderr).toMatch(/^created key dev-\w{16} \(laptop\); it ends at \S+Z; keep what was printed/);
    expect((await run(["cache", "list"], stdout.trim()))[0]).toBe(0);
    const [, listed] = await run(["key", "list"]);
    expect(listed).toMatch(/\ndev-\w{16} {2}laptop {2}\S+Z {2}\S+Z {2}operator\n$/);
    expect(await run(["key", "create", "--super-user", "--name", "laptop"])).toEqual([
      1,
      "",
      expect.stringMatching(/^error: API key .* has the name "laptop" already\ntodoku key list shows .*--name/),
    ]);
    const [, json] = await run(["key", "create", "--super-user", "--valid-for", "3600", "--json"]);
    const { expiresAt, expiresAtMs } = JSON.parse(json);
    expect(expiresAt).toBe(new Date(expiresAtMs).toISOString());
  });

  it("lets a key end after a while", async () => {
    const [, json] = await run(["key", "create", "--super-user", "--json"]);
    const { keyId, apiKey } = JSON.parse(json);
    const [code, stdout] = await run(["key", "expire", keyId, "--in", "10m"]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(`^key ${keyId} ends at \\S+Z\n$`)]);
    expect((await run(["cache", "list"], apiKey))[0]).toBe(0);
    expect((await run(["key", "expire", keyId, "--in", "0"]))[0]).toBe(0);
    expect((await run(["cache", "list"], apiKey))[0]).toBe(1);
    expect(await run(["key", "expire", keyId, "--in", "1h"])).toEqual([
      1,
      "",
      expect.stringMatching(/cannot end at .*\na key can only end earlier than it does; make a new one/),
    ]);
    expect((await run(["key", "expire", "dev-0123456789abcdef", "--in", "1h"]))[2]).toContain("todoku key list shows");
  });

  it("rotates what signs tokens", async () => {
    const token = await door.token();
    expect((await run(["topic", "publish", "c", "t", "hello"], token))[0]).toBe(0);
    const [code, stdout] = await run(["key", "rotate-signing"]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^tokens are signed with \S+ from here on; those signed before are refused at \S+Z\n$/),
    ]);
    const [, listed] = await run(["key", "list-signing"]);
    expect(listed).toMatch(/^SIGNING KEY +SIGNS +CREATED +RETIRES\n\S+ +no +\S+Z +\S+Z\n\S+ +yes +\S+Z +-\n$/);
    expect((await run(["topic", "publish", "c", "t", "hello"], token))[0]).toBe(0);
    expect(await run(["key", "rotate-signing", "--overlap", "0"])).toEqual([
      0,
      expect.stringMatching(/those signed before are refused at once\n$/),
      "",
    ]);
    expect((await run(["topic", "publish", "c", "t", "hello"], token))[0]).toBe(1);
    const [, json] = await run(["key", "list-signing", "--json"]);
    expect(JSON.parse(json)).toEqual({ signingKeys: [expect.objectContaining({ isCurrent: true })] });
  });

  it.each([
    [["create"], "give one of --super-user, --operator, and at least one --grant"],
    [["create", "--super-user", "--grant", publish], "give one of --super-user, --operator, and at least one --grant"],
    [["create", "--super-user", "--valid-for", "soon"], "It must be a time span: 90s, 10m"],
    [["expire", "dev-0123456789abcdef"], "required option '--in <span>' not specified"],
    [["expire", "tdk_dev-0123456789abcdef_AAAA", "--in", "1m"], "this is no id of a key"],
    [["rotate-signing", "--overlap", "-1"], ""],
    [["create", "--grant", "{"], "It is not JSON"],
    [["delete", "tdk_dev-0123456789abcdef_AAAA"], "this is no id of a key"],
  ])("ends with 2 for %j", async (args, text) => {
    const [code, stdout, stderr] = await run(["key", ...args]);
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(text)]);
    expect(stderr).not.toContain("tdk_");
  });
});
