import { attributeBytes } from "../attributes.ts";
import { TodokuError, toTodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { AppendResult, NewItem, TopicStore } from "./store.ts";

/** One publish on its way to the log. */
export interface PendingAppend {
  readonly item: NewItem;
  resolve(result: Exclude<AppendResult, TodokuError>): void;
  reject(error: TodokuError): void;
}

/** Called with a committed batch, before any publisher is told. */
type OnCommitted = (batch: readonly PendingAppend[], results: readonly AppendResult[]) => void;

/**
 * Group commit: what arrives in one tick, or while a commit runs, is the next batch. One batch is under way at a time, so
 * results come in the order of the numbers. When a batch fails, it and everything behind it is refused.
 */
export class AppendQueue {
  readonly #store: TopicStore;
  readonly #onCommitted: OnCommitted;
  #waiting: PendingAppend[] = [];
  #waitingBytes = 0;
  #isBusy = false;

  constructor(store: TopicStore, onCommitted: OnCommitted) {
    this.#store = store;
    this.#onCommitted = onCommitted;
  }

  /** @throws TodokuError `unavailable`: too much is waiting for the disk already. */
  push(append: PendingAppend): void {
    const bytes = bytesOf(append);
    if (this.#waiting.length >= limits.pendingMaxItems || this.#waitingBytes + bytes > limits.pendingMaxBytes) {
      throw new TodokuError("unavailable", `${this.#waiting.length} publishes are waiting for the disk; try again`);
    }
    this.#waiting.push(append);
    this.#waitingBytes += bytes;
    if (this.#isBusy) return;
    this.#isBusy = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        this.#onCommitted(batch, await this.#store.append(batch.map((append) => append.item)));
      } catch (error) {
        const refused = toTodokuError(error);
        const behind = this.#waiting;
        this.#waiting = [];
        this.#waitingBytes = 0;
        for (const append of batch) append.reject(refused);
        for (const append of behind) append.reject(refused);
      }
    }
    this.#isBusy = false;
  }

  #take(): PendingAppend[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#waiting.length && count < limits.batchMaxItems && bytes < limits.batchMaxBytes) {
      bytes += bytesOf(this.#waiting[count] as PendingAppend);
      count++;
    }
    this.#waitingBytes -= bytes;
    if (count < this.#waiting.length) return this.#waiting.splice(0, count);
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }
}

function bytesOf({ item }: PendingAppend): number {
  return item.value.bytes.length + (item.attributes ? attributeBytes(item.attributes) : 0);
}
