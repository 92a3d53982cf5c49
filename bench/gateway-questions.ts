import { limits } from "../src/domain/limits.ts";
import type { PushServerName } from "./gateway-servers.ts";
import type { Measurement } from "./loader.ts";

/** The shape of a load; `load/sockets.hpp` says what the modes do. */
export interface PushLoad {
  readonly mode: "ws-fanout" | "ws-unicast" | "ws-idle";
  readonly connections: number;
  readonly window?: number;
  readonly rate?: number;
  readonly publishers?: number;
  /** Subscribers that stop reading. */
  readonly stalled?: number;
  /** Of a payload. */
  readonly bytes?: number;
}

/** One server under one load. */
interface PushRun {
  readonly server: PushServerName;
  readonly load: PushLoad;
}

/** One line of the table: what a run measured beside another of the same round. */
export interface PushRow {
  readonly title: string;
  readonly ours: string;
  /** None: our figure stands alone. */
  readonly peer?: string;
  readonly figure: (ours: Measurement, peer: Measurement) => number;
  /** Of rates: how they would compare if nothing else used the machine. */
  readonly cpuFigure?: (ours: Measurement, peer: Measurement) => number;
  readonly unit: "x" | " KB" | "/s";
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What `node bench/gateway.ts <name>` asks. */
export interface PushQuestion {
  readonly name: string;
  readonly runs: Readonly<Record<string, PushRun>>;
  readonly rows: readonly PushRow[];
}

/** Times the peer's rate, and the peer's CPU for one over ours. */
const byRate: Pick<PushRow, "figure" | "cpuFigure" | "unit"> = {
  figure: (ours, peer) => ours.perSecond / peer.perSecond,
  cpuFigure: (ours, peer) => peer.serverCpuUs / ours.serverCpuUs,
  unit: "x",
};

function runsOf(servers: readonly PushServerName[], load: PushLoad): Record<string, PushRun> {
  return Object.fromEntries(servers.map((server) => [server, { server, load }]));
}

const fanout: PushQuestion = {
  name: "fanout",
  runs: runsOf(["todoku-memory", "todoku-disk", "nats-server", "nchan", "mosquitto", "socket.io"], {
    mode: "ws-fanout",
    connections: 1000,
    window: 8,
  }),
  rows: ["todoku-memory", "todoku-disk"].flatMap((ours) =>
    Object.entries({ "nats-server": 1.4, nchan: 4, mosquitto: 4, "socket.io": 4 }).map(
      ([peer, atLeast]): PushRow => ({
        ...{ title: "deliveries/s, 1 to 1,000 sockets, 8 in flight", ours, peer },
        ...{ ...byRate, atLeast },
      }),
    ),
  ),
};

const fixed: PushQuestion = {
  name: "fixed",
  runs: runsOf(["todoku-memory", "todoku-disk", "cepoll"], { mode: "ws-fanout", connections: 1000, rate: 50 }),
  rows: ["todoku-memory", "todoku-disk"].map((ours) => ({
    ...{ title: "CPU for a delivery at 50 messages/s to 1,000", ours, peer: "cepoll" },
    ...{ figure: (own, other) => own.serverCpuUs / other.serverCpuUs, unit: "x", atMost: 1.8 },
  })),
};

const unicast: PushQuestion = {
  name: "unicast",
  runs: runsOf(["todoku-memory", "nats-server"], {
    ...{ mode: "ws-unicast", connections: 5000, window: 64, publishers: 4 },
  }),
  rows: [
    {
      ...{
        title: "messages/s, each to one of 5,000 sockets, 64 in flight",
        ours: "todoku-memory",
        peer: "nats-server",
      },
      ...{ ...byRate, atLeast: 1.2 },
    },
  ],
};

const idleMemory = "KB of the server's memory for each of 10,000 idle connections";
const idleRate = "connections opened per second, up to 10,000";

const idle: PushQuestion = {
  name: "idle",
  runs: runsOf(["todoku-bare", "todoku-rs256", "nats-server"], { mode: "ws-idle", connections: 10_000 }),
  rows: [
    { title: idleMemory, ours: "todoku-bare", figure: kilobytes, unit: " KB", atMost: 10 },
    { title: idleMemory, ours: "todoku-rs256", figure: kilobytes, unit: " KB" },
    { title: idleMemory, ours: "nats-server", figure: kilobytes, unit: " KB" },
    { title: idleRate, ours: "todoku-bare", figure: ({ perSecond }) => perSecond, unit: "/s", atLeast: 8000 },
    { title: idleRate, ours: "todoku-rs256", figure: ({ perSecond }) => perSecond, unit: "/s", atLeast: 3000 },
    { title: idleRate, ours: "nats-server", figure: ({ perSecond }) => perSecond, unit: "/s" },
  ],
};

function kilobytes({ connectionKb }: Measurement): number {
  return connectionKb ?? 0;
}

/** Enough to fill what the kernel holds for who does not read within a second, and then what the server does. */
const stalledLoad: PushLoad = { mode: "ws-fanout", connections: 1000, rate: 50, bytes: 4096 };
/** So many that what is held for them shows in resident memory. */
const manyStalled = 900;

const stalled: PushQuestion = {
  name: "stalled",
  runs: {
    "all read": { server: "todoku-memory", load: stalledLoad },
    "10 stalled": { server: "todoku-memory", load: { ...stalledLoad, stalled: 10 } },
    "900 stalled": { server: "todoku-memory", load: { ...stalledLoad, stalled: manyStalled } },
  },
  rows: [
    {
      ...{ title: "p99 of who reads, 50 messages of 4 KiB/s to 1,000", ours: "10 stalled", peer: "all read" },
      ...{ figure: (ours, peer) => ours.p99Us / peer.p99Us, unit: "x", atMost: 1.5 },
    },
    {
      ...{ title: "KB of memory held for each of who does not", ours: "900 stalled", peer: "all read" },
      ...{ figure: heldKilobytes, unit: " KB", atMost: limits.gateway.outboxMaxBytes / 1024 },
    },
  ],
};

function heldKilobytes(ours: Measurement, peer: Measurement): number {
  return (((ours.serverMemoryMb ?? 0) - (peer.serverMemoryMb ?? 0)) * 1024) / manyStalled;
}

export const pushQuestions: readonly PushQuestion[] = [fanout, fixed, unicast, idle, stalled];
