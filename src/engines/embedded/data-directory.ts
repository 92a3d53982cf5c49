import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { TodokuError } from "../../domain/errors.ts";

/** The one data file of a data directory. */
export function databasePath(dataDir: string): string {
  return join(dataDir, "todoku.db");
}

/** Makes an entry of `directory` survive a power cut. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/**
 * Creates an empty file with mode 0600; false when there is one already. Exclusive, so an existing file is never opened:
 * closing any handle of a file drops all POSIX locks that this process, that is SQLite, holds on it.
 */
export function createPrivateFile(path: string): boolean {
  try {
    closeSync(openSync(path, "wx", 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Creates the directory (0700) and the files (0600) before SQLite does, which would take the umask's modes.
 * @throws TodokuError `failed_precondition` when the file system does not let us.
 */
export function prepareDataDirectory(dataDir: string): void {
  try {
    createFiles(dataDir);
  } catch (error) {
    const text = `the data directory ${dataDir} cannot be used: ${(error as Error).message}`;
    throw new TodokuError("failed_precondition", text, { cause: error });
  }
}

function createFiles(dataDir: string): void {
  const firstMade = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  chmodSync(dataDir, 0o700);
  for (const path of [join(dataDir, "lock.db"), databasePath(dataDir)]) {
    if (!createPrivateFile(path)) chmodSync(path, 0o600);
  }
  syncDirectory(dataDir);
  if (firstMade === undefined) return;
  // Each new directory is an entry of the one above it.
  const top = dirname(resolve(firstMade));
  for (let directory = resolve(dataDir); directory !== top; directory = dirname(directory)) {
    syncDirectory(dirname(directory));
  }
}

/**
 * Takes the directory for this process and returns what frees it. The lock is a transaction on `lock.db`: the kernel frees it
 * with the process, even after kill -9. `lock.json` only tells a human who holds it.
 * @throws TodokuError `failed_precondition` when another process, or this one, holds it.
 */
export function lockDataDirectory(dataDir: string, nowMs: number): () => void {
  const holderPath = join(dataDir, "lock.json");
  const db = new DatabaseSync(join(dataDir, "lock.db"));
  try {
    // Of two that start at the same moment each may hold half of what the other needs: a short wait lets one of them win.
    db.exec("PRAGMA busy_timeout = 250; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    throw new TodokuError(
      "failed_precondition",
      `the data directory ${dataDir} is in use${describeHolder(holderPath)}`,
      {
        cause: error,
      },
    );
  }
  const holder = { pid: process.pid, host: hostname(), startedAt: new Date(nowMs).toISOString() };
  tellHolder(holderPath, `${JSON.stringify(holder)}\n`);
  return () => {
    tellHolder(holderPath, undefined);
    db.close();
  };
}

// The lock holds without it, so a full disk must keep nobody from starting or ending: then a second start cannot say who has it.
function tellHolder(holderPath: string, holder: string | undefined): void {
  try {
    rmSync(holderPath, { force: true });
    if (holder !== undefined) writeFileSync(holderPath, holder, { mode: 0o600 });
  } catch {}
}

function describeHolder(holderPath: string): string {
  try {
    if (!existsSync(holderPath)) return "";
    const holder = JSON.parse(readFileSync(holderPath, "utf8"));
    return ` by process ${holder.pid} on ${holder.host}, started ${holder.startedAt}`;
  } catch {
    return "";
  }
}
