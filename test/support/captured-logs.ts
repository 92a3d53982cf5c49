import type { ChildProcess } from "node:child_process";
import { appendFileSync } from "node:fs";
import { basename, join } from "node:path";
import { threadId } from "node:worker_threads";
import { expect } from "vitest";
import { createLog, type LeveledLog } from "../../src/lib/leveled-log.ts";

// Set by scripts/test.ts, which searches what lies in it for secrets; a file that is run by itself captures nothing.
const directory = process.env.TEST_RUN_DIRECTORY;

/** Commands that print secrets to stdout on purpose, for whoever asked for them. */
const printsSecrets = [
  /^(dev|start)\b.*--dev-key/,
  /^key (create|rotate|refresh)\b/,
  /^token create\b/,
  /^secret get\b/,
  /^webhook (put|secret|rotate)\b/,
  /^(init|env create|apply)\b/,
];

/** What a server in this process logs, at its most talkative level. */
export const capturedLog: LeveledLog = createLog(
  { level: directory === undefined ? "silent" : "debug", areas: {}, environments: {} },
  { write: captureText },
);

/** Takes part in what a process prints; `args` are those of the command line, with or without the program. */
export function captureProcess(child: ChildProcess, args: readonly string[]): void {
  child.stderr?.on("data", (chunk) => captureText(chunk));
  if (mayPrintSecrets(args)) return;
  child.stdout?.on("data", (chunk) => captureText(chunk));
}

/** The same of a command that runs in this process. */
export function captureCommand(args: readonly string[], output: "stdout" | "stderr", text: string): void {
  if (output === "stderr" || !mayPrintSecrets(args)) captureText(text);
}

function mayPrintSecrets(args: readonly string[]): boolean {
  const line = args.slice(args.findIndex((arg) => arg.endsWith(".ts")) + 1).join(" ");
  return printsSecrets.some((pattern) => pattern.test(line));
}

/** One file per test file and worker, so that a find can be told by the name of the test. */
function captureText(text: string | Uint8Array): void {
  if (directory === undefined) return;
  const name = `${basename(expect.getState().testPath ?? "no test")}-${process.pid}-${threadId}.log`;
  appendFileSync(join(directory, "logs", name), text);
}
