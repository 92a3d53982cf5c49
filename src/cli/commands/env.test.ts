import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";
import { aServer } from "../../../test/support/server.ts";

let door: TestDoor;
beforeAll(async () => {
  door = await anHttpDoor({ access: { isOpen: false, devKey: "the-key" } });
});
afterAll(() => door[Symbol.asyncDispose]());

/** Exit code, standard output, standard error. */
async function run(args: readonly string[], apiKey = "the-key", stdin?: string): Promise<[number, string, string]> {
  const input = stdin === undefined ? [] : [Buffer.from(stdin)];
  const command = runCommand(args, { TODOKU_URL: door.url, TODOKU_API_KEY: apiKey }, input, stdin !== undefined);
  return [await command.done, command.stdout, command.stderr];
}

const keysOf = (environment: string) => door.keys.list({ ...door.principal, environment });

describe("todoku env", () => {
  it("prints the key of a new environment alone on standard output, and it acts there", async () => {
    const [code, stdout, stderr] = await run(["env", "create", "FEAT-X", "--from", "dev", "--message-max-bytes", "9"]);
    const made =
      /^created environment FEAT-X with key FEAT-X-[0-9a-f]{16}; keep what was printed, it is not shown again\n$/;
    expect([code, stderr]).toEqual([0, expect.stringMatching(made)]);
    const apiKey = stdout.trimEnd();
    expect(stdout).toBe(`${apiKey}\n`);
    expect(await run(["cache", "list"], apiKey)).toEqual([0, expect.stringMatching(/^NAME.*\nc +memory /), ""]);
    expect((await run(["topic", "publish", "c", "t", "0123456789"], apiKey))[0]).toBe(1);
    expect((await run(["topic", "publish", "c", "t", "0123456789"]))[0]).toBe(0);
    const [, listed] = await run(["env", "list"]);
    expect(listed).toMatch(
      /^NAME +CREATED +COPIED FROM {2}SECRETS FROM {2}STATE\nFEAT-X {2}\S+Z {2}dev +- +live\ndev /,
    );
  });

  it("shows and changes settings", async () => {
    await run(["env", "create", "settings", "--secrets-from", "dev"]);
    const [, shown] = await run([
      "env",
      "update",
      "settings",
      "--cache-durability",
      "memory",
      "--rates",
      '{"token":{"streams":3}}',
    ]);
    expect(shown.replace(/created .*Z/, "created AT")).toBe(
      [
        "environment settings (live)",
        "  created AT",
        "  secrets from     dev",
        "  cacheDurability  memory",
        "  messageMaxBytes  as the server",
        '  rates            {"token":{"streams":3}}',
        "",
      ].join("\n"),
    );
    await run(["env", "update", "settings", "--unset", "cacheDurability", "rates", "--no-secrets-from"]);
    const [, json] = await run(["env", "show", "settings", "--json"]);
    expect(JSON.parse(json)).toMatchObject({ name: "settings", settings: {}, secretsFrom: [] });
    expect(await run(["env", "show", "nothing"])).toEqual([
      ...[1, "", 'error: environment "nothing" does not exist\ntodoku env list shows the environments there are\n'],
    ]);
  });

  it("destroys with --yes, or when its name is typed at a terminal, and else asks nobody and does nothing", async () => {
    for (const name of ["one", "two"]) await run(["env", "create", name]);
    expect(await run(["env", "destroy", "one"])).toEqual([
      2,
      "",
      "error: nobody is at a terminal to be asked: add --yes\n",
    ]);
    expect((await run(["env", "destroy", "one"], "the-key", "two\n"))[0]).toBe(2);
    expect(await run(["env", "destroy", "one"], "the-key", "one\n")).toEqual([
      ...[0, "destroyed environment one\n", "all of environment one will be gone; its name, to go on: "],
    ]);
    expect(await run(["env", "destroy", "two", "--yes", "--json"])).toEqual([0, '{"destroyed":"two"}\n', ""]);
    expect(await run(["env", "destroy", "two", "--yes"])).toEqual([
      ...[1, "", 'error: environment "two" does not exist\ntodoku env list shows the environments there are\n'],
    ]);
    expect((await run(["env", "destroy", "dev", "--yes"]))[2]).toContain("your own credential");
  });

  it.each([
    ["create"],
    ["create", "x", "--message-max-bytes", "many"],
    ["create", "x", "--rates", "{"],
    ["update", "x", "--unset", "colour"],
  ])("ends with 2 for %j", async (...args) => {
    expect((await run(["env", ...args]))[0]).toBe(2);
  });
});

