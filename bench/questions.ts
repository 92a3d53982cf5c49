import type { LoadShape, Measurement } from "./loader.ts";
import type { ServerName } from "./servers.ts";

/** One load, the servers that get it in turn, and what we want to know of them. */
export interface Question {
  /** What `npm run bench -- <name>` selects; several loads may share a name. */
  readonly name: string;
  readonly title: string;
  readonly load: LoadShape;
  readonly comparisons: readonly Comparison[];
}

/** One line of the table: our figure beside a peer's of the same round. */
export interface Comparison {
  readonly ours: ServerName;
  readonly peer: ServerName;
  readonly target: Target;
}

/**
 * `atLeast` times the peer's rate, 0: it stands there for scale; or our `percentile` below `belowMs`, and then the peer is there for scale only; or resident
 * memory that is less than `belowMb` above the peer's; or what each of `items` takes beside `itemBytes`, by the same difference, which is only printed.
 */
export type Target =
  | { readonly kind: "ratio"; readonly atLeast: number }
  | { readonly kind: "latency"; readonly percentile: "p50Us" | "p99Us"; readonly belowMs: number }
  | { readonly kind: "memory"; readonly belowMb: number }
  | { readonly kind: "per item"; readonly items: number; readonly itemBytes: number };

const atLeast = (ratio: number): Target => ({ kind: "ratio", atLeast: ratio });
const below = (percentile: "p50Us" | "p99Us", belowMs: number): Target => ({ kind: "latency", percentile, belowMs });

function latency(subscribers: number): Question {
  return {
    name: "latency",
    title: `publish to delivery at 1,000 messages/s, ${subscribers === 1 ? "1 subscriber" : `${subscribers} subscribers`}`,
    // At this rate V8 has compiled the path only after some seconds. Both cores, which stand half idle: on one, the kernel lets
    // the main, storage and GC threads take turns of milliseconds, and p99 is the length of a turn (9-11 ms against 4).
    load: { mode: "fanout", connections: subscribers, rate: 1000, warmSeconds: 5, serverCores: "0,1" },
    comparisons: [
      { ours: "todoku-disk", peer: "h2hand", target: below("p50Us", 2) },
      { ours: "todoku-disk", peer: "h2hand", target: below("p99Us", 10) },
    ],
  };
}

/** V8 goes on compiling the path for some seconds: after 3 it costs 62 us of CPU a message, after 8 it costs 50. */
const queueWarmSeconds = 8;

function queue(connections: number): Question {
  return {
    name: "queue",
    title: `messages/s sent, received and deleted, batches of 10, ${connections} producers and ${connections} consumers`,
    load: { mode: "queue", connections, warmSeconds: queueWarmSeconds },
    comparisons: [{ ours: "todoku-queue", peer: "rabbitmq", target: atLeast(1) }],
  };
}

const itemLoad = { connections: 10, window: 32, keys: 1000 } as const;
const itemCalls = "10 connections x 32 in flight, 100 bytes";

const items: readonly Question[] = [
  {
    name: "get",
    title: `Get calls/s, ${itemCalls}`,
    load: { mode: "get", ...itemLoad },
    comparisons: [
      { ours: "todoku-memory", peer: "h2hand", target: atLeast(0.7) },
      { ours: "todoku-disk", peer: "h2hand", target: atLeast(0) },
      { ours: "todoku-memory", peer: "redis-memory", target: atLeast(0) },
    ],
  },
  {
    name: "set",
    title: `Set calls/s, ${itemCalls}`,
    load: { mode: "set", ...itemLoad },
    comparisons: [
      { ours: "todoku-memory", peer: "h2hand", target: atLeast(0.7) },
      { ours: "todoku-disk", peer: "h2hand", target: atLeast(0.4) },
      { ours: "todoku-memory", peer: "redis-memory", target: atLeast(0) },
      { ours: "todoku-disk", peer: "redis-disk", target: atLeast(0) },
    ],
  },
  {
    name: "items",
    title: `Get calls/s with 1,000,000 items, beside 1,000, \`memory\`, ${itemCalls}`,
    load: { mode: "get", ...itemLoad },
    comparisons: [
      { ours: "todoku-1m-items", peer: "todoku-1k-items", target: atLeast(0.8) },
      {
        ours: "todoku-1m-items",
        peer: "todoku-1k-items",
        target: { kind: "per item", items: 999_000, itemBytes: 108 },
      },
    ],
  },
];

/** Everything that `npm run bench` asks. */
export const questions: readonly Question[] = [
  {
    name: "fanout",
    title: "deliveries/s, 10 connections x 100 Subscribe streams, 8 messages in flight",
    load: { mode: "fanout", connections: 10, streams: 100, window: 8 },
    comparisons: [
      { ours: "todoku-memory", peer: "h2hand", target: atLeast(0.5) },
      { ours: "todoku-memory", peer: "grpc-js", target: atLeast(2) },
      { ours: "todoku-disk", peer: "h2hand", target: atLeast(0.5) },
      { ours: "todoku-disk", peer: "grpc-js", target: atLeast(2) },
    ],
  },
  {
    name: "publish",
    title: "Publish calls/s, 10 connections x 32 in flight",
    load: { mode: "unary", connections: 10, window: 32 },
    comparisons: [
      { ours: "todoku-memory", peer: "h2hand", target: atLeast(0.6) },
      { ours: "todoku-disk", peer: "h2hand", target: atLeast(0.4) },
    ],
  },
  ...items,
  latency(1),
  latency(10),
  queue(8),
  queue(32),
  {
    name: "sqs",
    title: "the same over SQS in JSON, each request signed anew, beside the JSON API; 8 producers and 8 consumers",
    load: { mode: "queue", connections: 8, warmSeconds: queueWarmSeconds },
    comparisons: [{ ours: "todoku-sqs", peer: "todoku-queue", target: atLeast(0.8) }],
  },
  {
    name: "sqs",
    title: "the same with `@aws-sdk/client-sqs`, 8 workers, beside a server that answers constants",
    load: { mode: "queue", connections: 8, warmSeconds: queueWarmSeconds },
    comparisons: [{ ours: "todoku-sqs-sdk", peer: "stub-sqs-sdk", target: atLeast(0.9) }],
  },
  {
    name: "backlog",
    title: "the same with 8 and 8, and 1,000,000 messages waiting, beside 1,000",
    load: { mode: "queue", connections: 8, warmSeconds: queueWarmSeconds },
    comparisons: [
      { ours: "todoku-1m-waiting", peer: "todoku-1k-waiting", target: atLeast(1 / 1.5) },
      { ours: "todoku-1m-waiting", peer: "todoku-1k-waiting", target: { kind: "memory", belowMb: 50 } },
    ],
  },
];

/** How a figure looks in the table. */
export function show(measured: Measurement, target: Target): string {
  if (target.kind === "memory" || target.kind === "per item") return `${measured.serverMemoryMb?.toFixed(0)} MB`;
  if (target.kind === "latency") return `${(measured[target.percentile] / 1000).toFixed(2)} ms`;
  return `${(measured.perSecond / 1000).toFixed(1)} k (${measured.serverCpuUs.toFixed(1)} µs)`;
}
