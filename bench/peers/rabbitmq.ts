// RabbitMQ from Debian's package, with a node, a database and ports of its own that are gone afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onCores } from "../pin.ts";
import { freePort } from "./free-port.ts";

const program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const startTimeoutMs = 60_000;

/** A fresh broker on `cores`, as the package configures it. @throws Error when it is not installed or does not start. */
export async function startRabbit(cores: string): Promise<{ port: number; pid: number; stop(): Promise<void> }> {
  if (!existsSync(program)) throw new Error("RabbitMQ is not installed: apt-get install rabbitmq-server");
  const directory = mkdtempSync(join(tmpdir(), "todoku-bench-rabbitmq-"));
  const [port, distributionPort, mapperPort] = [await freePort(), await freePort(), await freePort()];
  const [command, args] = onCores(cores, program, []);
  const child = spawn(command, args, {
    stdio: ["ignore", "ignore", "inherit"],
    detached: true, // scripts, the broker, its port mapper: one group, so that they can be ended together
    env: {
      ...process.env,
      HOME: directory,
      RABBITMQ_NODENAME: `bench${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(distributionPort),
      ERL_EPMD_PORT: String(mapperPort),
      ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_MNESIA_BASE: directory,
      RABBITMQ_LOG_BASE: directory,
      RABBITMQ_CONFIG_FILE: join(directory, "none"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "plugins"),
    },
  });
  const exited = once(child, "exit");
  const kill = () => endGroup(child);
  process.once("exit", kill);
  const stop = async () => {
    kill();
    await exited;
    endMapper(mapperPort);
    process.off("exit", kill);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await listening(port, child);
    return { port, pid: brokerOf(port), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), "SIGKILL");
  } catch {} // it has ended
}

/** Erlang's port mapper makes itself a daemon, outside the group. */
function endMapper(port: number): void {
  for (const { pid, environment, name } of processes()) {
    if (name === "epmd" && environment.includes(`ERL_EPMD_PORT=${port}\0`)) process.kill(pid, "SIGKILL");
  }
}

function brokerOf(port: number): number {
  const broker = processes().find(
    ({ name, environment }) => name.startsWith("beam") && environment.includes(`RABBITMQ_NODE_PORT=${port}\0`),
  );
  if (broker === undefined) throw new Error("RabbitMQ listens, but its process is not found");
  return broker.pid;
}

function* running(): Generator<{ pid: number; name: string; environment: string }> {
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      yield { pid: Number(pid), name, environment: readFileSync(`/proc/${pid}/environ`, "utf8") };
    } catch {} // it has ended, or is somebody else's
  }
}

const processes = () => [...running()];

async function listening(port: number, child: ChildProcess): Promise<void> {
  const deadlineMs = performance.now() + startTimeoutMs;
  while (child.exitCode === null && performance.now() < deadlineMs) {
    const socket = createConnection({ port, host: "127.0.0.1" });
    const isUp = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("RabbitMQ did not start");
}
