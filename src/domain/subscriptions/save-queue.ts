import type { Log } from "../../lib/log.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import { limits } from "../limits.ts";
import type { SubscriptionChange, SubscriptionStore } from "./store.ts";
import { deadBytesOf, type Urgency } from "./unsaved.ts";

/** A storage that refuses looks once a second whether it works again. */
const retryMs = 1000;

/** Something whose changes are saved with those of others. */
export interface Changing {
  /** All that is not saved; undefined when there is nothing. */
  takeChange(): SubscriptionChange | undefined;
  /** What was taken is on disk. */
  saved(change: SubscriptionChange): void;
}

/**
 * Saves what pumps have done, in groups: one save is under way at a time, and what happens meanwhile is the next one. A save that fails
 * is tried again as it is.
 */
export class SaveQueue {
  readonly #store: Pick<SubscriptionStore, "save">;
  readonly #wheel: Pick<TimerWheel, "schedule">;
  readonly #log: Log;
  readonly #changing = new Set<Changing>();
  /** One of them has so much that it should not wait. */
  #isUrgent = false;
  /** The last batch had no room for all that had changed. */
  #isCut = false;
  #batch: { readonly source: Changing; readonly change: SubscriptionChange }[] = [];
  #timer: Deadline | undefined;
  #running: Promise<void> | undefined;
  #isRefused = false;

  constructor(store: Pick<SubscriptionStore, "save">, wheel: Pick<TimerWheel, "schedule">, log: Log) {
    this.#store = store;
    this.#wheel = wheel;
    this.#log = log;
  }

  /** `source` has one more change. */
  changed(source: Changing, urgency: Urgency): void {
    this.#changing.add(source);
    if (urgency === "later") return;
    if (urgency === "now") this.#isUrgent = true;
    if (this.#isUrgent) this.#begin();
    else this.#schedule(limits.webhook.saveMs);
  }

  /** It is gone: nothing is saved for it any more. */
  forget(source: Changing): void {
    this.#changing.delete(source);
  }

  /** Its cursor was set by somebody else: what is kept for a next try must not bring back the one before. */
  withdrawCursor(source: Changing): void {
    this.#batch = this.#batch.map((entry) => {
      if (entry.source !== source) return entry;
      const { cursor, ...change } = entry.change;
      return { source, change };
    });
  }

  /** Saves what there is now, unless the storage refuses it. Never rejects. */
  async flush(): Promise<void> {
    await this.#running;
    // A batch that was refused before is not what there is now.
    if (this.#batch.length > 0) await this.#save();
    if (!this.#isRefused) await this.#save();
    // One holds no more than the storage takes at once; what happens meanwhile can wait.
    for (let left = this.#changing.size; left > 0 && this.#isCut && !this.#isRefused; left--) await this.#save();
  }

  #schedule(delayMs: number): void {
    if (this.#timer || this.#running || this.#isRefused) return;
    this.#timer = this.#wheel.schedule(delayMs, () => {
      this.#timer = undefined;
      this.#begin();
    });
  }

  #begin(): void {
    if (this.#running || this.#isRefused) return;
    void this.#save();
  }

  #save(): Promise<void> {
    this.#running ??= this.#saveOnce().finally(() => {
      this.#running = undefined;
      if (this.#isRefused) this.#tryAgain();
      else if (this.#isUrgent) this.#begin();
      else if (this.#changing.size > 0) this.#schedule(limits.webhook.saveMs);
    });
    return this.#running;
  }

  async #saveOnce(): Promise<void> {
    // Behind what calls this: an entry and the cursor that passes its item are told one after the other, and are saved together.
    await undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#batch.length === 0) this.#take();
    if (this.#batch.length === 0) return;
    try {
      await this.#store.save(this.#batch.map(({ change }) => change));
    } catch (error) {
      if (!this.#isRefused) {
        this.#log.warn({ err: error }, "what was delivered could not be stored; it is tried again");
      }
      this.#isRefused = true;
      return;
    }
    this.#isRefused = false;
    const batch = this.#batch;
    this.#batch = [];
    for (const { source, change } of batch) source.saved(change);
  }

  /** As much as one batch of the storage: a larger one would have to wait until nobody else writes. */
  #take(): void {
    let [items, bytes] = [0, 0];
    for (const source of this.#changing) {
      if (items >= limits.batchMaxItems || bytes >= limits.batchMaxBytes) break;
      this.#changing.delete(source);
      const change = source.takeChange();
      if (!change) continue;
      this.#batch.push({ source, change });
      items += 1 + (change.deliveries?.length ?? 0) + (change.failures?.length ?? 0);
      bytes += deadBytesOf(change);
    }
    this.#isCut = this.#changing.size > 0;
    this.#isUrgent = this.#isCut;
  }

  #tryAgain(): void {
    this.#timer ??= this.#wheel.schedule(retryMs, () => {
      this.#timer = undefined;
      void this.#save();
    });
  }
}
