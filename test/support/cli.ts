import { Command } from "commander";
import { registerApply } from "../../src/cli/commands/apply.ts";
import { registerCache } from "../../src/cli/commands/cache.ts";
import { registerConnections } from "../../src/cli/commands/connections.ts";
import { registerEnv } from "../../src/cli/commands/env.ts";
import { endClients } from "../../src/cli/commands/environment-key.ts";
import { registerExport } from "../../src/cli/commands/export.ts";
import { registerHandler } from "../../src/cli/commands/handler.ts";
import { registerInit } from "../../src/cli/commands/init.ts";
import type { CommandIo } from "../../src/cli/commands/io.ts";
import { registerKey } from "../../src/cli/commands/key.ts";
import { registerNotify } from "../../src/cli/commands/notify.ts";
import { registerPresence } from "../../src/cli/commands/presence.ts";
import { registerQueue } from "../../src/cli/commands/queue.ts";
import { registerSecret } from "../../src/cli/commands/secret.ts";
import { registerToken } from "../../src/cli/commands/token.ts";
import { registerTopic } from "../../src/cli/commands/topic.ts";
import { registerWebhook } from "../../src/cli/commands/webhook.ts";
import { exitCodeOf, explain } from "../../src/cli/failure.ts";
import { captureCommand } from "./captured-logs.ts";

/** A client command that runs in this process. */
export interface RunningCommand {
  /** The exit code. */
  readonly done: Promise<number>;
  /** Resolves with the next line of that output that matches, past those already given. */
  line(output: "stdout" | "stderr", pattern: RegExp): Promise<string>;
  readonly stdout: string;
  readonly stderr: string;
  /** Ctrl-C. */
  interrupt(): void;
}

/** Starts `todoku <args>` with pauses that take no time. */
export function runCommand(
  args: readonly string[],
  env: CommandIo["env"] = {},
  stdin: Uint8Array[] = [],
  isTerminal = false,
): RunningCommand {
  const texts = { stdout: "", stderr: "" };
  const given = { stdout: 0, stderr: 0 };
  let wake = () => {};
  const listeners = new Set<() => void>();
  const write = (output: "stdout" | "stderr") => (text: string) => {
    texts[output] += text;
    captureCommand(args, output, text);
    wake();
  };
  const io: CommandIo = {
    ...{
      env,
      stdin: Object.assign(
        (async function* () {
          yield* stdin;
        })(),
        { isTTY: isTerminal },
      ),
    },
    stdout: { write: write("stdout") },
    stderr: { write: write("stderr") },
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    pause: async (_ms, signal) => {
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
    },
  };
  const program = new Command("todoku")
    .exitOverride()
    .configureOutput({ writeOut: write("stdout"), writeErr: write("stderr") });
  registerInit(program, io);
  registerEnv(program, io);
  registerTopic(program, io);
  registerCache(program, io);
  registerQueue(program, io);
  registerWebhook(program, io);
  registerHandler(program, io);
  registerNotify(program, io);
  registerPresence(program, io);
  registerConnections(program, io);
  registerKey(program, io);
  registerToken(program, io);
  registerSecret(program, io);
  registerApply(program, io);
  registerExport(program, io);
  const done = program
    .parseAsync(args, { from: "user" })
    .then(
      () => 0,
      (error: unknown) => {
        const text = explain(error);
        if (text) write("stderr")(`${text}\n`);
        return exitCodeOf(error);
      },
    )
    .finally(() => endClients(io));
  return {
    done,
    get stdout() {
      return texts.stdout;
    },
    get stderr() {
      return texts.stderr;
    },
    async line(output, pattern) {
      for (;;) {
        const end = texts[output].indexOf("\n", given[output]);
        if (end === -1) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        const line = texts[output].slice(given[output], end);
        given[output] = end + 1;
        if (pattern.test(line)) return line;
      }
    },
    interrupt() {
      for (const listener of listeners) listener();
    },
  };
}
