import { attributeBytes } from "../attributes.ts";
import { limits } from "../limits.ts";
import type { Cursor, DeadLetter, DeliveryEntry, FailureEntry, SubscriptionChange, SubscriptionKey } from "./store.ts";

export type NewDeadLetter = Omit<DeadLetter, "id" | "isReplaying">;
export type FailedReplay = Pick<DeadLetter, "id" | "reason" | "diedAtMs" | "attempts" | "error" | "status">;

const { saveMaxItems, saveMaxBytes } = limits.webhook;
/** A crash forgets that so many were passed over: to look at them again costs less than to store it of each. */
const saveMaxPassed = limits.subscription.passedPerTurn;

/** How soon a change should be saved. `later`: with the next upkeep, within a second. `soon`: within `limits.webhook.saveMs`. */
export type Urgency = "later" | "soon" | "now";

/** What happened to one subscription since it was saved. */
export class Unsaved {
  readonly #onChange: (urgency: Urgency) => void;
  #deliveries: DeliveryEntry[] = [];
  #failures: FailureEntry[] = [];
  #dead: NewDeadLetter[] = [];
  #replayed: number[] = [];
  #failedReplays: FailedReplay[] = [];
  #missed = 0;
  #passed = 0;
  #isChanged = false;
  /** Bytes of the dead letters. */
  #deadBytes = 0;
  /** Of changes that were taken, and are not saved yet. */
  #takenCount = 0;
  #takenBytes = 0;

  /** @param onChange there is one more change; `now`: half of what may wait does, so a save should not. */
  constructor(onChange: (urgency: Urgency) => void) {
    this.#onChange = onChange;
  }

  /** As many deliveries and failures as a crash may forget, or as many bytes of dead letters as may lie in memory. */
  get isFull(): boolean {
    return this.#takenCount + this.#untaken >= saveMaxItems || this.#takenBytes + this.#deadBytes >= saveMaxBytes;
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
    this.#deadBytes += bytesOf(letter);
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

  /** The cursor moved past items that nobody wants: no write for each. */
  passed(items: number): void {
    this.#passed += items;
    this.#isChanged = true;
    this.#onChange(this.#passed >= saveMaxPassed ? "soon" : "later");
  }

  /** The cursor moved. */
  changed(): void {
    this.#isChanged = true;
    const isUrgent = this.#untaken >= saveMaxItems / 2 || this.#deadBytes >= saveMaxBytes / 2;
    this.#onChange(isUrgent ? "now" : "soon");
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
    this.#takenBytes += this.#deadBytes;
    this.#deadBytes = 0;
    this.#deliveries = [];
    this.#failures = [];
    this.#dead = [];
    this.#replayed = [];
    this.#failedReplays = [];
    this.#missed = 0;
    this.#passed = 0;
    this.#isChanged = false;
    return change;
  }

  /** @returns the dead letters that no longer wait for their replay. */
  saved(change: SubscriptionChange): readonly number[] {
    this.#takenCount -= (change.deliveries?.length ?? 0) + (change.failures?.length ?? 0);
    this.#takenBytes -= deadBytesOf(change);
    return [...(change.replayed ?? []), ...(change.failedReplays ?? []).map(({ id }) => id)];
  }
}

/** Bytes of the dead letters in it. */
export function deadBytesOf({ dead = [] }: SubscriptionChange): number {
  return dead.reduce((sum, letter) => sum + bytesOf(letter), 0);
}

function bytesOf({ item }: NewDeadLetter): number {
  return item.value.bytes.byteLength + attributeBytes(item.attributes);
}
