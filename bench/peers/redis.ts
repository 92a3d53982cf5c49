// Redis from Debian's package with its own load generator: 10 connections that pipeline 32 commands each.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { LoadShape, Measurement } from "../loader.ts";
import { onCores } from "../pin.ts";
import { freePort } from "./free-port.ts";

const program = "/usr/bin/redis-server";
const startTimeoutMs = 10_000;
const ticksPerSecond = 100;

/** A fresh server on `cores`. `isDurable`: a command is answered when it is on disk. @throws Error when it is not installed or does not start. */
export async function startRedis(cores: string, isDurable: boolean) {
  if (!existsSync(program)) throw new Error("Redis is not installed: apt-get install redis-server redis-tools");
  const directory = mkdtempSync(join(tmpdir(), "todoku-bench-redis-"));
  const port = await freePort();
  const log = isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : ["--appendonly", "no"];
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "", ...log];
  const child = spawn(...onCores(cores, program, options), { stdio: ["ignore", "ignore", "inherit"] });
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async () => {
    kill();
    await exited;
    process.off("exit", kill);
    rmSync(directory, { recursive: true, force: true });
  };
  const pid = child.pid as number;
  await listening(port).catch(async (error) => {
    await stop();
    throw error;
  });
  const redis = { load: (shape: LoadShape, seconds: number) => load(port, pid, shape, seconds) };
  return { port, pid, redis, stop };
}

async function listening(port: number): Promise<void> {
  const endMs = performance.now() + startTimeoutMs;
  for (;;) {
    const socket = createConnection(port, "127.0.0.1");
    const outcome = await Promise.race([once(socket, "connect"), once(socket, "error")]).catch((error) => error);
    socket.destroy();
    if (Array.isArray(outcome) && outcome.length === 0) return;
    if (performance.now() > endMs) throw new Error("Redis did not start");
  }
}

async function load(port: number, pid: number, shape: LoadShape, seconds: number): Promise<Measurement> {
  const keys = shape.keys ?? 1;
  const warm = await run(port, shape, "set", Math.max(20 * keys, 100_000));
  const calls = Math.ceil(warm.perSecond * seconds);
  const cpu = cpuSeconds(pid);
  const { perSecond, p50Us, p99Us } = await run(port, shape, shape.mode, calls);
  const used = cpuSeconds(pid) - cpu;
  const percent = Math.round((used * perSecond * 100) / calls);
  const share = { serverCpuUs: (used / calls) * 1e6, serverCpuPercent: percent, loaderCpuPercent: 0 };
  return { perSecond, p50Us, p99Us, ...share, lost: 0 };
}

async function run(port: number, shape: LoadShape, command: string, calls: number) {
  const { connections, window = 1, keys = 1 } = shape;
  const options = { p: port, c: connections, P: window, r: keys, d: 100, n: calls, t: command };
  const args = Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)]);
  const { stdout } = await promisify(execFile)(...onCores("1", "/usr/bin/redis-benchmark", [...args, "--csv"]));
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
  const values = (stdout.trim().split("\n").at(-1) as string).split(",").map((cell) => Number(JSON.parse(cell)));
  const [, perSecond, , , p50Ms, , p99Ms] = values as [number, number, number, number, number, number, number];
  return { perSecond, p50Us: p50Ms * 1000, p99Us: p99Ms * 1000 };
}

/** Of all its threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
