import type { Deadline } from "../../lib/timer-wheel.ts";
import { toTodokuError } from "../errors.ts";
import { catchUpBounds } from "../topics/subscription.ts";
import type { Attempted, LaneOwner } from "./attempts.ts";
import { Tries } from "./retry.ts";
import type { DeadLetter, SubscriptionKey, SubscriptionStore } from "./store.ts";

/** Dead letters that cannot be read are tried again so soon. */
const readAgainMs = 1000;

/** Delivers dead letters again that are marked so, one after the other, the oldest first. */
export class ReplayLane {
  readonly #owner: LaneOwner;
  readonly #key: SubscriptionKey;
  readonly #store: Pick<SubscriptionStore, "deadLetters" | "drop">;
  /** There may be some in the store behind `#afterId`. */
  #hasMore = false;
  /** There may be some before it, too. */
  #isWoken = false;
  #afterId = 0;
  #chunk: DeadLetter[] = [];
  /** The one that is being tried, or waits for it. */
  #current: { readonly id: number; readonly tries: Tries } | undefined;
  #wait: Deadline | undefined;
  /** An attempt is under way, or the store is being read. */
  #isBusy = false;
  /** Done, and not yet known to be gone from what the store answers. */
  readonly #done = new Set<number>();
  #saved: number[] = [];
  #isClosed = false;

  constructor(owner: LaneOwner, key: SubscriptionKey, store: Pick<SubscriptionStore, "deadLetters" | "drop">) {
    this.#owner = owner;
    this.#key = key;
    this.#store = store;
  }

  /** There is something to replay, perhaps before what was replayed last. */
  wake(): void {
    const isIdle = !this.#isBusy && !this.#current && this.#chunk.length === 0;
    if (isIdle) this.#goOnBehind(0);
    else this.#isWoken = true;
    this.#hasMore = true;
  }

  /** These are stored as done. */
  saved(ids: readonly number[]): void {
    for (const id of ids) this.#saved.push(id);
  }

  /** Begins the next attempt if it may be made. */
  run(): void {
    if (this.#isBusy || this.#wait || this.#isClosed || !this.#owner.mayBegin()) return;
    const letter = this.#chunk.shift();
    if (letter) this.#attempt(letter);
    else if (this.#hasMore) void this.#read();
  }

  retryNow(): void {
    this.#wait?.cancel();
    this.#wait = undefined;
  }

  /** Holds no letters in memory for a while. */
  rest(): void {
    const next = this.#current?.id ?? this.#chunk[0]?.id;
    this.#chunk = [];
    if (next === undefined) return;
    this.#afterId = next - 1;
    this.#hasMore = true;
  }

  close(): void {
    this.#isClosed = true;
    this.retryNow();
    this.#chunk = [];
  }

  async #read(): Promise<void> {
    this.#isBusy = true;
    this.#hasMore = false;
    // What was saved before this read begins is in its answer only if it was marked again.
    for (const id of this.#saved) this.#done.delete(id);
    this.#saved = [];
    try {
      const letters = await this.#store.deadLetters(this.#key, { ...catchUpBounds, isReplaying: true }, this.#afterId);
      this.#chunk = letters.filter(({ id }) => !this.#done.has(id));
      const last = letters.at(-1);
      if (last) this.#goOnBehind(last.id);
      else if (this.#isWoken) this.#goOnBehind(0);
      if (!last) this.#isWoken = false;
      if (this.#current && this.#chunk[0]?.id !== this.#current.id) this.#current = undefined; // dropped meanwhile
    } catch (error) {
      this.#hasMore = true;
      const failed = toTodokuError(error);
      if (failed.code === "not_found") return; // the subscription is gone
      this.#owner.log.warn({ err: failed }, "dead letters cannot be read; it is tried again");
      this.#waitFor(readAgainMs);
    } finally {
      this.#isBusy = false;
    }
    this.#owner.run();
  }

  #goOnBehind(id: number): void {
    this.#afterId = id;
    this.#hasMore = true;
  }

  #attempt(letter: DeadLetter): void {
    const { id, topic, item } = letter;
    // What the history dropped had not been asked for its filter.
    if (letter.reason === "history" && !this.#owner.wants(item)) {
      void this.#drop(letter);
      return;
    }
    if (this.#current?.id !== id) this.#current = { id, tries: new Tries() };
    const { tries } = this.#current;
    this.#isBusy = true;
    this.#owner.attempt({ name: `replay ${id}`, topic, item, tries, isReplay: true }, (attempted) => {
      this.#isBusy = false;
      if (!this.#isClosed) this.#attempted(id, attempted);
    });
  }

  async #drop({ id }: DeadLetter): Promise<void> {
    this.#isBusy = true;
    try {
      await this.#store.drop(this.#key, id);
    } catch (error) {
      this.#owner.log.warn({ err: error }, "a dead letter cannot be dropped; it is tried again");
      this.rest();
      this.#goOnBehind(id - 1);
      this.#waitFor(readAgainMs);
    } finally {
      this.#isBusy = false;
    }
    this.#owner.run();
  }

  #attempted(id: number, attempted: Attempted): void {
    if (attempted.kind === "again" || attempted.kind === "held") {
      this.rest();
      if (attempted.kind === "again" && !this.#owner.isCircuitOpen) this.#waitFor(attempted.waitMs);
      return;
    }
    this.#current = undefined;
    this.#done.add(id);
    if (attempted.kind === "delivered") this.#owner.unsaved.replayed(id);
    else this.#owner.unsaved.failedReplay({ id, ...attempted.death });
  }

  #waitFor(waitMs: number): void {
    this.#wait = this.#owner.wheel.schedule(waitMs, () => {
      this.#wait = undefined;
      this.#owner.run();
    });
  }
}
