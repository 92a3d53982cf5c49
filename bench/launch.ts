import { spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection } from "node:net";
import { createInterface } from "node:readline";
import { onCores } from "./pin.ts";

/** A program under load, alone on its core. */
export interface Running {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const startTimeoutMs = 15_000;

/**
 * Starts a program that prints `listens on http://127.0.0.1:<port>`, pinned to `cores`. `clear` runs when it has ended.
 * @throws Error when it does not say so within 15 s.
 */
export async function launch(
  cores: string,
  program: string,
  args: readonly string[],
  clear = () => {},
): Promise<Running> {
  const { child, stop } = start(cores, program, args, ["ignore", "pipe", "inherit"], clear);
  const timeout = setTimeout(() => child.kill("SIGKILL"), startTimeoutMs);
  const output = child.stdout as NonNullable<typeof child.stdout>;
  for await (const line of createInterface({ input: output })) {
    const port = / listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(` ${line}`)?.[1];
    if (port === undefined) continue;
    clearTimeout(timeout);
    output.resume();
    return { port: Number(port), pid: child.pid as number, stop };
  }
  await stop();
  throw new Error(`${program} ${args[0] ?? ""} did not start`);
}

/** The same with a program that is told its port and prints nothing. */
export async function launchOn(
  port: number,
  cores: string,
  program: string,
  args: readonly string[],
  clear = () => {},
): Promise<Running> {
  const { child, stop } = start(cores, program, args, "ignore", clear);
  const endMs = performance.now() + startTimeoutMs;
  while (child.exitCode === null && performance.now() < endMs) {
    if (await accepts(port)) return { port, pid: child.pid as number, stop };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await stop();
  throw new Error(`${program} did not start`);
}

function start(
  cores: string,
  program: string,
  args: readonly string[],
  stdio: "ignore" | ("ignore" | "pipe" | "inherit")[],
  clear: () => void,
) {
  const [command, commandArgs] = onCores(cores, program, args);
  const child = spawn(command, commandArgs, { stdio });
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL"); // a bench that was interrupted leaves nothing running
  process.once("exit", kill);
  const stop = async () => {
    child.kill("SIGKILL"); // nobody needs this data any more
    await exited;
    process.off("exit", kill);
    clear();
  };
  return { child, stop };
}

async function accepts(port: number): Promise<boolean> {
  const socket = createConnection(port, "127.0.0.1");
  const isUp = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return isUp;
}
