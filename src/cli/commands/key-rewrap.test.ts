import { randomBytes } from "node:crypto";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { aDirectory, aServer } from "../../../test/support/server.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
let dataDir: string;
let oldFile: string;
let newFile: string;
beforeEach(async () => {
  directory = await aDirectory();
  dataDir = join(directory.path, "data");
  [oldFile, newFile] = [join(dataDir, "master.key"), join(directory.path, "new.key")];
});
afterEach(() => directory[Symbol.asyncDispose]());

async function rewrap(...args: string[]): Promise<[number, string, string]> {
  const command = runCommand(["key", "rewrap", "--data-dir", dataDir, ...args]);
  return [await command.done, command.stdout, command.stderr];
}

/** Puts a secret into the data directory, which gets a master key of its own. */
async function aSecret(): Promise<void> {
  await using server = await aServer({ dataDir });
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ value: "sk_live_51H8abc" });
  expect((await fetch(`${server.url}/v1/secrets/stripe`, { method: "POST", headers, body })).status).toBe(201);
}

async function readWith(masterKeyFile: string): Promise<unknown> {
  await using server = await aServer({ dataDir, masterKeyFile });
  return ((await (await fetch(`${server.url}/v1/secrets/stripe`)).json()) as { value?: string }).value;
}

describe("todoku key rewrap", () => {
  it("makes the new master key when it is missing; then only that one opens the secrets", async () => {
    await aSecret();
    const [code, stdout, stderr] = await rewrap("--new-master-key-file", newFile);
    expect([code, stdout]).toEqual([0, `rewrapped 1 data key with the master key in ${newFile}\n`]);
    expect(stderr).toBe(`made ${newFile}: keep a copy of it; backups made before need the old master key\n`);
    expect((await stat(newFile)).mode & 0o777).toBe(0o600);
    expect(await readWith(newFile)).toBe("sk_live_51H8abc");
    await expect(readWith(oldFile)).rejects.toThrow(/is wrapped by the master key with the id [0-9a-f]{8}; /);
  });

  it("takes a new master key that is there, shows neither key, and may be repeated", async () => {
    await aSecret();
    const hex = randomBytes(32).toString("hex");
    await writeFile(newFile, hex, { mode: 0o600 });
    const oldText = (await readFile(oldFile, "utf8")).trim();
    for (const rewrapped of [1, 0]) {
      const [code, stdout, stderr] = await rewrap("--new-master-key-file", newFile, "--json");
      expect([code, JSON.parse(stdout)]).toEqual([0, { rewrapped, masterKeyId: expect.any(String), isMade: false }]);
      for (const text of [hex, oldText]) expect(stdout + stderr).not.toContain(text);
    }
    expect(await readWith(newFile)).toBe("sk_live_51H8abc");
  });

  it("changes nothing with a wrong old key, or one that others can read, or while a server runs", async () => {
    await aSecret();
    const wrong = join(directory.path, "wrong.key");
    await writeFile(wrong, randomBytes(32).toString("hex"), { mode: 0o600 });
    const refused = await rewrap("--master-key-file", wrong, "--new-master-key-file", newFile);
    expect(refused).toEqual([1, "", expect.stringContaining("the master key given has the id")]);
    await chmod(wrong, 0o644);
    const readable = await rewrap("--new-master-key-file", wrong);
    expect(readable).toEqual([1, "", expect.stringContaining("has mode 0644")]);
    await using server = await aServer({ dataDir });
    const inUse = await rewrap("--new-master-key-file", newFile);
    expect(inUse).toEqual([1, "", expect.stringContaining("is in use")]);
    expect((await fetch(`${server.url}/v1/secrets/stripe`)).status).toBe(200);
  });

  it("makes no data directory where there is none", async () => {
    const [code, , stderr] = await rewrap("--new-master-key-file", newFile);
    expect([code, stderr]).toEqual([1, `error: ${dataDir} is no data directory: there is no todoku.db in it\n`]);
    await expect(stat(dataDir)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("a data directory in dev mode", () => {
  it("has a master key of its own, and without it no server starts that could not read what is sealed", async () => {
    await aSecret();
    expect((await stat(oldFile)).mode & 0o777).toBe(0o600);
    expect(await readWith(oldFile)).toBe("sk_live_51H8abc");
    const text = await readFile(oldFile);
    await writeFile(oldFile, randomBytes(32).toString("hex"));
    await expect(aServer({ dataDir })).rejects.toMatchObject({ code: "failed_precondition" });
    await writeFile(oldFile, text);
    expect(await readWith(oldFile)).toBe("sk_live_51H8abc");
  });
});
