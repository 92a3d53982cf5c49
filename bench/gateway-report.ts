import type { PushRow } from "./gateway-questions.ts";
import type { Measurement } from "./loader.ts";
import { tie } from "./rounds.ts";

/** What each run measured in one round, by its name. */
export type PushRound = ReadonlyMap<string, Measurement>;

type Figure = PushRow["figure"];

/** The median of the rounds, and how far they lie apart; undefined: somebody was not measured. */
function spreadOf({ ours, peer = ours }: PushRow, rounds: readonly PushRound[], figure: Figure) {
  const figures = rounds
    .flatMap((round) => {
      const [own, other] = [round.get(ours), round.get(peer)];
      return own === undefined || other === undefined ? [] : [figure(own, other)];
    })
    .sort((a, b) => a - b);
  const [min, median, max] = [figures[0], figures[figures.length >> 1], figures.at(-1)];
  return min === undefined || median === undefined || max === undefined ? undefined : { min, median, max };
}

/** One row of the table. */
export function cellsOf(row: PushRow, rounds: readonly PushRound[]): string[] {
  const { title, ours, peer = "", figure, cpuFigure, unit, atLeast, atMost } = row;
  const spread = spreadOf(row, rounds, figure);
  if (spread === undefined) return [title, ours, peer, "not measured", "", "", ""];
  const digits = unit === "/s" ? 0 : 2;
  const show = ({ min, median, max }: typeof spread) =>
    `${median.toFixed(digits)}${unit} [${min.toFixed(digits)}..${max.toFixed(digits)}]`;
  const byCpu = cpuFigure && spreadOf(row, rounds, cpuFigure);
  const target = atLeast !== undefined ? `>= ${atLeast}${unit}` : atMost !== undefined ? `<= ${atMost}${unit}` : "";
  return [title, ours, peer, show(spread), byCpu ? show(byCpu) : "", target, judge(row, spread.median)];
}

/** As in the other tables: within 15 % of the target, on either side, it is a tie. */
function judge({ atLeast, atMost }: PushRow, median: number): string {
  if (atLeast === undefined && atMost === undefined) return "";
  const score = atLeast === undefined ? (atMost ?? 0) / Math.max(median, 0.001) : median / atLeast;
  if (score >= 1 + tie) return "met";
  return score <= 1 / (1 + tie) ? "missed" : "tie";
}

/** As Markdown. */
export function pushTable(rows: readonly (readonly string[])[]): string {
  const heads = ["question", "ours", "peer", "median [min..max]", "by CPU", "target", "verdict"];
  return [heads, heads.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
