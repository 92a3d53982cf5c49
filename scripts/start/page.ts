import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { repositoryPath } from "./child.ts";

const example = repositoryPath("examples/task-notifications");

/** Builds the page of the example when it was not built yet, or its sources have changed since. @throws Error with what the build said. */
export async function buildPage(): Promise<void> {
  const builtAtMs = await modifiedAtMs(join(example, "web/dist/index.html"));
  if (builtAtMs !== undefined && builtAtMs > (await newestSourceMs())) return;
  process.stderr.write("Building the page; once, and after its sources change ...\n");
  const vite = repositoryPath("node_modules/vite/bin/vite.js");
  const build = spawn(process.execPath, [vite, "build", "web", "--logLevel", "warn"], {
    cwd: example,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], out, errors] = await Promise.all([once(build, "close"), text(build.stdout), text(build.stderr)]);
  if (code !== 0) throw new Error(`the page could not be built (exit ${code}):\n${out}${errors}`);
}

async function newestSourceMs(): Promise<number> {
  const entries = await readdir(join(example, "web"), { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/[\\/](dist|node_modules)[\\/]/.test(path));
  const times = await Promise.all([...files, join(example, "package.json")].map(modifiedAtMs));
  return Math.max(...times.map((time) => time ?? 0));
}

async function modifiedAtMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return undefined;
  }
}
