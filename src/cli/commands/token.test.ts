import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { aDirectory } from "../../../test/support/server.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ access: { isOpen: false, devKey: "the-key" } });
});
afterAll(() => door[Symbol.asyncDispose]());

async function run(args: readonly string[], options: { apiKey?: string; stdin?: string } = {}) {
  const env = { TODOKU_URL: door.url, TODOKU_API_KEY: options.apiKey ?? "the-key" };
  const stdin = options.stdin === undefined ? [] : [Buffer.from(options.stdin)];
  const command = runCommand(args, env, stdin);
  return [await command.done, command.stdout, command.stderr] as [number, string, string];
}

const publish = '{"resource":"topic","role":"publish","cache":{"name":"c"},"topic":{"all":true}}';

/** A token by the command itself. */
async function create(...args: string[]): Promise<{ token: string; jti: string; expiresAtMs: number }> {
  const [code, stdout] = await run([
    ...["token", "create", "--grant", publish, "--valid-for", "1h", "--json"],
    ...args,
  ]);
  expect(code).toBe(0);
  return JSON.parse(stdout);
}

const works = async (token: string) => (await run(["topic", "publish", "c", "t", "x"], { apiKey: token }))[0] === 0;

describe("todoku token create", () => {
  it("prints a token alone on standard output, which then works", async () => {
    const [code, stdout, stderr] = await run(["token", "create", "--grant", publish, "--valid-for", "10m"]);
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^issued token [0-9a-f-]{36}; it ends at \S+Z\n$/)]);
    expect(await works(stdout.trimEnd())).toBe(true);
  });

  it.each([
    [["--valid-for", "1h"], "required option '--grant <json...>' not specified"],
    [["--grant", publish], "required option '--valid-for <span>' not specified"],
    [["--grant", "{", "--valid-for", "1h"], "It is not JSON"],
  ])("ends with 2 for %j", async (args, text) => {
    expect(await run(["token", "create", ...args])).toEqual([2, "", expect.stringContaining(text)]);
  });

  it("issues one of another environment with --env, which outlives the key that was made for the command", async () => {
    await run(["env", "create", "FEAT-X"]);
    const { token } = await create("--env", "FEAT-X");
    const [, stdout] = await run(["token", "inspect"], { stdin: token });
    expect(stdout).toContain('of the environment "FEAT-X". It is valid.');
    await run(["cache", "create", "c", "--env", "FEAT-X"]);
    expect(await works(token)).toBe(true);
    const [, listed] = await run(["key", "list", "--env", "FEAT-X", "--json"]);
    const ended = JSON.parse(listed).keys.find((key: { description: string }) => key.description.includes("--env"));
    expect(ended.expiresAtMs).toBeLessThanOrEqual(Date.now());
  });

  it("says what to do when the server refuses", async () => {
    const [code, , stderr] = await run(["token", "create", "--grant", publish, "--valid-for", "26h"]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("token lifetime 93600000 ms must be >= 1 and <= 90000000"),
    ]);
  });
});

describe("todoku token inspect", () => {
  it("explains what is piped in, in sentences", async () => {
    const { token, jti } = await create("--token-id", "alice-phone", "--user-id", "alice");
    for (const args of [[], ["-"]]) {
      const [code, stdout, stderr] = await run(["token", "inspect", ...args], { stdin: `${token}\n` });
      expect([code, stderr]).toEqual([0, ""]);
      expect(stdout).toContain(`This is the token ${jti} of the environment "dev". It is valid.\n`);
      expect(stdout).toContain(
        'for the user "alice".\nIt has the token id "alice-phone": what it publishes carries it.\n',
      );
      expect(stdout).toMatch(/\nIt ends at \S+Z \(in 59 minutes\)\.\n|\nIt ends at \S+Z \(in 60 minutes\)\.\n/);
      expect(stdout).toContain(
        '\nIt may\n  - publish to all topics of the cache "c"\nIt may not\n  - subscribe to topics\n',
      );
    }
  });

  it("explains a file, and $TODOKU_API_KEY when nothing is piped in", async () => {
    await using directory = await aDirectory();
    const { token, jti } = await create();
    await writeFile(join(directory.path, "token"), `${token}\n`);
    expect((await run(["token", "inspect", join(directory.path, "token")]))[1]).toContain(jti);
    expect((await run(["token", "inspect"], { apiKey: token }))[1]).toContain(jti);
    expect((await run(["token", "inspect"]))[1]).toContain("This is the key of this run (--dev-key) of the");
  });

  it("explains an API key in each of its forms, and prints JSON with --json", async () => {
    const [, json] = await run(["key", "create", "--super-user", "--json"]);
    const { keyId, apiKey, apiKeyV2 } = JSON.parse(json);
    for (const stdin of [apiKey, apiKeyV2]) {
      expect((await run(["token", "inspect"], { stdin }))[1]).toContain(`This is the API key ${keyId} of the`);
    }
    const [, stdout] = await run(["token", "inspect", "--json"], { stdin: apiKey });
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "key",
      status: "valid",
      keyId,
      superUser: true,
      expiresAtMs: null,
    });
  });

  it("refuses what was not issued here, and what is none, without repeating it", async () => {
    const { token } = await create();
    const forged = `${token.slice(0, -6)}AAAAAA`;
    const [code, stdout, stderr] = await run(["token", "inspect"], { stdin: forged });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: this credential is not valid\nit is forged, cut off, /);
    expect(stderr).not.toContain(forged.slice(0, 30));
    const [second, , unreadable] = await run(["token", "inspect", token]);
    expect([second, unreadable]).toEqual([2, "error: the file cannot be read; a token itself is piped in\n"]);
    expect((await run(["token", "inspect", "-"], { stdin: "\n" }))[0]).toBe(2);
  });
});

