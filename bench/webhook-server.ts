// A real server with webhooks, for bench/webhooks.ts: it is filled with messages while they are paused, then delivers them.
import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { Agent, request } from "undici";
import { startServer } from "./servers.ts";

const topics = 100;
const publishers = 64;
const message = JSON.stringify({ text: "x".repeat(128) });
/** Ticks of the kernel's CPU times are 10 ms long everywhere on Linux. */
const tickUs = 10_000;

/** What it delivered. */
export interface Delivered {
  readonly perSecond: number;
  /** Of the server with all its threads, for one delivery. */
  readonly cpuUs: number;
}

/** Starts it on core 1, with an ordered webhook to `url` for each of 100 topics. */
export async function startWebhookServer(url: string) {
  const server = await startServer("todoku-disk", "1");
  const dispatcher = new Agent({ connections: publishers });

  async function call(method: "GET" | "POST" | "PUT", path: string, body?: string): Promise<string> {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const answer = await request(`http://127.0.0.1:${server.port}${path}`, {
      ...{ method, headers, dispatcher },
      ...(body !== undefined && { body }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`);
    return text;
  }

  const all = (each: (n: number) => Promise<unknown>) => Promise.all(Array.from({ length: topics }, (_, n) => each(n)));

  async function figure(name: string): Promise<number> {
    const line = (await call("GET", "/metrics")).split("\n").find((one) => one.startsWith(`todoku_webhook_${name}`));
    return Number(line?.split(" ").at(-1) ?? 0);
  }

  function cpuUs(): number {
    const fields = (readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ").at(-1) ?? "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) * tickUs;
  }

  async function fill(count: number): Promise<void> {
    let left = count;
    const publish = async () => {
      while (left > 0) await call("POST", `/v1/topics/bench/t${left-- % topics}`, message);
    };
    await Promise.all(Array.from({ length: publishers }, publish));
  }

  await all((n) => call("PUT", `/v1/webhooks/bench/w${n}`, JSON.stringify({ topic: `t${n}`, url })));
  return {
    /** Delivers for so long what was published before; half a second goes before that counts. */
    async measure(seconds: number, backlog: number): Promise<Delivered> {
      await all((n) => call("POST", `/v1/webhooks/bench/w${n}/pause`));
      await fill(backlog - (await figure("items_waiting")));
      await all((n) => call("POST", `/v1/webhooks/bench/w${n}/resume`));
      await wait(500);
      const [startMs, startCpuUs, before] = [performance.now(), cpuUs(), await figure("items_delivered_total")];
      await wait(seconds * 1000);
      const [endMs, endCpuUs, after] = [performance.now(), cpuUs(), await figure("items_delivered_total")];
      const left = await figure("items_waiting");
      // The next who is measured has the machine alone.
      await all((n) => call("POST", `/v1/webhooks/bench/w${n}/pause`));
      if (left === 0) throw new Error(`${backlog} messages were too few for ${seconds} s`);
      if ((await figure("attempts_failed_total")) > 0) throw new Error("deliveries failed");
      return {
        perSecond: ((after - before) * 1000) / (endMs - startMs),
        cpuUs: (endCpuUs - startCpuUs) / (after - before),
      };
    },
    async stop(): Promise<void> {
      await dispatcher.close();
      await server.stop();
    },
  };
}
