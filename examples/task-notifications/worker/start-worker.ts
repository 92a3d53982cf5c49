import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import { names } from "../shared/names.ts";
import { Secrets } from "../shared/secrets.ts";
import { Todoku } from "../shared/todoku.ts";
import { Backoff } from "./backoff.ts";
import { DeadLetters } from "./dead-letters.ts";
import { Hands } from "./hands.ts";
import { Notifier } from "./notifier.ts";
import { TaskQueue } from "./task-queue.ts";

/** How the worker is run. */
export interface WorkerOptions {
  readonly todokuUrl: string;
  /** Holds the bootstrap key. */
  readonly keyFile: string;
  /** Where it is kept which dead letters were told of. */
  readonly cursorFile: string;
  /** Tasks at once. */
  readonly concurrency: number;
  /** What one task takes. */
  readonly taskMs: number;
  /** How long a message stays with a worker that says nothing. Default 30. */
  readonly visibilitySeconds?: number;
  /** How often the dead letters are looked at. Default 1000. */
  readonly deadLetterPollMs?: number;
  /** How long `close` lets tasks end before it gives them back. */
  readonly drainMs: number;
}

/** A worker that polls. */
export interface RunningWorker {
  /** Takes nothing more, ends or gives back what it holds. */
  close(): Promise<void>;
}

/** Starts to poll, and goes on for ever, whether Todoku is there or not. */
export function startWorker(options: WorkerOptions, log: Logger): RunningWorker {
  const { todokuUrl, keyFile } = options;
  const secrets = new Secrets({ todokuUrl, keyFile, log });
  const credential = secrets.key(names.workerSecret);
  const todoku = new Todoku(todokuUrl, credential);
  const notifier = new Notifier(todokuUrl, credential, names.cache);
  const stopping = new AbortController();
  const draining = new AbortController();
  const hands = new Hands(
    {
      queue: new TaskQueue(todoku, names.taskQueue),
      notifier,
      receiptKey: secrets.text(names.receiptSecret),
      visibilitySeconds: options.visibilitySeconds ?? 30,
      taskMs: options.taskMs,
      draining: draining.signal,
      log,
    },
    options.concurrency,
  );
  const deadQueue = new TaskQueue(todoku, names.deadLetterQueue);
  const deadLetters = new DeadLetters({ queue: deadQueue, notifier, cursorFile: options.cursorFile, log });
  async function takeTasks(): Promise<void> {
    await hands.take(stopping.signal);
  }
  async function lookAtDeadLetters(): Promise<void> {
    await deadLetters.runOnce();
    await wait(options.deadLetterPollMs ?? 1000, undefined, { signal: stopping.signal }).catch(() => {});
  }

  const loops = Promise.all([
    repeat(takeTasks, stopping.signal, log),
    // With all hands full nobody asks for tasks, but what is done waits to be told.
    repeat(lookAtDeadLetters, stopping.signal, log, () => notifier.reconnect()),
  ]);
  return {
    async close() {
      stopping.abort();
      const timer = setTimeout(() => draining.abort(new Error("the worker ends")), options.drainMs);
      await loops;
      await hands.rest();
      clearTimeout(timer);
    },
  };
}

/** Runs `step` until the signal fires; after an error a pause. `onRecovered` after the first success behind an error. */
async function repeat(
  step: () => Promise<void>,
  signal: AbortSignal,
  log: Pick<Logger, "info" | "warn">,
  onRecovered: () => void = () => {},
): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      await step();
      if (!backoff.hasFailed) continue;
      backoff.reset();
      log.info({ step: step.name }, "going on");
      onRecovered();
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ step: step.name, err: error }, "trying again");
      await backoff.pause(signal).catch(() => {});
    }
  }
}
