import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type MasterKey, newMasterKeyText, parseMasterKey } from "../domain/encryption/master-key.ts";
import { TodokuError } from "../domain/errors.ts";

const variable = "TODOKU_MASTER_KEY";
// A key has 64 characters at most; whatever is longer than this is something else, named by mistake.
const textMaxBytes = 1024;
// A person may have to touch a token, or a key service be slow; a start that hangs for longer looks dead.
const defaultCommandMs = 30_000;

/** Where the master key may be: at most one of them. */
export interface MasterKeySources {
  readonly file?: string | undefined;
  /** A program and its arguments, separated by white space; it prints the key. No shell reads it, so nothing in it is special. */
  readonly command?: string | undefined;
  /** Of the process; `TODOKU_MASTER_KEY` is looked at. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long the command may take; default 30 s. */
  readonly commandMs?: number;
}

/**
 * The master key that an operator has named; undefined when none is.
 * @throws TodokuError `failed_precondition`: several are named, it cannot be read, others can read the file, or it is no key.
 */
export async function readMasterKey(sources: MasterKeySources): Promise<MasterKey | undefined> {
  const { file, command, env, commandMs = defaultCommandMs } = sources;
  const text = env[variable] || undefined;
  const named = Object.entries({ masterKeyFile: file, masterKeyCommand: command, [variable]: text })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name);
  if (named.length > 1) throw refusal(`the master key is named by ${named.join(" and ")}: keep one of them`);
  if (file !== undefined) return readMasterKeyFile(file);
  if (command !== undefined)
    return parseMasterKey(await outputOf(command, env, commandMs), "what masterKeyCommand printed");
  return text === undefined ? undefined : parseMasterKey(text, variable);
}

/** @throws TodokuError as `readMasterKey`. */
export async function readMasterKeyFile(path: string): Promise<MasterKey> {
  const text = await readPrivateFile(path);
  if (text === undefined) throw refusal(`the master key file ${path} does not exist`);
  return parseMasterKey(text, path);
}

/**
 * For dev mode, where nobody is asked to care for a key: the one in `path`, made when it is missing and `mayMake` says so.
 * @returns undefined when it is missing and must not be made.
 */
export async function ensureMasterKeyFile(
  path: string,
  mayMake: () => Promise<boolean>,
): Promise<MasterKey | undefined> {
  const text = await readPrivateFile(path);
  if (text !== undefined) return parseMasterKey(text, path);
  return (await mayMake()) ? makeMasterKeyFile(path) : undefined;
}

/** A new master key in a new file of mode 0600. @throws TodokuError `failed_precondition`: there is a file already, or none can be made. */
export async function makeMasterKeyFile(path: string): Promise<MasterKey> {
  const text = newMasterKeyText();
  try {
    const file = await open(path, "wx", 0o600);
    await writeDurably(file, `${text}\n`).catch(async (error: unknown) => {
      await rm(path, { force: true });
      throw error;
    });
    // The file is an entry of its directory, which must survive a power cut as well.
    const directory = await open(dirname(path), "r");
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    throw refusal(`the master key file ${path} cannot be made: ${(error as Error).message}`, error);
  }
  return parseMasterKey(text, path);
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** undefined when there is no such file. The mode is looked at on the open file: it is the one that is read. */
async function readPrivateFile(path: string): Promise<string | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw refusal(`the master key file ${path} cannot be read: ${(error as Error).message}`, error);
  }
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw refusal(`the master key file ${path} is no file`);
    if ((facts.mode & 0o077) !== 0) {
      const mode = (facts.mode & 0o777).toString(8).padStart(4, "0");
      throw refusal(`the master key file ${path} has mode ${mode}, so others can use it: chmod 600 ${path}`);
    }
    if (facts.size > textMaxBytes) {
      throw refusal(`the master key file ${path} has ${facts.size} bytes; must be <= ${textMaxBytes}`);
    }
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** What a program prints. What it says on stderr goes to ours: only it knows why it failed. */
async function outputOf(command: string, env: MasterKeySources["env"], commandMs: number): Promise<string> {
  const [program = "", ...args] = command.trim().split(/\s+/);
  // Its arguments may hold what nobody should read in a log.
  const failed = (why: string, cause?: unknown) => refusal(`masterKeyCommand (${program}) ${why}`, cause);
  // Detached is a process group of its own, with which the children of the command can be ended too.
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"], detached: true });
  let problem: string | undefined;
  const giveUp = (why: string) => {
    problem ??= why;
    child.stdout.destroy();
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {} // all of it has ended just now
  };
  const timer = setTimeout(() => giveUp(`did not end within ${commandMs / 1000} s`), commandMs);
  const chunks: Buffer[] = [];
  let bytes = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > textMaxBytes) giveUp(`printed more than ${textMaxBytes} bytes`);
  });
  try {
    const [code, signal] = await once(child, "close");
    problem ??= code === 0 ? undefined : `ended with ${code === null ? signal : `code ${code}`}`;
  } catch (error) {
    throw failed(`cannot be run: ${(error as NodeJS.ErrnoException).code}`, error);
  } finally {
    clearTimeout(timer);
  }
  if (problem !== undefined) throw failed(problem);
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(message: string, cause?: unknown): TodokuError {
  return new TodokuError("failed_precondition", message, { cause });
}