describe("--env", () => {
  it("lets an operator act in another environment with a key that is gone afterwards, also when the command fails", async () => {
    await run(["env", "create", "FEAT-Y"]);
    const before = await keysOf("FEAT-Y");
    expect(await run(["cache", "create", "there", "--env", "FEAT-Y"])).toEqual([0, "created cache there (disk)\n", ""]);
    expect((await run(["cache", "list", "--env", "FEAT-Y"]))[1]).toMatch(/\nthere +disk/);
    expect((await run(["cache", "list"]))[1]).not.toContain("there");
    expect((await run(["cache", "delete", "nothing", "--env", "FEAT-Y"]))[0]).toBe(1);
    expect(await keysOf("FEAT-Y")).toEqual(before);
  });

  it("makes no key for who is of that environment already", async () => {
    const before = await keysOf("dev");
    expect((await run(["cache", "list", "--env", "dev"]))[0]).toBe(0);
    expect(await keysOf("dev")).toEqual(before);
    const [, apiKey] = await run(["env", "create", "own"]);
    expect((await run(["cache", "create", "c", "--env", "own"], apiKey.trim()))[0]).toBe(0);
    expect(await run(["cache", "list", "--env", "dev"], apiKey.trim())).toEqual([
      ...[1, "", expect.stringContaining("use the key of an operator, or one of that environment, without --env\n")],
    ]);
  });

  it("goes on following a topic when the key that it had made for itself is over", async () => {
    await run(["env", "create", "tail", "--from", "dev"]);
    const args = ["topic", "subscribe", "c", "t", "--after", "0-0", "--count", "2", "--env", "tail"];
    const following = runCommand(args, { TODOKU_URL: door.url, TODOKU_API_KEY: "the-key" });
    await run(["topic", "publish", "c", "t", "before", "--env", "tail"]);
    await following.line("stdout", /before/);
    const principal = { ...door.principal, environment: "tail" };
    const made = (await door.keys.list(principal)).filter(({ description }) => description?.includes("--env"));
    expect(made).toHaveLength(1);
    for (const { keyId } of made) await door.keys.delete(principal, keyId);
    await run(["topic", "publish", "c", "t", "after", "--env", "tail"]);
    expect(await following.done).toBe(0);
    expect(following.stdout).toMatch(/ before\n.* after\n$/);
    expect((await door.keys.list(principal)).filter(({ description }) => description?.includes("--env"))).toEqual([]);
  });

  it.each(["a_b", "../dev", ""])("ends with 2 for the name %j", async (name) => {
    expect((await run(["cache", "list", `--env=${name}`]))[0]).toBe(2);
  });
});

describe("todoku init", () => {
  it("makes master key file, environment and an operator's key of a new data directory, with which a server starts", async () => {
    const root = await mkdtemp(join(tmpdir(), "todoku-init-"));
    try {
      const [dataDir, masterKeyFile] = [join(root, "data"), join(root, "master.key")];
      const args = ["init", "--data-dir", dataDir, "--master-key-file", masterKeyFile];
      const [code, stdout, stderr] = await run([...args, "--endpoint", "todoku.example:443"]);
      expect([code, stderr]).toEqual([
        0,
        expect.stringMatching(
          /^made the master key file .*\nmade environment prod\nmade the operator's key prod-\w{16} /,
        ),
      ]);
      const inner = JSON.parse(Buffer.from(stdout, "base64").toString());
      expect(inner.endpoint).toBe("todoku.example:443");
      expect((await stat(masterKeyFile)).mode & 0o777).toBe(0o600);
      const [, again] = await run([...args, "--json"]);
      const { apiKey, keyId, environment } = JSON.parse(again);
      expect([environment, keyId]).toEqual(["prod", expect.stringMatching(/^prod-/)]);
      await using server = await aServer({ dataDir, devKey: true, masterKeyFile });
      const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
      const body = JSON.stringify({ name: "stage" });
      expect((await fetch(`${server.url}/v1/environments`, { method: "POST", headers, body })).status).toBe(201);
      expect(
        (await fetch(`${server.url}/v1/environment`, { headers: { authorization: `Bearer ${stdout.trim()}` } })).status,
      ).toBe(200);
      expect(await run(args)).toEqual([1, "", expect.stringContaining("in use")]);
    } finally {
      await rm(root, { recursive: true });
    }
  });

  it("refuses a name that no environment has, and another master key, as the server then does, before anything is encrypted with it", async () => {
    const root = await mkdtemp(join(tmpdir(), "todoku-init-"));
    try {
      expect(await run(["init", "--data-dir", join(root, "a"), "--env", "a_b"])).toEqual([
        ...[2, "", expect.stringContaining('environment name "a_b"')],
      ]);
      const dataDir = join(root, "b");
      const masterKeyFile = join(root, "master.key");
      await run(["init", "--data-dir", dataDir, "--master-key-file", masterKeyFile]);
      const other = join(root, "other.key");
      expect((await run(["init", "--data-dir", dataDir, "--master-key-file", other]))[2]).toContain(
        "put the old one there",
      );
      await expect(stat(other)).rejects.toMatchObject({ code: "ENOENT" });
      await writeFile(other, "no key", { mode: 0o600 });
      expect((await run(["init", "--data-dir", dataDir, "--master-key-file", other]))[0]).toBe(1);
      // Another master key is found out before anything is encrypted with it.
      await writeFile(other, randomBytes(32).toString("hex"), { mode: 0o600 });
      expect((await run(["init", "--data-dir", dataDir, "--master-key-file", other]))[0]).toBe(1);
      await expect(aServer({ dataDir, devKey: true, masterKeyFile: other })).rejects.toThrow(/master key/);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
