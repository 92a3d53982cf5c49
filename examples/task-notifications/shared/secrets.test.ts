import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { aDirectory } from "../../../test/support/server.ts";
import { aTodoku } from "../testing/application.ts";
import { silentLog } from "../testing/log.ts";
import { names } from "./names.ts";
import { Secrets } from "./secrets.ts";
import { keyFileIn } from "./settings.ts";
import { anyAnswer, Todoku, TodokuFailure } from "./todoku.ts";

it("opens with a bootstrap key the secrets of its process, and nothing else", async () => {
  await using todoku = await aTodoku();
  const { url: todokuUrl, stateDir } = todoku;
  const open = (name: "api" | "worker") =>
    new Secrets({ todokuUrl, keyFile: keyFileIn(stateDir, name), log: silentLog });
  const status = (secrets: Secrets, name: string) =>
    secrets
      .text(name)
      .current()
      .then(
        () => 200,
        (error: unknown) => (error instanceof TodokuFailure ? error.status : error),
      );
  const all = [names.apiSecret, names.workerSecret, names.receiptSecret];
  const [api, worker] = [open("api"), open("worker")];
  expect(await Promise.all(all.map((name) => status(api, name)))).toEqual([200, 403, 403]);
  expect(await Promise.all(all.map((name) => status(worker, name)))).toEqual([403, 200, 200]);
  // The key in the secret does what its process does; the bootstrap key does not.
  const send = { body: "x" };
  const path = `/v1/queues/${names.taskQueue}/send`;
  await new Todoku(todokuUrl, api.key(names.apiSecret)).call("POST", path, send, anyAnswer);
  await expect(
    new Todoku(todokuUrl, worker.key(names.workerSecret)).call("POST", path, send, anyAnswer),
  ).rejects.toMatchObject({ status: 403 });
});

it("takes no file that holds something else than one key, and names the file", async () => {
  await using directory = await aDirectory();
  const keyFile = join(directory.path, "key");
  const secret = () => new Secrets({ todokuUrl: "http://127.0.0.1:1", keyFile, log: silentLog }).text("x").current();
  await expect(secret()).rejects.toThrow(keyFile);
  for (const text of ["", "\n", "two keys", "ключ"]) {
    await writeFile(keyFile, text);
    await expect(secret()).rejects.toThrow("no key");
  }
});