describe("todoku token revoke", () => {
  it("revokes by token id, by user, by the token's own id, and by the token itself", async () => {
    const cases = [
      { args: ["--token-id", "alice"], of: ["--token-id", "alice"] },
      { args: ["--user-id", "u-1"], of: ["--user-id", "u-1"] },
    ];
    for (const { args, of } of cases) {
      const { token } = await create(...of);
      expect(await run(["token", "revoke", ...args])).toEqual([
        0,
        expect.stringMatching(/^revoked \(version \d+\)\n$/),
        "",
      ]);
      expect(await works(token)).toBe(false);
    }
    const [one, other] = [await create(), await create()];
    expect((await run(["token", "revoke", "--jti", one.jti, "--json"]))[1]).toMatch(/^\{"version":\d+\}\n$/);
    expect([await works(one.token), await works(other.token)]).toEqual([false, true]);
    expect((await run(["token", "revoke", "--token", "-"], { stdin: `${other.token}\n` }))[0]).toBe(0);
    expect(await works(other.token)).toBe(false);
    const [, stdout] = await run(["token", "inspect"], { stdin: other.token });
    expect(stdout).toContain("It was REVOKED: it is refused.");
  });

  it("revokes a key with the tokens that it issued, and all that was issued before a time", async () => {
    const issuing = `{"resource":"token","role":"issue","grants":[${publish}]}`;
    const [, json] = await run(["key", "create", "--json", "--grant", issuing]);
    const { keyId, apiKey } = JSON.parse(json);
    const [, token] = await run(["token", "create", "--grant", publish, "--valid-for", "1h"], { apiKey });
    expect(await works(token.trim())).toBe(true);
    expect((await run(["token", "revoke", "--key-id", keyId]))[0]).toBe(0);
    expect(await works(token.trim())).toBe(false);
    const { token: last } = await create();
    expect((await run(["token", "revoke", "--issued-before", "2001-01-01"]))[0]).toBe(0);
    expect(await works(last)).toBe(true);
    const [, made] = await run(["key", "create", "--json", "--grant", publish]);
    expect((await run(["token", "revoke", "--issued-before", "2999-01-01T00:00:00Z", "--keys"]))[0]).toBe(0);
    expect([await works(last), await works(JSON.parse(made).apiKey)]).toEqual([false, false]);
    const [, listed] = await run(["token", "list-revoked"]);
    expect(listed).toMatch(/^VERSION +REVOKED +AT +KEPT UNTIL\n/);
    expect(listed).toContain(`key ${keyId}, and its tokens `);
    expect(listed).toContain("all tokens and keys before 2999-01-01T00:00:00.000Z ");
    const [, listedJson] = await run(["token", "list-revoked", "--json"]);
    expect(JSON.parse(listedJson).revocations.at(-1)).toMatchObject({ keys: true });
  });

  it.each([
    [[], "give one of --token-id, --user-id, --jti, --token -, --key-id, and --issued-before"],
    [["--token-id", "a", "--user-id", "b"], "give one of"],
    [["--token-id", "a", "--keys"], "--keys goes with --issued-before"],
    [["--issued-before", "yesterday"], "It must be a time like"],
    [["--jti", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"], "this is no id of a token"],
    [["--token", "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"], "--token takes no token"],
    [["--key-id", "tdk_dev-0123456789abcdef_AAAA"], "this is no id of a key"],
  ])("ends with 2 for %j, and repeats no credential", async (args, text) => {
    const [code, stdout, stderr] = await run(["token", "revoke", ...args]);
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(text)]);
    expect(stderr).not.toMatch(/AAAA/);
  });
});
