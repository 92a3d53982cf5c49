import { limits } from "../limits.ts";
import type { SharedMessage } from "./connection.ts";
import type { Populations, User } from "./users.ts";

/** A message that waits for a user to come back. */
export interface Holding {
  readonly user: User;
  readonly message: SharedMessage;
}

/** What an entry takes beside its message's text. */
const entryBytes = 100;

/** Messages for users who lost their last connection a moment ago. Past a bound the oldest go, as if their user were OFFLINE already. */
export class HeldMessages {
  readonly #populations: Populations;
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #all = new Set<Holding>();
  #bytes = 0;

  constructor(populations: Populations, maxBytes: number = limits.connection.heldMaxBytes) {
    this.#populations = populations;
    this.#maxBytes = maxBytes;
  }

  hold(user: User, message: SharedMessage): void {
    const holding = { user, message };
    user.held ??= [];
    user.held.push(holding);
    this.#all.add(holding);
    // One text for many users lies in memory once.
    this.#bytes += entryBytes + (message.holders++ === 0 ? message.bytes : 0);
    this.#count(user, "held", 1);
    let ofUser = user.held.reduce((sum, held) => sum + entryBytes + held.message.bytes, 0);
    while (ofUser > limits.connection.heldUserMaxBytes && user.held.length > 1) {
      const oldest = user.held[0] as Holding;
      ofUser -= entryBytes + oldest.message.bytes;
      this.#giveUp(oldest);
    }
    while (this.#bytes > this.#maxBytes && this.#all.size > 1) {
      const [oldest] = this.#all;
      this.#giveUp(oldest as Holding);
    }
  }

  /** Gives them to `take`, oldest first, until it does not take one. */
  handOver(user: User, take: (message: SharedMessage) => boolean): void {
    for (const holding of user.held ?? []) {
      if (!take(holding.message)) return;
      this.#remove(holding);
    }
  }

  /** The user is OFFLINE: whoever cares for that is told. */
  giveUpOf(user: User): void {
    for (const holding of user.held ?? []) this.#giveUp(holding);
  }

  /** Nobody cares any more. */
  drop(user: User): void {
    for (const holding of user.held ?? []) this.#remove(holding);
  }

  #giveUp(holding: Holding): void {
    const { user, message } = holding;
    this.#remove(holding);
    this.#count(user, "undelivered", 1);
    message.onOffline?.(user.userId);
  }

  #remove(holding: Holding): void {
    const { user, message } = holding;
    this.#all.delete(holding);
    this.#bytes -= entryBytes + (--message.holders === 0 ? message.bytes : 0);
    this.#count(user, "held", -1);
    const left = user.held?.filter((one) => one !== holding) ?? [];
    user.held = left.length === 0 ? undefined : left;
  }

  #count({ environment }: User, what: "held" | "undelivered", by: number): void {
    const population = this.#populations.find(environment);
    if (population) population.stats[what] += by;
  }
}
