import type { HandlerLogLine } from "../../domain/handlers/logs.ts";

/** Of one call: with each line at its longest it is within what a call may have. */
const linesMax = 20;
/** Of those that wait: the server keeps no more. */
const waitingMax = 1000;

/** Brings the lines of a handler to the server, in their order; without it they are on this terminal only. */
export class HandlerLogSender {
  readonly #deliver: (lines: readonly HandlerLogLine[]) => Promise<unknown>;
  #waiting: HandlerLogLine[] = [];
  #sending: Promise<void> | undefined;

  constructor(deliver: (lines: readonly HandlerLogLine[]) => Promise<unknown>) {
    this.#deliver = deliver;
  }

  add(line: HandlerLogLine): void {
    this.#waiting.push(line);
    if (this.#waiting.length > waitingMax) this.#waiting.shift();
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
    });
  }

  /** Resolves when all are there, or none can be sent any more. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    // What is printed together goes together.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0, linesMax);
      try {
        await this.#deliver(lines);
      } catch {
        // Whoever asks for work hears of it, and says so.
        this.#waiting = [];
      }
    }
  }
}
