import type { Cursor, DeadLetter, DeliveryEntry, FailureEntry, SubscriptionChange, SubscriptionKey } from "./store.ts";

export type NewDeadLetter = Omit<DeadLetter, "id" | "isReplaying">;
export type FailedReplay = Pick<DeadLetter, "id" | "reason" | "diedAtMs" | "attempts" | "error" | "status">;

/** What happened to one subscription since it was saved. */
export class Unsaved {
  readonly #onChange: (items: number) => void;
  #deliveries: DeliveryEntry[] = [];
  #failures: FailureEntry[] = [];
  #dead: NewDeadLetter[] = [];
  #replayed: number[] = [];
  #failedReplays: FailedReplay[] = [];
  #missed = 0;
  #isChanged = false;
  /** Of changes that were taken, and are not saved yet. */
  #takenCount = 0;

  /** @param onChange there is one more change; `items`: deliveries and failures that were not taken to be saved. */
  constructor(onChange: (items: number) => void) {
    this.#onChange = onChange;
  }

  /** Deliveries and failures that a crash would forget. */
  get count(): number {
    return this.#takenCount + this.#untaken;
  }

  get #untaken(): number {
    return this.#deliveries.length + this.#failures.length;
  }

  delivery(entry: DeliveryEntry): void {
    this.#deliveries.push(entry);
    this.changed();
  }

  failure(entry: FailureEntry): void {
    this.#failures.push(entry);
    this.changed();
  }

  dead(letter: NewDeadLetter): void {
    this.#dead.push(letter);
    this.changed();
  }

  replayed(id: number): void {
    this.#replayed.push(id);
    this.changed();
  }

  failedReplay(replay: FailedReplay): void {
    this.#failedReplays.push(replay);
    this.changed();
  }

  missed(items: number): void {
    this.#missed += items;
    this.changed();
  }

  /** The cursor moved. */
  changed(): void {
    this.#isChanged = true;
    this.#onChange(this.#untaken);
  }

  /** All of it, to be saved with the cursor of this moment (none while it is being read); undefined when there is nothing. Tell `saved` in the end. */
  take(key: SubscriptionKey, cursor: Cursor | undefined): SubscriptionChange | undefined {
    if (!this.#isChanged) return undefined;
    const change: SubscriptionChange = {
      key,
      ...(cursor && { cursor }),
      deliveries: this.#deliveries,
      failures: this.#failures,
      dead: this.#dead,
      replayed: this.#replayed,
      failedReplays: this.#failedReplays,
      missed: this.#missed,
    };
    this.#takenCount += this.#untaken;
    this.#deliveries = [];
    this.#failures = [];
    this.#dead = [];
    this.#replayed = [];
    this.#failedReplays = [];
    this.#missed = 0;
    this.#isChanged = false;
    return change;
  }

  /** @returns the dead letters that no longer wait for their replay. */
  saved(change: SubscriptionChange): readonly number[] {
    this.#takenCount -= (change.deliveries?.length ?? 0) + (change.failures?.length ?? 0);
    return [...(change.replayed ?? []), ...(change.failedReplays ?? []).map(({ id }) => id)];
  }
}
