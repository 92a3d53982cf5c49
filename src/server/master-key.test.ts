import { randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aDirectory } from "../../test/support/server.ts";
import { MasterKey } from "../domain/encryption/master-key.ts";
import { ensureMasterKeyFile, makeMasterKeyFile, readMasterKey, readMasterKeyFile } from "./master-key.ts";

const bytes = randomBytes(32);
const hex = bytes.toString("hex");
const { id } = new MasterKey(bytes);

let directory: Awaited<ReturnType<typeof aDirectory>>;
let file: string;
beforeEach(async () => {
  directory = await aDirectory();
  file = join(directory.path, "master.key");
});
afterEach(() => directory[Symbol.asyncDispose]());

/** A script that prints `text`, after `before`. */
async function aCommand(text: string, before = ""): Promise<string> {
  const path = join(directory.path, "print-key");
  await writeFile(path, `#!/bin/sh\n${before}\nprintf '%s\\n' '${text}'\n`, { mode: 0o700 });
  return path;
}
const refusal = (message: string | RegExp) => ({
  code: "failed_precondition",
  message: expect.stringMatching(message),
});
const env = { PATH: process.env.PATH };

describe("the master key", () => {
  it("is none when nothing names one", async () => {
    expect(await readMasterKey({ env })).toBeUndefined();
    expect(await readMasterKey({ env: { TODOKU_MASTER_KEY: "" } })).toBeUndefined();
  });

  it("is read from a file, from TODOKU_MASTER_KEY, or from what a command prints", async () => {
    await writeFile(file, `${hex}\n`, { mode: 0o600 });
    const command = `${await aCommand(hex)}  --for todoku`;
    for (const sources of [{ file, env }, { command, env }, { env: { TODOKU_MASTER_KEY: hex } }]) {
      expect((await readMasterKey(sources))?.id).toBe(id);
    }
  });

  it("is not chosen among several that are named", async () => {
    const sources = { file, command: "true", env: { TODOKU_MASTER_KEY: hex } };
    await expect(readMasterKey(sources)).rejects.toMatchObject(
      refusal(/named by masterKeyFile and masterKeyCommand and TODOKU_MASTER_KEY: keep one/),
    );
  });
});

describe("a master key file", () => {
  it.each([0o640, 0o604, 0o620, 0o610, 0o644, 0o666])("of mode %o is refused, with what to do", async (mode) => {
    await writeFile(file, hex);
    await chmod(file, mode);
    const message = `has mode 0${mode.toString(8)}, so others can use it: chmod 600 ${file}`;
    await expect(readMasterKeyFile(file)).rejects.toMatchObject(refusal(message));
  });

  it("may be read-only, and may be reached through a link, as mounted secrets are", async () => {
    await writeFile(file, hex, { mode: 0o400 });
    await symlink(file, `${file}.link`);
    expect((await readMasterKeyFile(`${file}.link`)).id).toBe(id);
  });

  it("is refused when it is missing, a directory, too long, or no key; its text is not repeated", async () => {
    await expect(readMasterKeyFile(file)).rejects.toMatchObject(refusal(`master key file ${file} does not exist`));
    await mkdir(join(directory.path, "folder"), { mode: 0o700 });
    await expect(readMasterKeyFile(join(directory.path, "folder"))).rejects.toMatchObject(refusal(/is no file$/));
    await writeFile(file, "x".repeat(1025), { mode: 0o600 });
    await expect(readMasterKeyFile(file)).rejects.toMatchObject(refusal("has 1025 bytes; must be <= 1024"));
    await writeFile(file, `${hex}00`);
    const error = await readMasterKeyFile(file).catch((reason: Error) => reason.message);
    expect(error).toMatch(`the master key in ${file} has 33 bytes; must be 32`);
    expect(error).not.toContain(hex);
  });

  it("is made with mode 0600, whatever the umask, and never over another one, nor through a link", async () => {
    const before = process.umask(0);
    const made = await makeMasterKeyFile(file).finally(() => process.umask(before));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await readMasterKeyFile(file)).id).toBe(made.id);
    const text = await readFile(file, "utf8");
    await expect(makeMasterKeyFile(file)).rejects.toMatchObject(refusal(/cannot be made: EEXIST/));
    expect(await readFile(file, "utf8")).toBe(text);
    const [link, elsewhere] = [`${file}.link`, `${file}.elsewhere`];
    await symlink(elsewhere, link);
    await expect(makeMasterKeyFile(link)).rejects.toMatchObject(refusal(/cannot be made: EEXIST/));
    await expect(stat(elsewhere)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("of dev mode is made once, and only where nothing was sealed before", async () => {
    expect(await ensureMasterKeyFile(file, async () => false)).toBeUndefined();
    await expect(stat(file)).rejects.toMatchObject({ code: "ENOENT" });
    const made = await ensureMasterKeyFile(file, async () => true);
    expect((await ensureMasterKeyFile(file, async () => false))?.id).toBe(made?.id);
  });
});

describe("a master key command", () => {
  it("is run without a shell: nothing in it is special", async () => {
    const marker = join(directory.path, "marker");
    const command = `${await aCommand(hex)} ; touch ${marker} $(touch ${marker})`;
    expect((await readMasterKey({ command, env }))?.id).toBe(id);
    await expect(stat(marker)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("that fails is named without its arguments", async () => {
    const command = `${await aCommand(hex, "exit 3")} --pin 1234`;
    const error = await readMasterKey({ command, env }).catch((reason: Error) => reason.message);
    expect(error).toMatch(/^masterKeyCommand \(\S+print-key\) ended with code 3$/);
    await expect(readMasterKey({ command: "/nowhere/key --pin 1234", env })).rejects.toMatchObject(
      refusal(/^masterKeyCommand \(\/nowhere\/key\) cannot be run: ENOENT$/),
    );
  });

  it("that prints no key, or without end, is refused", async () => {
    const text = "not the key";
    const error = await readMasterKey({ command: await aCommand(text), env }).catch((reason: Error) => reason.message);
    expect(error).toMatch(/^the master key in what masterKeyCommand printed is neither hex nor base64/);
    expect(error).not.toContain(text);
    await expect(readMasterKey({ command: "yes", env })).rejects.toMatchObject(
      refusal(/printed more than 1024 bytes$/),
    );
  });

  it("that does not end is ended, with the children that it has", async () => {
    const command = await aCommand(hex, "sleep 20 & sleep 20");
    await expect(readMasterKey({ command, env, commandMs: 200 })).rejects.toMatchObject(
      refusal(/did not end within 0.2 s$/),
    );
  });
});
