import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { captureProcess } from "./captured-logs.ts";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** A process of its own: what can be killed. */
export interface StartedProcess {
  readonly child: ChildProcess;
  /** What it has printed. */
  output(): { stdout: string; stderr: string };
  /** Resolves when it is gone. */
  readonly ended: Promise<unknown>;
  /** Sends the signal and resolves with exit code and signal when it is gone. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** A server as a process. */
export interface DevProcess extends StartedProcess {
  readonly port: number;
}

/** Starts it and resolves when it listens. Rejects with what it printed when it exits first. */
export async function startDevProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<DevProcess> {
  const started = await startProcess(main, ["dev", ...args], env, /listens on http:\/\/[^:]+:(\d+)[\s\S]*data /);
  return { ...started, port: Number(started.found) };
}

/** Starts `todoku start` and resolves when it listens. Rejects with what it printed when it exits first. */
export async function startProductionProcess(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<DevProcess> {
  const started = await startProcess(main, ["start", ...args], env, /listens on https?:\/\/[^:]+:(\d+)\n/);
  return { ...started, port: Number(started.found) };
}

/**
 * Runs a script and resolves when what it prints to stdout matches `isReady`; `found` is the first group. Rejects with what it
 * printed when it exits first.
 */
export async function startProcess(
  script: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  isReady: RegExp,
): Promise<StartedProcess & { readonly found: string }> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  captureProcess(child, args);
  const printed = { stdout: "", stderr: "" };
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      printed.stdout += chunk;
      const match = isReady.exec(printed.stdout);
      if (match) resolve(match[1] ?? "");
    });
    child.stderr.on("data", (chunk) => {
      printed.stderr += chunk;
    });
    void exited.then(([code]) => reject(new Error(`exit ${code}: ${printed.stderr}${printed.stdout}`)));
  });
  return {
    found: await ready,
    child,
    output: () => printed,
    ended: exited,
    async end(signal) {
      child.kill(signal);
      const [code, by] = await exited;
      return { code, signal: by };
    },
  };
}

/** Runs any other command of the CLI to its end. */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}): ReturnType<typeof runNode> {
  return runNode([main, ...args], env);
}

/** Runs Node with these arguments to its end. */
export async function runNode(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  captureProcess(child, args);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
