import { serverPrincipal } from "../auth/principal.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { QueueMessages } from "../queues/messages.ts";
import type { SentMessage } from "../queues/sent-message.ts";

interface Waiting {
  readonly message: SentMessage;
  readonly answer: (error: TodokuError | undefined) => void;
}

/** Sends what comes for a queue in one turn together, in the order in which it came. */
export class QueueBatches {
  readonly #queueMessages: Pick<QueueMessages, "send">;
  /** By environment, which has no slash, and queue. */
  #waiting = new Map<string, Waiting[]>();

  constructor(queueMessages: Pick<QueueMessages, "send">) {
    this.#queueMessages = queueMessages;
  }

  /** Answers why it was not sent; undefined: it is in the queue. Never rejects. */
  send(environment: string, queue: string, message: SentMessage): Promise<TodokuError | undefined> {
    if (this.#waiting.size === 0) queueMicrotask(() => this.#sendAll());
    const { promise, resolve: answer } = Promise.withResolvers<TodokuError | undefined>();
    const key = `${environment}/${queue}`;
    const waiting = this.#waiting.get(key);
    if (waiting) waiting.push({ message, answer });
    else this.#waiting.set(key, [{ message, answer }]);
    return promise;
  }

  #sendAll(): void {
    const all = this.#waiting;
    this.#waiting = new Map();
    const { batchMaxMessages } = limits.queue;
    for (const [key, waiting] of all) {
      const slash = key.indexOf("/");
      const [environment, queue] = [key.slice(0, slash), key.slice(slash + 1)];
      for (let n = 0; n < waiting.length; n += batchMaxMessages) {
        void this.#sendBatch(environment, queue, waiting.slice(n, n + batchMaxMessages));
      }
    }
  }

  async #sendBatch(environment: string, queue: string, batch: readonly Waiting[]): Promise<void> {
    try {
      const messages = batch.map(({ message }) => message);
      const results = await this.#queueMessages.send(serverPrincipal(environment), queue, messages);
      batch.forEach(({ answer }, n) => {
        const result = results[n];
        answer(result instanceof TodokuError ? result : undefined);
      });
    } catch (error) {
      for (const { answer } of batch) answer(toTodokuError(error));
    }
  }
}
