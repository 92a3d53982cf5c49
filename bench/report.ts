import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { compiler } from "./loader.ts";
import { type Comparison, type Question, show, type Target } from "./questions.ts";
import { cpuSpreadOf, judge, type Round, type Spread, spreadOf, typical } from "./rounds.ts";

/** A question with its answer. */
export interface Answer {
  readonly question: Question;
  readonly rounds: readonly Round[];
}

const readme = new URL("./README.md", import.meta.url);

/** What was measured with, in one line. */
export function versions(rounds: number, seconds: number): string {
  const gcc = execFileSync(compiler, ["-dumpfullversion"], { encoding: "utf8" }).trim();
  const { version } = createRequire(import.meta.url)("@grpc/grpc-js/package.json") as { version: string };
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores`;
  return `${date}; ${rounds} rounds of ${seconds} s; Node ${process.versions.node}, @grpc/grpc-js ${version}, gcc ${gcc}; ${machine}`;
}

/** The answers as a Markdown table. */
export function table(answers: readonly Answer[]): string {
  const rows = answers.flatMap(({ question, rounds }) =>
    question.comparisons.map((comparison) => row(question, comparison, rounds)),
  );
  const cells = [["question", "ours", "peer", "median [min..max]", "by CPU", "target", "verdict"], ...rows];
  const widths = (cells[0] as string[]).map((_, column) =>
    Math.max(...cells.map((line) => (line[column] ?? "").length)),
  );
  const lines = cells.map((line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`);
  lines.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`); // as Biome formats it, for `--write`
  return lines.join("\n");
}

function row(question: Question, { ours, peer, target }: Comparison, rounds: readonly Round[]): string[] {
  const isRatio = target.kind === "ratio";
  const unit = { ratio: "x", latency: " ms", memory: " MB", "per item": " B" }[target.kind];
  const showSpread = ({ median, min, max }: Spread) =>
    `${median.toFixed(2)}${unit} [${min.toFixed(2)}..${max.toFixed(2)}]`;
  const spread = spreadOf(rounds, { ours, peer, target });
  return [
    `${question.title}${suffixOf(target)}`,
    `${ours} ${show(typical(rounds, ours, target), target)}`,
    `${peer} ${show(typical(rounds, peer, target), target)}`,
    showSpread(spread),
    isRatio ? showSpread(cpuSpreadOf(rounds, { ours, peer, target })) : "",
    wantedOf(target),
    judge(spread, target),
  ];
}

function suffixOf(target: Target): string {
  if (target.kind === "latency") return `: ${target.percentile.slice(0, 3)}`;
  if (target.kind === "per item") return ": resident bytes of an item beside its key and value";
  return target.kind === "memory" ? ": resident memory above the peer's" : "";
}

function wantedOf(target: Target): string {
  if (target.kind === "per item" || (target.kind === "ratio" && target.atLeast === 0)) return "";
  if (target.kind === "ratio") return `>= ${Number(target.atLeast.toFixed(2))}x`;
  return target.kind === "latency" ? `< ${target.belowMs} ms` : `< ${target.belowMb} MB`;
}

/** Puts the answers to `name` between its markers in bench/README.md. @throws Error when there are no such markers. */
export function writeAnswers(name: string, measuredWith: string, answers: readonly Answer[]): void {
  const [begin, end] = [`<!-- ${name} -->\n`, `<!-- /${name} -->\n`];
  const text = readFileSync(readme, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`bench/README.md has no markers for ${name}`);
  const content = `${measuredWith}\n\n${table(answers)}\n`;
  writeFileSync(readme, text.slice(0, from + begin.length) + content + text.slice(to));
}
