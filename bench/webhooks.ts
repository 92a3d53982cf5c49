// `node bench/webhooks.ts [--rounds N --secs S]`: what a webhook delivery costs beside a bare undici loop, alone and in a server. bench/README.md says how to read it.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Agent, request } from "undici";
import type { Delivery } from "../src/domain/subscriptions/destination.ts";
import type { Webhook } from "../src/domain/subscriptions/subscription.ts";
import { createGuardedClient } from "../src/lib/guarded-client/guarded-client.ts";
import { bodyOf } from "../src/outbound/webhooks/body.ts";
import { createWebhookDestination } from "../src/outbound/webhooks/destination.ts";
import { onCores } from "./pin.ts";
import { startWebhookServer } from "./webhook-server.ts";

const concurrency = 100;
const payload = new Uint8Array(128).fill(120);
const { values } = parseArgs({
  options: { rounds: { type: "string", default: "7" }, secs: { type: "string", default: "2" } },
});
const [rounds, secs] = [Number(values.rounds), Number(values.secs)];

/** What a server delivers at most in a second: so much must be there to be delivered. */
const maxPerSecond = 25_000;

/** Who calls the receiver: the loop, what makes one delivery, and a whole server. */
type Caller = "bare undici" | "delivery" | "server";

interface Figures {
  readonly perSecond: number;
  /** Of this process, for one call. */
  readonly cpuUs: number;
}

/** Runs `once` in as many loops as there are calls under way, for some seconds. */
async function measure(seconds: number, callOnce: (number: number) => Promise<void>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const untilMs = startMs + seconds * 1000;
  let calls = 0;
  const loop = async () => {
    while (performance.now() < untilMs) await callOnce(calls++);
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (calls * 1000) / (performance.now() - startMs), cpuUs: (user + system) / calls };
}

function bareLoop(url: string) {
  const dispatcher = new Agent({ connections: concurrency });
  const headers = { "content-type": "application/json" };
  return {
    async call(number: number) {
      const { statusCode, body } = await request(url, {
        ...{ method: "POST", headers, dispatcher },
        body: bodyOf(aDelivery(url, number), Date.now()),
      });
      await body.dump();
      if (statusCode !== 200) throw new Error(`the bare loop got ${statusCode}`);
    },
    close: () => dispatcher.close(),
  };
}

function ours(url: string) {
  const client = createGuardedClient({ allowed: [], permitsLoopback: true, connectionsPerOrigin: concurrency });
  const secrets = [`whsec_${Buffer.alloc(32, 7).toString("base64")}`];
  const destination = createWebhookDestination({
    ...{ client, signingSecrets: async () => secrets, wallMs: Date.now, version: "0" },
  });
  return {
    async call(number: number) {
      const outcome = await destination.deliver(aDelivery(url, number));
      if (outcome.verdict !== "delivered") throw new Error(`a delivery failed: ${outcome.error}`);
    },
    close: () => destination.close(),
  };
}

function aDelivery(url: string, sequence: number): Delivery<Webhook> {
  return {
    ...{ topic: "orders", attempt: 1, isTest: false },
    subscription: {
      ...{ id: 1, environment: "bench", cache: "shop", name: "hook", topic: "orders", isOrdered: true },
      destination: { kind: "webhook", url },
      ...{ filter: undefined, deadLetterQueue: undefined, pause: undefined, createdAtMs: 1 },
    },
    item: {
      ...{ page: 1, sequence, value: { isText: true, bytes: payload } },
      ...{ attributes: undefined, tokenId: "user-7", publishedAtMs: 1 },
    },
  };
}

function middle(figures: readonly number[]): string {
  const sorted = figures.toSorted((a, b) => a - b);
  const [low, median, high] = [0, sorted.length >> 1, sorted.length - 1].map((index) =>
    (sorted[index] ?? 0).toFixed(2),
  );
  return `${median}x [${low}..${high}]`;
}

const peer = fileURLToPath(new URL("peers/receiver.ts", import.meta.url));
const receiver = spawn(...onCores("0", process.execPath, [peer]), { stdio: ["pipe", "pipe", "inherit"] });
execFileSync("taskset", ["-a", "-c", "-p", "1", String(process.pid)]);
const [port] = (await once(createInterface(receiver.stdout), "line")) as [string];
const url = `http://127.0.0.1:${port}/hook`;
const [bare, delivery] = [bareLoop(url), ours(url)];
const server = await startWebhookServer(url);
const backlog = Math.ceil(maxPerSecond * (secs + 1));
for (const { call } of [bare, delivery]) await measure(1, call);
await server.measure(secs, backlog);
const runs: Record<Caller, () => Promise<Figures>> = {
  "bare undici": () => measure(secs, bare.call),
  delivery: () => measure(secs, delivery.call),
  server: () => server.measure(secs, backlog),
};
const callers = Object.keys(runs) as Caller[];
const measured: Record<Caller, Figures>[] = [];
for (let round = 1; round <= rounds; round++) {
  const figures: Partial<Record<Caller, Figures>> = {};
  for (let turn = 0; turn < callers.length; turn++) {
    const caller = callers[(round + turn) % callers.length] as Caller;
    figures[caller] = await runs[caller]();
  }
  measured.push(figures as Record<Caller, Figures>);
  const shown = callers.map((caller) => {
    const { perSecond, cpuUs } = figures[caller] as Figures;
    return `${caller} ${Math.round(perSecond)}/s ${cpuUs.toFixed(1)} µs CPU`;
  });
  console.error(`  round ${round}  ${shown.join("  ")}`);
}
for (const caller of ["delivery", "server"] as const) {
  const rate = measured.map((round) => round[caller].perSecond / round["bare undici"].perSecond);
  const cpu = measured.map((round) => round["bare undici"].cpuUs / round[caller].cpuUs);
  console.log(`${caller}, ${concurrency} under way, beside bare undici: ${middle(rate)}, by CPU ${middle(cpu)}`);
}
await Promise.all([bare.close(), delivery.close(), server.stop()]);
receiver.stdin.end();
