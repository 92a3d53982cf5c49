import type { Logger } from "pino";
import type { Message, TaskQueue } from "./task-queue.ts";

/** The message is not ours any more: somebody else received it, or it is gone. */
export class HoldLost extends Error {
  override readonly name = "HoldLost";
}

/**
 * Keeps a received message hidden from others while it is worked on: at half-time its visibility begins anew. A worker that dies stops
 * doing so, and the message goes to the next one; so the visibility need not be longer than the longest task, only longer than a hiccup.
 */
export class Hold {
  readonly #queue: TaskQueue;
  readonly #message: Message;
  readonly #visibilitySeconds: number;
  readonly #log: Pick<Logger, "warn">;
  readonly #lost = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #beat: Promise<void> | undefined;
  #isReleased = false;

  constructor(queue: TaskQueue, message: Message, visibilitySeconds: number, log: Pick<Logger, "warn">) {
    this.#queue = queue;
    this.#message = message;
    this.#visibilitySeconds = visibilitySeconds;
    this.#log = log;
    this.#extendAfter(1 / 2);
  }

  /** Fires with a HoldLost when the message is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Stops. When it has resolved no extension is under way that could undo what the caller does next. */
  async release(): Promise<void> {
    this.#isReleased = true;
    clearTimeout(this.#timer);
    await this.#beat;
  }

  /** After a part of the visibility. */
  #extendAfter(part: number): void {
    if (this.#isReleased || this.#lost.signal.aborted) return;
    const waitMs = this.#visibilitySeconds * 1000 * part;
    this.#timer = setTimeout(() => {
      this.#beat = this.#extend();
    }, waitMs);
  }

  async #extend(): Promise<void> {
    const { messageId } = this.#message;
    try {
      const outcome = await this.#queue.hide(this.#message, this.#visibilitySeconds);
      if (outcome !== "done") this.#lost.abort(new HoldLost(`message ${messageId} is ${outcome}`));
      this.#extendAfter(1 / 2);
    } catch (error) {
      // As long as Todoku is away it gives the message to nobody else: go on, and be there when it is back.
      this.#log.warn({ messageId, err: error }, "visibility not extended");
      this.#extendAfter(1 / 20);
    }
  }
}
