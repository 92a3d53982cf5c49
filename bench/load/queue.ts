// The load of the queue questions, on a core of its own: producers send batches of ten and wait until the server has promised to
// keep them, consumers take up to ten and remove them. Prints one line of JSON, as load.cpp does.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { amqpDriver } from "./queue-amqp.ts";
import { batchSize, type QueueDriver } from "./queue-driver.ts";
import { httpDriver } from "./queue-http.ts";
import { sdkDriver } from "./queue-sdk.ts";
import { sqsDriver } from "./queue-sqs.ts";

/** Producers wait while this much is sent and not yet removed: what is measured is both sides, not a growing backlog. */
const outstandingMax = 2000;
const fillers = 8;
/** The kernel counts CPU time in steps of 10 ms (USER_HZ is 100 on Linux). */
const tickSeconds = 0.01;

const { values } = parseArgs({
  options: {
    protocol: { type: "string", default: "http" },
    port: { type: "string", default: "8080" },
    pid: { type: "string", default: "0" },
    connections: { type: "string", default: "8" },
    backlog: { type: "string", default: "0" },
    warm: { type: "string", default: "1" },
    seconds: { type: "string", default: "2" },
  },
});
const [warmMs, measureMs] = [Number(values.warm) * 1000, Number(values.seconds) * 1000];
const counts = { sent: 0, removed: 0 };

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function fill(driver: QueueDriver, messages: number): Promise<void> {
  let left = messages / batchSize;
  const filler = async () => {
    const send = await driver.producer();
    while (left-- > 0) await send();
  };
  await Promise.all(Array.from({ length: fillers }, filler));
}

async function produce(driver: QueueDriver): Promise<void> {
  const send = await driver.producer();
  for (;;) {
    if (counts.sent - counts.removed >= outstandingMax) {
      await wait(1);
      continue;
    }
    counts.sent += batchSize;
    await send();
  }
}

function consume(driver: QueueDriver): Promise<void> {
  return driver.consumer((count) => {
    counts.removed += count;
  });
}

/** CPU seconds of the server's process with all its threads, and its resident bytes. */
function serverUsage(): { cpuSeconds: number; memoryMb: number } {
  const fields = (readFileSync(`/proc/${values.pid}/stat`, "utf8").split(") ").at(-1) ?? "").split(" ");
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${values.pid}/status`, "utf8"))?.[1];
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) * tickSeconds, memoryMb: Number(kib) / 1024 };
}

function snapshot() {
  const own = process.cpuUsage();
  return {
    atMs: performance.now(),
    removed: counts.removed,
    ownSeconds: (own.user + own.system) / 1e6,
    ...serverUsage(),
  };
}

const drivers = { http: httpDriver, amqp: amqpDriver, sqs: sqsDriver, "sqs-sdk": sdkDriver };
const driver = drivers[values.protocol as keyof typeof drivers](Number(values.port));
await fill(driver, Number(values.backlog));
for (let index = 0; index < Number(values.connections); index++) {
  for (const running of [produce(driver), consume(driver)]) {
    running.catch((error: unknown) => {
      console.error(error);
      process.exit(1);
    });
  }
}
await wait(warmMs);
const from = snapshot();
await wait(measureMs);
const to = snapshot();
const [seconds, removed] = [(to.atMs - from.atMs) / 1000, to.removed - from.removed];
console.log(
  JSON.stringify({
    perSecond: Math.round(removed / seconds),
    serverCpuUs: ((to.cpuSeconds - from.cpuSeconds) / removed) * 1e6,
    serverCpuPercent: Math.round(((to.cpuSeconds - from.cpuSeconds) / seconds) * 100),
    loaderCpuPercent: Math.round(((to.ownSeconds - from.ownSeconds) / seconds) * 100),
    serverMemoryMb: to.memoryMb,
    p50Us: 0,
    p99Us: 0,
    lost: 0,
  }),
);
process.exit(0);
