import { TodokuError } from "../errors.ts";

/**
 * Tells the open streams of a credential that it was taken back. No AbortSignal: that looks through all its listeners for each
 * new one, and a worker's key may have many thousand streams.
 */
export class Withdrawal {
  readonly #listeners = new Set<(error: TodokuError) => void>();
  #error: TodokuError | undefined;

  /** True: the credential is not valid any more. */
  get isDone(): boolean {
    return this.#error !== undefined;
  }

  /** Calls `listener` once, with what to tell the caller: at once when it is done already. Returns what stops listening. */
  onDone(listener: (error: TodokuError) => void): () => void {
    if (this.#error) listener(this.#error);
    else this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `reason` is a sentence for the caller. */
  withdraw(reason: string): void {
    if (this.#error) return;
    this.#error = new TodokuError("unauthenticated", reason);
    for (const listener of this.#listeners) listener(this.#error);
    this.#listeners.clear();
  }
}
