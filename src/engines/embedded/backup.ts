import { closeSync, existsSync, fsyncSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { TodokuError } from "../../domain/errors.ts";
import { createPrivateFile, databasePath, syncDirectory } from "./data-directory.ts";
import { startThread } from "./threads.ts";

/**
 * Copies the data of `dataDir`, as of one moment, into the new file `targetFile` (mode 0600), also while a server runs on it.
 * To restore: put the file as `todoku.db` into an empty data directory; every topic then goes on in a new page.
 * @throws TodokuError `already_exists` (the target), `not_found` (no data), `failed_precondition` (no place for the target), `unavailable`.
 */
export async function backupDataDirectory(dataDir: string, targetFile: string): Promise<void> {
  if (!existsSync(databasePath(dataDir))) throw new TodokuError("not_found", `${dataDir} holds no Todoku data`);
  if (!createTarget(targetFile)) throw new TodokuError("already_exists", `${targetFile} already exists`);
  try {
    await runBackup(databasePath(dataDir), targetFile);
    const handle = openSync(targetFile, "r");
    fsyncSync(handle);
    closeSync(handle);
    syncDirectory(dirname(targetFile));
  } catch (error) {
    rmSync(targetFile, { force: true });
    throw error;
  }
}

function createTarget(targetFile: string): boolean {
  try {
    return createPrivateFile(targetFile);
  } catch (error) {
    const text = `the backup cannot be written: ${(error as Error).message}`;
    throw new TodokuError("failed_precondition", text, { cause: error });
  }
}

// In a thread of its own: a large file takes minutes, and the caller may be a server.
function runBackup(source: string, target: string): Promise<void> {
  const thread = startThread("backup-thread", { source, target });
  return new Promise((resolve, reject) => {
    let problem: string | undefined = "the backup ended early";
    thread.on("message", (answer: { readonly problem: string | undefined }) => {
      problem = answer.problem;
    });
    thread.on("error", reject);
    thread.on("exit", () => {
      if (problem === undefined) resolve();
      else reject(new TodokuError("unavailable", `backup of ${source}: ${problem}`));
    });
  });
}
