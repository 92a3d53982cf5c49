import { type HandleOptions, handleMessage } from "./handle-message.ts";

/** The tasks that are worked on at once. */
export class Hands {
  readonly #options: HandleOptions;
  readonly #count: number;
  readonly #busy = new Set<Promise<void>>();
  #wasAway = false;

  constructor(options: HandleOptions, count: number) {
    this.#options = options;
    this.#count = count;
  }

  /**
   * Waits for a free hand, then for tasks, and begins them. Asks for no more than there are free hands: what waits in the queue can be taken by
   * another worker, what waits in here cannot.
   * @throws what the call of Todoku throws; the signal's reason.
   */
  async take(signal: AbortSignal): Promise<void> {
    const { queue, notifier, visibilitySeconds } = this.#options;
    while (this.#busy.size >= this.#count) await Promise.race(this.#busy);
    try {
      const messages = await queue.receive(this.#count - this.#busy.size, visibilitySeconds, signal);
      if (this.#wasAway) notifier.reconnect();
      this.#wasAway = false;
      for (const message of messages) {
        const handled = handleMessage(message, this.#options).finally(() => this.#busy.delete(handled));
        this.#busy.add(handled);
      }
    } catch (error) {
      this.#wasAway = true;
      throw error;
    }
  }

  /** Resolves when all that was begun is done or given back. */
  async rest(): Promise<void> {
    await Promise.all(this.#busy);
  }
}
