import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LoadShape, Measurement } from "./loader.ts";
import { startRabbit } from "./peers/rabbitmq.ts";
import { startRedis } from "./peers/redis.ts";
import { onCores } from "./pin.ts";

/** Who is measured: Todoku by the durability of its cache or by what waits in its queue, and the peers beside it. */
export type ServerName =
  | "todoku-memory"
  | "todoku-disk"
  | "todoku-queue"
  | "todoku-1k-waiting"
  | "todoku-1m-waiting"
  | "todoku-1k-items"
  | "todoku-1m-items"
  | "h2hand"
  | "grpc-js"
  | "rabbitmq"
  | "redis-memory"
  | "redis-disk";

/** A server under load, alone on its core. */
export interface Server {
  readonly port: number;
  readonly pid: number;
  readonly calls: Calls;
  /** Messages that are to wait in the queue before it is measured. */
  readonly backlog: number;
  /** Items that it is to hold; 0: as the load says. */
  readonly keys: number;
  /** It is Redis, which has a load of its own. */
  readonly redis?: { load(shape: LoadShape, seconds: number): Promise<Measurement> };
  stop(): Promise<void>;
}

/** What the loader sends: method paths, and messages in hex. */
interface Calls {
  readonly publishPath: string;
  /** The Publish message up to its payload of 128 bytes, which comes last. */
  readonly publishHead: string;
  readonly subscribePath: string;
  readonly subscribeMessage: string;
  readonly queueProtocol: "http" | "amqp";
}

const cache = "bench";
const topic = "topic";
const startTimeoutMs = 15_000;

const todokuCalls: Calls = {
  publishPath: "/cache_client.pubsub.Pubsub/Publish",
  // 3: the value, 131 bytes; in it 1: a text of 128 bytes
  publishHead: `${text(1, cache)}${text(2, topic)}1a83010a8001`,
  subscribePath: "/cache_client.pubsub.Pubsub/Subscribe",
  subscribeMessage: `${text(1, cache)}${text(2, topic)}`,
  queueProtocol: "http",
};
const peerCalls: Calls = {
  publishPath: "/bench.Topics/Publish",
  publishHead: `${text(1, topic)}128001`,
  subscribePath: "/bench.Topics/Subscribe",
  subscribeMessage: text(1, topic),
  queueProtocol: "amqp",
};

/** A protobuf field with a short text, in hex. */
function text(field: number, value: string): string {
  return Buffer.from([field * 8 + 2, value.length, ...Buffer.from(value)]).toString("hex");
}

const items: Partial<Record<ServerName, number>> = { "todoku-1k-items": 1000, "todoku-1m-items": 1_000_000 };
const backlogs: Partial<Record<ServerName, number>> = { "todoku-1k-waiting": 1000, "todoku-1m-waiting": 1_000_000 };

/** Starts a fresh server on `cores`: no round inherits the heap or the log of the one before. */
export async function startServer(name: ServerName, cores = "0"): Promise<Server> {
  if (name === "h2hand") return launch(cores, import.meta.resolve("./peers/h2hand.ts"), [], peerCalls);
  if (name === "grpc-js") return launch(cores, import.meta.resolve("./peers/grpc-js.ts"), [], peerCalls);
  if (name === "rabbitmq") return { ...(await startRabbit(cores)), calls: peerCalls, backlog: 0, keys: 0 };
  if (name === "redis-memory" || name === "redis-disk") {
    return { ...(await startRedis(cores, name === "redis-disk")), calls: peerCalls, backlog: 0, keys: 0 };
  }
  const dataDir = mkdtempSync(join(tmpdir(), "todoku-bench-data-"));
  const durability = name === "todoku-disk" ? "disk" : "memory";
  const args = ["dev", "--port", "0", "--data-dir", dataDir, "--log-level", "warn", "--cache-durability", durability];
  const clear = () => rmSync(dataDir, { recursive: true, force: true });
  const server = await launch(cores, import.meta.resolve("../src/cli/main.ts"), args, todokuCalls, clear);
  await create(server, "caches");
  await create(server, "queues");
  return { ...server, backlog: backlogs[name] ?? 0, keys: items[name] ?? 0 };
}

async function launch(
  cores: string,
  url: string,
  args: readonly string[],
  calls: Calls,
  clear = () => {},
): Promise<Server> {
  const [command, commandArgs] = onCores(cores, process.execPath, [fileURLToPath(url), ...args]);
  const child = spawn(command, commandArgs, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL"); // a bench that was interrupted leaves nothing running
  process.once("exit", kill);
  const stop = async () => {
    child.kill("SIGKILL"); // nobody needs this data any more
    await exited;
    process.off("exit", kill);
    clear();
  };
  const timeout = setTimeout(kill, startTimeoutMs);
  for await (const line of createInterface({ input: child.stdout })) {
    const port = / listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(` ${line}`)?.[1];
    if (port === undefined) continue;
    clearTimeout(timeout);
    child.stdout.resume();
    return { port: Number(port), pid: child.pid as number, calls, backlog: 0, keys: 0, stop };
  }
  await stop();
  throw new Error(`${url} did not start`);
}

async function create({ port, stop }: Server, what: "caches" | "queues"): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${what}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: cache }),
  });
  if (response.ok) return;
  await stop();
  throw new Error(`${what} "${cache}" was not created: ${response.status} ${await response.text()}`);
}
