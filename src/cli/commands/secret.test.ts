import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ access: { isOpen: false, devKey: "the-key" } });
});
afterAll(() => door[Symbol.asyncDispose]());

async function run(args: readonly string[], stdin?: string): Promise<[number, string, string]> {
  const env = { TODOKU_URL: door.url, TODOKU_API_KEY: "the-key" };
  const command = runCommand(args, env, stdin === undefined ? [] : [Buffer.from(stdin)]);
  return [await command.done, command.stdout, command.stderr];
}
const secret = (args: readonly string[], stdin?: string) => run(["secret", ...args], stdin);
const pem = "-----BEGIN KEY-----\nabc\n-----END KEY-----\n";

describe("todoku secret", () => {
  it("puts what it reads, and prints it as it was", async () => {
    expect(await secret(["put", "tls key"], pem)).toEqual([0, "put version 1 of secret tls key\n", ""]);
    expect(await secret(["get", "tls key"])).toEqual([0, pem, ""]);
    await secret(["put", "tls key"], "two");
    expect(await secret(["get", "tls key"])).toEqual([0, "two\n", ""]);
    expect(await secret(["get", "tls key", "--version", "1"])).toEqual([0, pem, ""]);
    expect(await secret(["list"])).toEqual([
      0,
      expect.stringMatching(/^SECRET {3}VERSION {2}PUT {23}SHARED\ntls key {2}2 {8}\S+Z {2}-\n$/),
      "",
    ]);
    expect(await secret(["rm", "tls key"])).toEqual([0, "deleted secret tls key\n", ""]);
    expect(await secret(["get", "tls key"])).toEqual([
      1,
      "",
      'error: secret "tls key" does not exist\ntodoku secret list shows the secrets of the environment\n',
    ]);
  });

  it("shares a secret, keeps it so, and takes that back", async () => {
    const put = async (...options: string[]) => {
      const [code, stdout] = await secret(["put", "s", "--json", ...options], "x");
      return [code, JSON.parse(stdout).shared];
    };
    expect([await put(), await put("--shared"), await put(), await put("--not-shared")]).toEqual([
      [0, false],
      [0, true],
      [0, true],
      [0, false],
    ]);
  });

  it("prints what the server answered with --json", async () => {
    await secret(["put", "json"], "x");
    const [, stdout] = await secret(["get", "json", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ name: "json", environment: "dev", value: "x", version: 1 });
    const [, listed] = await secret(["list", "--json"]);
    expect(JSON.parse(listed).secrets).toContainEqual(expect.objectContaining({ name: "json", currentVersion: 1 }));
    expect(await secret(["rm", "json", "--json"])).toEqual([0, '{"deleted":"json"}\n', ""]);
  });

  it.each([
    [["put", "s", "--shared", "--not-shared"], "cannot be used with"],
    [["put", "s", "value"], "too many arguments"],
    [["get", "s", "--version", "0"], "whole number from 1 on"],
    [["get"], "missing required argument"],
  ])("ends with 2 for %j", async (args, text) => {
    const [code, stdout, stderr] = await secret(args, "x");
    expect([code, stdout, stderr]).toEqual([2, "", expect.stringContaining(text)]);
  });
});

describe("todoku key rotate", () => {
  it("puts a new key into the secret, and says when the old one ends", async () => {
    const [, created] = await run(["key", "create", "--super-user", "--json"]);
    const { keyId, apiKey } = JSON.parse(created);
    await secret(["put", "app-key"], `${apiKey}\n`);
    const [code, stdout, stderr] = await run(["key", "rotate", "--secret", "app-key", "--overlap", "1h"]);
    expect([code, stderr]).toEqual([0, ""]);
    const [made, ended] = stdout.split("\n");
    expect(made).toMatch(/^key dev-[0-9a-f]{16} is version 2 of secret app-key$/);
    expect(ended).toMatch(new RegExp(`^key ${keyId} ends at \\S+Z$`));
    const [, again] = await run(["key", "rotate", "--secret", "app-key", "--json"]);
    expect(JSON.parse(again)).toMatchObject({ secretVersion: 3, oldKeyId: made?.split(" ")[1] });
    expect(stdout + again).not.toContain("tdk_");
  });

  it("says what to do about a secret that is not there", async () => {
    expect(await run(["key", "rotate", "--secret", "nothing"])).toEqual([
      1,
      "",
      'error: secret "nothing" does not exist\ntodoku secret list shows the secrets of the environment\n',
    ]);
  });

  it.each([[["key", "rotate"]], [["key", "rotate", "--secret", "s", "--overlap", "soon"]]])(
    "ends with 2 for %j",
    async (args) => {
      expect((await run(args))[0]).toBe(2);
    },
  );
});
