import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** `todoku dev` as a process of its own: what can be killed. */
export interface DevProcess {
  readonly port: number;
  readonly child: ChildProcess;
  /** What it has printed. */
  output(): { stdout: string; stderr: string };
  /** Sends the signal and resolves with exit code and signal when it is gone. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts it and resolves when it listens. Rejects with what it printed when it exits first. */
export async function startDevProcess(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<DevProcess> {
  const child = spawn(process.execPath, [main, "dev", ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  const printed = { stdout: "", stderr: "" };
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const listening = new Promise<number>((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      printed.stdout += chunk;
      const port = /listens on http:\/\/[^:]+:(\d+)/.exec(printed.stdout)?.[1];
      if (port !== undefined && printed.stdout.includes("data ")) resolve(Number(port));
    });
    child.stderr.on("data", (chunk) => {
      printed.stderr += chunk;
    });
    void exited.then(([code]) => reject(new Error(`exit ${code}: ${printed.stderr}${printed.stdout}`)));
  });
  return {
    port: await listening,
    child,
    output: () => printed,
    async end(signal) {
      child.kill(signal);
      const [code, by] = await exited;
      return { code, signal: by };
    },
  };
}

/** Runs any other command of the CLI to its end. */
export async function runCli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
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
