import type { Logger } from "pino";
import { Backoff } from "../../task-notifications/worker/backoff.ts";
import type { Message, TaskQueue } from "../../task-notifications/worker/task-queue.ts";

export interface QueueLoopOptions {
  readonly queue: Pick<TaskQueue, "receive" | "delete" | "hide">;
  /** Throws when the message has to come again. */
  handle(message: Message): Promise<void>;
  readonly log: Pick<Logger, "debug" | "info" | "warn">;
}

const batchMax = 10;
/** Handling takes two calls of at most five seconds each. */
const visibilitySeconds = 30;

/** Takes messages until it is closed. */
export function startQueueLoop(options: QueueLoopOptions): { close(): Promise<void> } {
  const stopping = new AbortController();
  const ended = loop(options, stopping.signal);
  return {
    async close() {
      stopping.abort();
      await ended;
    },
  };
}

async function loop(options: QueueLoopOptions, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  while (!signal.aborted) {
    try {
      const messages = await options.queue.receive(batchMax, visibilitySeconds, signal);
      if (backoff.hasFailed) options.log.info({}, "Todoku is there again");
      backoff.reset();
      // Each by itself: one that fails takes none of the others with it.
      await Promise.all(messages.map((message) => handleOne(message, options)));
    } catch (error) {
      if (signal.aborted) return;
      // Once for each time that it is away: a restart is no five warnings.
      const level = backoff.hasFailed ? "debug" : "warn";
      options.log[level]({ err: error }, "the queue cannot be asked; trying until it can");
      await backoff.pause(signal).catch(() => {});
    }
  }
}

async function handleOne(message: Message, { queue, handle, log }: QueueLoopOptions): Promise<void> {
  const { messageId, receiveCount } = message;
  try {
    await handle(message);
    await queue.delete(message);
  } catch (error) {
    log.warn({ messageId, receiveCount, err: error }, "a message has to come again");
    // 1, 2, 4, 8 s; after five receives the queue moves it to its dead letters.
    await queue.hide(message, 2 ** Math.min(receiveCount - 1, 3)).catch((failure: unknown) => {
      log.warn({ messageId, err: failure }, "it comes back when its visibility ends");
    });
  }
}
