import { setImmediate as nextTurn } from "node:timers/promises";
import { serverPrincipal } from "../auth/principal.ts";
import { type TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueMessages, Received } from "../queues/messages.ts";
import type { Queues } from "../queues/queues.ts";
import type { Handover } from "./notifier.ts";
import { askAgainMs, type ReaderParts, turnMaxMs } from "./reader.ts";
import { readRequest } from "./request.ts";
import { retryAfterMs } from "./retry.ts";

/** The queue that requests are sent to. */
export const requestQueue = "notifications";

/** Requests that handed their frames over and could not store the rest; past it frames are handed over twice. */
const rememberedMax = 1000;

/** What is of queues alone. */
interface QueueReaderParts extends ReaderParts {
  readonly queues: Pick<Queues, "known">;
  readonly queueMessages: Pick<QueueMessages, "follow" | "delete" | "changeVisibility">;
}

type Message = Received["messages"][number];

/** Carries out the requests of one environment's queue, in the order in which they are received, until it is ended. */
export class QueueReader {
  readonly #environment: string;
  readonly #parts: QueueReaderParts;
  readonly #closed = new AbortController();
  readonly #remembered = new Map<string, Handover>();
  /** Resolves when the last request that it took is done with. */
  readonly ended: Promise<void>;

  /** @param onGone the queue is not there any more. */
  constructor(environment: string, parts: QueueReaderParts, onGone: () => void) {
    this.#environment = environment;
    this.#parts = parts;
    this.ended = this.#run(onGone);
  }

  /** Takes nothing more. */
  end(): void {
    this.#closed.abort();
  }

  async #run(onGone: () => void): Promise<void> {
    const { queueMessages, wheel, log } = this.#parts;
    const { batchMaxMessages: maxMessages } = limits.queue;
    const request = { maxMessages, visibilityMs: limits.notification.visibilityMs };
    let before: Promise<unknown> = Promise.resolve();
    let wasRefused = false;
    while (!this.#closed.signal.aborted) {
      const read: (() => void)[] = [];
      const receiver = {
        isOpen: () => !this.#closed.signal.aborted,
        closed: this.#closed.signal,
        onEnd: (listener: () => void) => void read.push(listener),
      };
      try {
        const { messages } = await queueMessages.follow(this.#environment, requestQueue, request, receiver);
        const done = this.#carryOutAll(messages);
        // One batch is taken while the one before is being deleted.
        await before;
        before = done.finally(() => {
          for (const listener of read) listener();
        });
        wasRefused = false;
      } catch (caught) {
        const error = toTodokuError(caught);
        if (error.code === "not_found") {
          onGone();
          break;
        }
        if (!wasRefused) log.warn({ environment: this.#environment, err: error }, "notifications wait for their queue");
        wasRefused = true;
        await wheel.wait(askAgainMs, this.#closed.signal);
      }
    }
    await before;
  }

  async #carryOutAll(messages: readonly Message[]): Promise<void> {
    const { clock } = this.#parts;
    const all: Promise<void>[] = [];
    let sinceMs = clock.monotonicMs();
    for (const message of messages) {
      all.push(this.#carryOut(message));
      // Ten broadcasts to ten thousand take a tenth of a second, in which nobody else is served.
      if (clock.monotonicMs() - sinceMs < turnMaxMs) continue;
      await nextTurn();
      sinceMs = clock.monotonicMs();
    }
    await Promise.all(all);
  }

  /** Never rejects: what fails here comes back when its visibility is over. */
  async #carryOut(message: Message): Promise<void> {
    const key = `queue-${message.sentAtMs}-${message.sequence}`;
    try {
      await this.#handOver(message, key).complete();
      this.#remembered.delete(key);
      await this.#delete(message);
    } catch (error) {
      await this.#failed(message, key, toTodokuError(error)).catch((err: unknown) => {
        const fields = { environment: this.#environment, messageId: message.messageId };
        this.#parts.log.warn({ ...fields, err }, "a notification could not be finished; it is tried again");
      });
    }
  }

  /** What was handed over in an earlier try is not handed over again. */
  #handOver(message: Message, key: string): Handover {
    const known = this.#remembered.get(key);
    if (known) return known;
    const handover = this.#parts.notifier.handOver(this.#environment, readRequest(message.body, this.#parts), key);
    if (this.#remembered.size < rememberedMax && handover.hasOffline) this.#remembered.set(key, handover);
    return handover;
  }

  async #failed(message: Message, key: string, error: TodokuError): Promise<void> {
    const { dead, queues, queueMessages } = this.#parts;
    const { body, attributes, receiptHandle, receiveCount } = message;
    // Past its own rule the queue would move it without a word of why.
    const maxReceives = queues.known(this.#environment, requestQueue)?.deadLetter?.maxReceives;
    const triesMax = Math.min(limits.notification.triesMax, maxReceives ?? Number.POSITIVE_INFINITY);
    const visibilityMs = retryAfterMs(error, receiveCount, triesMax);
    if (visibilityMs !== undefined) {
      const principal = serverPrincipal(this.#environment);
      await queueMessages.changeVisibility(principal, requestQueue, [{ receiptHandle, visibilityMs }]);
      return;
    }
    this.#remembered.delete(key);
    await dead.bury(this.#environment, { body, attributes, error, source: "queue", key });
    await this.#delete(message);
  }

  async #delete({ receiptHandle }: Message): Promise<void> {
    await this.#parts.queueMessages.delete(serverPrincipal(this.#environment), requestQueue, [receiptHandle]);
  }
}
