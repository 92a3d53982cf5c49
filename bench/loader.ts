import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { onCores } from "./pin.ts";
import type { Server } from "./servers.ts";

/** What one run of the load measured. */
export interface Measurement {
  /** Deliveries or calls per second. */
  readonly perSecond: number;
  /** CPU of the server for each, all its threads. */
  readonly serverCpuUs: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly serverCpuPercent: number;
  readonly loaderCpuPercent: number;
  readonly lost: number;
  /** Resident memory of the server when the load ended; not of every peer. */
  readonly serverMemoryMb?: number;
  /** Of the server's memory, for each connection that is only open. */
  readonly connectionKb?: number;
}

/**
 * The shape of a load; `load/load.cpp` says what the modes do, `load/queue.ts` is `queue` (send, receive and delete in tens).
 * Redis gets `get` and `set` of its own load generator.
 */
export interface LoadShape {
  readonly mode: "fanout" | "unary" | "get" | "set" | "queue";
  readonly connections: number;
  readonly streams?: number;
  readonly window?: number;
  readonly rate?: number;
  /** Of `get` and `set`, unless the server says how many it is to hold. */
  readonly keys?: number;
  /** Before it counts; default 1. */
  readonly warmSeconds?: number;
  /** Where the server runs; default "0", a core that the loader keeps off. */
  readonly serverCores?: string;
}

const sources = fileURLToPath(new URL("./load/", import.meta.url));
const queueLoad = fileURLToPath(new URL("./load/queue.ts", import.meta.url));
const flags = ["-O2", "-std=c++17", "-Wall", "-Werror"];

/** The C++ compiler. */
export const compiler = process.env.CXX ?? "g++";

/** Compiles the load generator, unless these sources were compiled before. Returns its path. */
export function compileLoader(): string {
  const hash = createHash("sha256").update([compiler, ...flags].join(" "));
  for (const file of readdirSync(sources)
    .filter((name) => !name.endsWith(".ts"))
    .sort())
    hash.update(readFileSync(join(sources, file)));
  const folder = join(tmpdir(), `todoku-bench-${userInfo().uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder).uid !== userInfo().uid) throw new Error(`${folder} belongs to somebody else`);
  const binary = join(folder, `load-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  const unfinished = `${binary}.${process.pid}`;
  execFileSync(compiler, [...flags, "-o", unfinished, join(sources, "load.cpp")], { stdio: "inherit" });
  renameSync(unfinished, binary);
  return binary;
}

/** Loads `server` from core 1: a warm-up, then `seconds` that count. */
export async function runLoad(binary: string, server: Server, shape: LoadShape, seconds: number): Promise<Measurement> {
  const timing = {
    port: server.port,
    pid: server.pid,
    connections: shape.connections,
    warm: shape.warmSeconds ?? 1,
    seconds,
  };
  if (server.redis !== undefined) return server.redis.load(shape, seconds);
  const [command, options] =
    shape.mode === "queue"
      ? [[process.execPath, queueLoad], { ...timing, ...queueOptions(server) }]
      : [[binary], { ...timing, ...grpcOptions(server, shape) }];
  const args = [...command, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])];
  const timeout = (seconds + timing.warm + 20 + (server.backlog + server.keys) / 2000) * 1000;
  const env = { ...process.env, ...server.credentials };
  const { stdout } = await promisify(execFile)(...onCores("1", args[0] as string, args.slice(1)), { timeout, env });
  const measured = JSON.parse(stdout) as Measurement;
  if (measured.lost !== 0) throw new Error(`${measured.lost} messages were lost`);
  return measured;
}

function queueOptions({ calls, backlog }: Server) {
  return { protocol: calls.queueProtocol, backlog };
}

function grpcOptions({ calls, keys }: Server, shape: LoadShape) {
  const items = { cache: "bench", keys: keys || (shape.keys ?? 1) };
  return {
    mode: shape.mode,
    ...(shape.mode === "get" || shape.mode === "set" ? items : {}),
    "publish-path": calls.publishPath,
    "publish-head": calls.publishHead,
    "subscribe-path": calls.subscribePath,
    "subscribe-message": calls.subscribeMessage,
    streams: shape.streams ?? 1,
    window: shape.window ?? 1,
    rate: shape.rate ?? 0,
  };
}
