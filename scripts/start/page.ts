import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { repositoryPath } from "./child.ts";

/** An example with a page. */
interface PageOwner {
  /** Its directory in examples/. */
  readonly name: string;
  /** Directories in examples/ that the page is built from. */
  readonly pageSources: readonly string[];
}

/** Builds the page of the example when it was not built yet, or its sources have changed since. @throws Error with what the build said. */
export async function buildPage({ name, pageSources }: PageOwner): Promise<void> {
  const example = repositoryPath(`examples/${name}`);
  const builtAtMs = await modifiedAtMs(join(example, "web/dist/index.html"));
  const sourcesMs = await Promise.all(pageSources.map((source) => newestMs(repositoryPath(`examples/${source}`))));
  const newestSourceMs = Math.max(...sourcesMs, (await modifiedAtMs(join(example, "package.json"))) ?? 0);
  if (builtAtMs !== undefined && builtAtMs > newestSourceMs) return;
  process.stderr.write("Building the page; once, and after its sources change ...\n");
  const vite = repositoryPath("node_modules/vite/bin/vite.js");
  const build = spawn(process.execPath, [vite, "build", "web", "--logLevel", "warn"], {
    cwd: example,
    // A test's NODE_ENV would build React for development: slower, larger, with each effect run twice.
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [[code], out, errors] = await Promise.all([once(build, "close"), text(build.stdout), text(build.stderr)]);
  if (code !== 0) throw new Error(`the page could not be built (exit ${code}):\n${out}${errors}`);
}

async function newestMs(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/[\\/](dist|node_modules)[\\/]/.test(path));
  const times = await Promise.all(files.map(modifiedAtMs));
  return Math.max(0, ...times.map((time) => time ?? 0));
}

async function modifiedAtMs(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs;
  } catch {
    return undefined;
  }
}
