import { pino, stdSerializers } from "pino";
import { SettingsError } from "./settings.ts";
import { TodokuFailure } from "./todoku.ts";

/** Logs go to stderr as JSON lines: stdout says only where we listen. Give it names and numbers, never a token or the text of a task. */
export function createLog(name: string, level: string): pino.Logger {
  return pino({ name, level, serializers: { err: withoutIdleStack } }, pino.destination({ fd: 2, sync: true }));
}

/** While Todoku is away its failures come by the dozen, and where in our code they arise tells nothing. */
function withoutIdleStack(error: Error) {
  return error instanceof TodokuFailure ? { type: error.name, message: error.message } : stdSerializers.err(error);
}

/** Runs a process: what is wrong with its settings or its port is said in a line, and SIGTERM or SIGINT close it. */
export async function runProcess(start: () => Promise<{ close(): Promise<void> }>): Promise<void> {
  const running = await start().catch((error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(error instanceof SettingsError ? 2 : 1);
  });
  let isClosing = false;
  const close = async () => {
    if (isClosing) process.exit(1); // asked twice: at once
    isClosing = true;
    await running.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void close());
  process.on("SIGINT", () => void close());
}
