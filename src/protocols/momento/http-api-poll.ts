import type { ServerResponse } from "node:http";
import type { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Sink, Subscription } from "../../domain/topics/subscription.ts";
import { isGone } from "../../lib/response.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { entryEncoding } from "./http-api-answer.ts";

/**
 * A subscription that lasts for one answer: it ends with the first entries, with all that comes in the same turn, or after
 * `limits.longPollMs`. The next poll goes on behind the last of them.
 */
export class LongPoll implements Sink {
  readonly encoding = entryEncoding;
  readonly #response: ServerResponse;
  readonly #wheel: TimerWheel;
  readonly #answer = Promise.withResolvers<readonly Uint8Array[]>();
  readonly #entries: Uint8Array[] = [];
  #bytes = 0;
  /** The server stops: the next poll must not come over the same connection. */
  isStopped = false;

  constructor(response: ServerResponse, wheel: TimerWheel) {
    this.#response = response;
    this.#wheel = wheel;
    this.#answer.promise.catch(() => {}); // it may end while nobody waits for it yet
  }

  /** The entries to answer with; none when the time is over, the server stops or the client has left. @throws TodokuError why it ended. */
  async follow(subscription: Subscription): Promise<readonly Uint8Array[]> {
    const finish = () => this.finish();
    const deadline = this.#wheel.schedule(limits.longPollMs, finish);
    this.#response.once("close", finish);
    if (isGone(this.#response)) finish();
    subscription.drained();
    try {
      return await this.#answer.promise;
    } finally {
      deadline.cancel();
      this.#response.off("close", finish);
      subscription.close();
    }
  }

  /** Answers with what there is. */
  finish(): void {
    this.#answer.resolve(this.#entries);
  }

  /** The same, because the server stops. */
  stop(): void {
    this.isStopped = true;
    this.finish();
  }

  write(entries: Uint8Array): boolean {
    this.#entries.push(entries);
    this.#bytes += entries.length;
    // What is at hand comes in this turn: it belongs into the same answer.
    if (this.#entries.length === 1) setImmediate(() => this.finish());
    return this.#bytes < limits.longPollAnswerBytes;
  }

  close(error: TodokuError): void {
    // A stopping server: the client comes back at once, and finds the next one.
    if (error.code === "unavailable") this.stop();
    else this.#answer.reject(error);
  }
}
