import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launch, type Running } from "./launch.ts";
import type { LoadShape, Measurement } from "./loader.ts";
import { startRabbit } from "./peers/rabbitmq.ts";
import { startRedis } from "./peers/redis.ts";

/** Who is measured: Todoku by the durability of its cache or by what waits in its queue, and the peers beside it. */
export type ServerName =
  | "todoku-memory"
  | "todoku-disk"
  | "todoku-queue"
  | "todoku-sqs"
  | "todoku-sqs-sdk"
  | "stub-sqs-sdk"
  | "todoku-1k-waiting"
  | "todoku-1m-waiting"
  | "todoku-1k-items"
  | "todoku-1m-items"
  | "h2hand"
  | "grpc-js"
  | "rabbitmq"
  | "redis-memory"
  | "redis-disk";

/** A server under load. */
export interface Server extends Running {
  readonly calls: Calls;
  /** Messages that are to wait in the queue before it is measured. */
  readonly backlog: number;
  /** Items that it is to hold; 0: as the load says. */
  readonly keys: number;
  /** Environment of those who call it. */
  readonly credentials?: Readonly<Record<string, string>>;
  /** It is Redis, which has a load of its own. */
  readonly redis?: { load(shape: LoadShape, seconds: number): Promise<Measurement> };
}

/** What the loader sends: method paths, and messages in hex. */
interface Calls {
  readonly publishPath: string;
  /** The Publish message up to its payload of 128 bytes, which comes last. */
  readonly publishHead: string;
  readonly subscribePath: string;
  readonly subscribeMessage: string;
  readonly queueProtocol: "http" | "amqp" | "sqs" | "sqs-sdk";
}

const cache = "bench";
const topic = "topic";

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
const sdkCalls: Calls = { ...peerCalls, queueProtocol: "sqs-sdk" };

/** A protobuf field with a short text, in hex. */
function text(field: number, value: string): string {
  return Buffer.from([field * 8 + 2, value.length, ...Buffer.from(value)]).toString("hex");
}

const items: Partial<Record<ServerName, number>> = { "todoku-1k-items": 1000, "todoku-1m-items": 1_000_000 };
const backlogs: Partial<Record<ServerName, number>> = { "todoku-1k-waiting": 1000, "todoku-1m-waiting": 1_000_000 };

/** Starts a fresh server on `cores`: no round inherits the heap or the log of the one before. */
export async function startServer(name: ServerName, cores = "0"): Promise<Server> {
  const none = { backlog: 0, keys: 0 };
  if (name === "h2hand") return { ...(await script(cores, import.meta.resolve("./peers/h2hand.ts"))), ...none };
  if (name === "grpc-js") return { ...(await script(cores, import.meta.resolve("./peers/grpc-js.ts"))), ...none };
  if (name === "rabbitmq") return { ...(await startRabbit(cores)), calls: peerCalls, ...none };
  if (name === "redis-memory" || name === "redis-disk") {
    return { ...(await startRedis(cores, name === "redis-disk")), calls: peerCalls, ...none };
  }
  if (name === "stub-sqs-sdk") {
    const server = await script(cores, import.meta.resolve("./peers/sqs-stub.ts"));
    return { ...server, ...none, calls: sdkCalls, credentials: awsEnvironment("none", "none") };
  }
  const server = await startTodoku(name === "todoku-disk" ? "disk" : "memory", cores);
  if (name === "todoku-sqs" || name === "todoku-sqs-sdk") {
    const calls = name === "todoku-sqs" ? { ...todokuCalls, queueProtocol: "sqs" as const } : sdkCalls;
    return { ...server, ...none, calls, credentials: await accessKeyOf(server) };
  }
  return { ...server, calls: todokuCalls, backlog: backlogs[name] ?? 0, keys: items[name] ?? 0 };
}

async function script(cores: string, url: string) {
  return { ...(await launch(cores, process.execPath, [fileURLToPath(url)])), calls: peerCalls };
}

/** A fresh Todoku with cache and queue `bench`; `settings` are more of its flags. */
export async function startTodoku(
  durability: "memory" | "disk",
  cores: string,
  settings: readonly string[] = [],
): Promise<Running> {
  const dataDir = mkdtempSync(join(tmpdir(), "todoku-bench-data-"));
  const main = fileURLToPath(import.meta.resolve("../src/cli/main.ts"));
  const flags = ["--port", "0", "--data-dir", dataDir, "--log-level", "warn", "--cache-durability", durability];
  const clear = () => rmSync(dataDir, { recursive: true, force: true });
  const server = await launch(cores, process.execPath, [main, "dev", ...flags, ...settings], clear);
  await create(server, "caches");
  await create(server, "queues");
  return server;
}

/** So that signatures are checked: dev mode takes those of unknown keys as they are. */
async function accessKeyOf(server: Running): Promise<Readonly<Record<string, string>>> {
  const { accessKeyId, secretAccessKey } = (await post(server, "keys", { superUser: true, accessKey: true })) as {
    accessKeyId: string;
    secretAccessKey: string;
  };
  return awsEnvironment(accessKeyId, secretAccessKey);
}

function awsEnvironment(accessKeyId: string, secretAccessKey: string) {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
}

async function create(server: Running, what: "caches" | "queues"): Promise<void> {
  await post(server, what, { name: cache });
}

async function post({ port, stop }: Running, what: string, body: object): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${what}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.ok) return response.json();
  await stop();
  throw new Error(`${what} of the bench were not created: ${response.status} ${await response.text()}`);
}
