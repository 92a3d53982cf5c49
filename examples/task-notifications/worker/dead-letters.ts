import { readFile, rename, writeFile } from "node:fs/promises";
import type { Logger } from "pino";
import { z } from "zod";
import { parseTask } from "./handle-message.ts";
import type { Notifier } from "./notifier.ts";
import type { DeadLetter, TaskQueue } from "./task-queue.ts";

/** What it takes to tell of dead letters. */
export interface DeadLetterOptions {
  readonly queue: TaskQueue;
  readonly notifier: Notifier;
  /** Where it is kept how far users were told. */
  readonly cursorFile: string;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** The last message told of, and the latest moment at which one of those told of had come. */
const cursorSchema = z.object({ after: z.number().int().nonnegative(), movedAtMs: z.number() });
type Cursor = z.output<typeof cursorSchema>;
const beginning: Cursor = { after: 0, movedAtMs: 0 };

/**
 * Tells the user of each message that came to the dead letters. Nobody else could: a worker that fails for the last time does not know
 * whether it was the last, and one that was killed by its message tells nothing. The messages stay there for whoever repairs and redrives them.
 */
export class DeadLetters {
  readonly #options: DeadLetterOptions;
  #cursor: Cursor | undefined;

  constructor(options: DeadLetterOptions) {
    this.#options = options;
  }

  /** Tells of those that are new. Without its file it begins at the oldest: told again is better than never. @throws what calls and files throw. */
  async runOnce(): Promise<void> {
    const { queue } = this.#options;
    let cursor = this.#cursor ?? (await this.#load());
    // Asked first: behind the cursor there may be messages of the new count, too.
    if (await this.#beganAnew(cursor)) cursor = { ...cursor, after: 0 };
    for (;;) {
      const letters = await queue.peek(cursor.after);
      if (letters.length === 0) return;
      for (const letter of letters) {
        await this.#tell(letter);
        cursor = { after: letter.sequenceNumber, movedAtMs: Math.max(cursor.movedAtMs, movedAtMs(letter)) };
        await this.#save(cursor);
      }
    }
  }

  /** A queue that was purged or made anew counts from 1 again: then there is a message before the cursor that came after all those told of. */
  async #beganAnew(cursor: Cursor): Promise<boolean> {
    const [oldest] = await this.#options.queue.peek(0, 1);
    return oldest !== undefined && oldest.sequenceNumber <= cursor.after && movedAtMs(oldest) > cursor.movedAtMs;
  }

  async #tell({ messageId, body, deadLetter }: DeadLetter): Promise<void> {
    const { notifier, log } = this.#options;
    const task = parseTask(body);
    const attempt = deadLetter?.receiveCount ?? 1;
    if (task === undefined) {
      log.warn({ messageId, attempt }, "a dead letter that is no task of ours: nobody to tell");
      return;
    }
    const { userId, taskId, data } = task;
    await notifier.tell(userId, { taskId, status: "failed", data, message: `Failed task: ${data}`, attempt });
    log.warn({ messageId, attempt }, "task given up, the user is told");
  }

  async #load(): Promise<Cursor> {
    const { cursorFile, log } = this.#options;
    try {
      return cursorSchema.parse(JSON.parse(await readFile(cursorFile, "utf8")));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") log.warn({ cursorFile }, "unreadable: beginning anew");
      return beginning;
    }
  }

  /** A rename replaces the file as a whole, whenever the process dies. */
  async #save(cursor: Cursor): Promise<void> {
    const { cursorFile } = this.#options;
    await writeFile(`${cursorFile}.new`, JSON.stringify(cursor), { mode: 0o600 });
    await rename(`${cursorFile}.new`, cursorFile);
    this.#cursor = cursor;
  }
}

function movedAtMs({ deadLetter, sentAtMs }: DeadLetter): number {
  return deadLetter?.movedAtMs ?? sentAtMs;
}
