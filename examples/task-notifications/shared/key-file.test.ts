import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { aDirectory } from "../../../test/support/server.ts";
import { aLog, silentLog } from "../testing/log.ts";
import { CredentialRefused, KeyFile } from "./key-file.ts";

const echo = async (apiKey: string) => apiKey;
const accepting = (good: string) => async (apiKey: string) => {
  if (apiKey !== good) throw new CredentialRefused("refused");
  return apiKey;
};

it("looks at its file again after five minutes", async () => {
  await using directory = await aDirectory();
  const path = join(directory.path, "key");
  let nowMs = 0;
  const keyFile = new KeyFile(path, silentLog, () => nowMs);
  await writeFile(path, "first\n");
  expect(await keyFile.use(echo)).toBe("first");
  await writeFile(path, "second\n");
  nowMs = 5 * 60_000 - 1;
  expect(await keyFile.use(echo)).toBe("first");
  nowMs++;
  expect(await keyFile.use(echo)).toBe("second");
});

it("looks at once when its key is refused, and tries once more", async () => {
  await using directory = await aDirectory();
  const path = join(directory.path, "key");
  const keyFile = new KeyFile(path, silentLog);
  await writeFile(path, "first");
  expect(await keyFile.use(accepting("first"))).toBe("first");
  await writeFile(path, "second");
  const calls = await Promise.all([1, 2, 3].map(() => keyFile.use(accepting("second"))));
  expect(calls).toEqual(["second", "second", "second"]);
  await expect(keyFile.use(accepting("third"))).rejects.toBeInstanceOf(CredentialRefused);
});

it("goes on with the key it has while the file is missing, and says so without the key", async () => {
  await using directory = await aDirectory();
  const path = join(directory.path, "key");
  const { log, lines } = aLog();
  let nowMs = 0;
  const keyFile = new KeyFile(path, log, () => nowMs);
  await expect(keyFile.use(echo)).rejects.toThrow(path);
  await writeFile(path, "the-key");
  expect(await keyFile.use(echo)).toBe("the-key");
  await rm(path);
  nowMs = 10 * 60_000;
  expect(await keyFile.use(echo)).toBe("the-key");
  expect(lines.join("")).toContain("cannot be read");
  expect(lines.join("")).not.toContain("the-key");
});

it("takes no file that holds something else than one key", async () => {
  await using directory = await aDirectory();
  const path = join(directory.path, "key");
  for (const text of ["", "\n", "two keys", "ключ"]) {
    await writeFile(path, text);
    await expect(new KeyFile(path, silentLog).use(echo)).rejects.toThrow("no key");
  }
});
