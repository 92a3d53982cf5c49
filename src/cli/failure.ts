import { CommanderError } from "commander";
import { z } from "zod";
import { ConfigError } from "../config/problems.ts";
import { TodokuError } from "../domain/errors.ts";

/** What to print on stderr for a failed command; undefined when commander has said it already. */
export function explain(error: unknown): string | undefined {
  if (error instanceof CommanderError) return undefined;
  if (error instanceof ConfigError) return error.problems.map((problem) => `error: ${problem}`).join("\n");
  if (error instanceof z.ZodError)
    return error.issues.map((issue) => `error: ${issue.path.join(".")}: ${issue.message}`).join("\n");
  if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") {
    return `error: ${error.message}: something listens there already; choose another port with --port`;
  }
  return `error: ${error instanceof Error ? error.message : String(error)}`;
}

/** 0 ok, 1 it was refused or failed, 2 the command line is wrong. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof z.ZodError || error instanceof ConfigError) return 2;
  if (error instanceof TodokuError && error.code === "invalid_argument") return 2;
  return 1;
}
