import { type Measurement, runLoad } from "./loader.ts";
import type { Comparison, Question, Target } from "./questions.ts";
import { type ServerName, startServer } from "./servers.ts";

/** What each server did in one round. */
export type Round = ReadonlyMap<ServerName, Measurement>;

/** The middle of the rounds, and how far they lie apart. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Closer to the target than this, and the machine's noise decides. */
export const tie = 0.15;

/** Asks a question `count` times. The order rotates: a machine that gets slower or faster does it to each server in turn. */
export async function runRounds(question: Question, binary: string, count: number, seconds: number): Promise<Round[]> {
  const servers = [...new Set(question.comparisons.flatMap(({ ours, peer }) => [ours, peer]))];
  const rounds: Round[] = [];
  for (let index = 0; index < count; index++) {
    const first = index % servers.length;
    const round = new Map<ServerName, Measurement>();
    for (const name of [...servers.slice(first), ...servers.slice(0, first)]) {
      const server = await startServer(name, question.load.serverCores);
      try {
        const measured = await runLoad(binary, server, question.load, seconds);
        round.set(name, measured);
        console.error(`  round ${index + 1} ${name.padEnd(14)} ${describe(measured)}`);
      } finally {
        await server.stop();
      }
    }
    rounds.push(round);
  }
  return rounds;
}

function describe(measured: Measurement): string {
  const { perSecond, serverCpuUs, p50Us, p99Us, serverCpuPercent, loaderCpuPercent } = measured;
  return [
    `${perSecond}/s`,
    `${serverCpuUs.toFixed(2)} µs CPU each`,
    `p50 ${(p50Us / 1000).toFixed(2)} ms`,
    `p99 ${(p99Us / 1000).toFixed(2)} ms`,
    `CPU: server ${serverCpuPercent} %, loader ${loaderCpuPercent} %`,
  ].join("  ");
}

/** What is judged, over all rounds: the ratio to the peer in the same round, or our own milliseconds. */
export function spreadOf(rounds: readonly Round[], comparison: Comparison): Spread {
  return spread(rounds, comparison, (ours, peer) => figureOf(ours, peer, comparison.target));
}

/** The peer's CPU for one delivery or call, over ours: how the rates would compare if nothing else used the machine. */
export function cpuSpreadOf(rounds: readonly Round[], comparison: Comparison): Spread {
  return spread(rounds, comparison, (ours, peer) => peer.serverCpuUs / ours.serverCpuUs);
}

type Figure = (ours: Measurement, peer: Measurement) => number;

function spread(rounds: readonly Round[], { ours, peer }: Comparison, figure: Figure): Spread {
  const figures = rounds
    .map((round) => figure(round.get(ours) as Measurement, round.get(peer) as Measurement))
    .sort((a, b) => a - b);
  return { median: middleOf(figures), min: figures[0] as number, max: figures.at(-1) as number };
}

function figureOf(ours: Measurement, peer: Measurement, target: Target): number {
  const moreMb = (ours.serverMemoryMb ?? 0) - (peer.serverMemoryMb ?? 0);
  if (target.kind === "memory") return moreMb;
  if (target.kind === "per item") return (moreMb * 2 ** 20) / target.items - target.itemBytes;
  return target.kind === "ratio" ? ours.perSecond / peer.perSecond : ours[target.percentile] / 1000;
}

/** The median of sorted figures. */
function middleOf(sorted: readonly number[]): number {
  const upper = sorted[sorted.length >> 1] as number;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[(sorted.length >> 1) - 1] as number)) / 2;
}

/** The round in the middle by `figure`, to show absolute figures that were measured, not averaged. */
export function typical(rounds: readonly Round[], server: ServerName, target: Target): Measurement {
  const figures = { ratio: "perSecond", memory: "serverMemoryMb", "per item": "serverMemoryMb" } as const;
  const figure = target.kind === "latency" ? target.percentile : figures[target.kind];
  const sorted = rounds
    .map((round) => round.get(server) as Measurement)
    .sort((a, b) => (a[figure] ?? 0) - (b[figure] ?? 0));
  return sorted[(sorted.length - 1) >> 1] as Measurement;
}

/** Met or missed by the median; a tie within 15 % of the target; nothing where there is none. */
export function judge({ median }: Spread, target: Target): "met" | "missed" | "tie" | "" {
  if (target.kind === "per item" || (target.kind === "ratio" && target.atLeast === 0)) return "";
  const score = scoreOf(median, target);
  if (score >= 1 + tie) return "met";
  return score <= 1 / (1 + tie) ? "missed" : "tie";
}

/** 1 is just what is wanted, more is better. */
function scoreOf(median: number, target: Exclude<Target, { readonly kind: "per item" }>): number {
  if (target.kind === "ratio") return median / target.atLeast;
  return (target.kind === "memory" ? target.belowMb : target.belowMs) / Math.max(median, 0.001);
}
