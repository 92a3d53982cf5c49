import type { Position } from "../topics/position.ts";
import type { TopicItem, TopicKey } from "../topics/store.ts";

/** Names what is stored of a subscription: the id of its record, which must exist. */
export interface SubscriptionKey {
  readonly environment: string;
  readonly id: number;
}

/** How far a subscription has come. */
export interface Cursor {
  /** The log that it reads: with the cache's incarnation. */
  readonly key: TopicKey;
  /** Items up to here were taken from the log. */
  readonly position: Position;
  /** Of those, the ones that are neither delivered nor dead, in order; at most `limits.webhook.pendingMax`. */
  readonly pending: readonly Position[];
}

/** One item that came to its end. Times are of the steady clock. */
export interface DeliveryEntry extends Position {
  readonly topic: string;
  readonly outcome: "delivered" | "dead";
  readonly atMs: number;
  readonly attempts: number;
  /** Of the last attempt; undefined when there was no answer. */
  readonly status: number | undefined;
  /** Of the last attempt. */
  readonly latencyMs: number;
  readonly isReplay: boolean;
}

/** One attempt that failed. */
export interface FailureEntry extends Position {
  readonly topic: string;
  readonly atMs: number;
  readonly attempt: number;
  readonly status: number | undefined;
  readonly latencyMs: number;
  readonly error: string;
  /** What the destination answered, see `Outcome`. */
  readonly answer: string | undefined;
}

/** Why an item is dead. `refused`: the destination said so. `deadline`: tried until then. `history`: the log could not keep it any longer. */
export type DeathReason = "refused" | "deadline" | "history";

/** An item that was not delivered, kept for a replay. */
export interface DeadLetter {
  /** Unique in the store, grows. */
  readonly id: number;
  readonly topic: string;
  readonly item: TopicItem;
  readonly reason: DeathReason;
  /** Of the steady clock. */
  readonly diedAtMs: number;
  readonly attempts: number;
  /** Of the last failure; "" when there was none. */
  readonly error: string;
  readonly status: number | undefined;
  /** It waits to be delivered again. */
  readonly isReplaying: boolean;
}

/** Sums since the subscription was made. */
interface SubscriptionCounters {
  readonly delivered: number;
  readonly failures: number;
  readonly dead: number;
  /** Dead letters that were delivered after all. */
  readonly replayed: number;
  /** Dead letters that were dropped: too old, too many, or because somebody said so. */
  readonly dropped: number;
  /** Items that a `memory` log, or one whose page ended, no longer had. */
  readonly missed: number;
}

/** All that is known without reading lists. */
export interface SubscriptionState {
  readonly cursor: Cursor;
  readonly counters: SubscriptionCounters;
  /** How many there are now, bytes of them, and how many of them wait for their replay. */
  readonly deadLetters: { readonly count: number; readonly bytes: number; readonly replaying: number };
}

/** What a subscription has to say; all of it is stored at once or not at all. */
export interface SubscriptionChange {
  readonly key: SubscriptionKey;
  readonly cursor?: Cursor;
  readonly deliveries?: readonly DeliveryEntry[];
  readonly failures?: readonly FailureEntry[];
  /** New ones. */
  readonly dead?: readonly Omit<DeadLetter, "id" | "isReplaying">[];
  /** Ids of dead letters that were delivered: they go. */
  readonly replayed?: readonly number[];
  /** Dead letters whose replay failed: they wait no longer, and say why. */
  readonly failedReplays?: readonly Pick<DeadLetter, "id" | "reason" | "diedAtMs" | "attempts" | "error" | "status">[];
  readonly missed?: number;
}

/** What upkeep found that an operator should hear of. */
export interface SubscriptionAlarm {
  readonly key: SubscriptionKey;
  /** Items that the log could not keep: they became dead letters. */
  readonly history: number;
  /** Dead letters that were dropped for their age or number. */
  readonly dropped: number;
}

/** What is kept of dead letters; see `limits.deadLetter` for the defaults. */
export interface DeadLetterBounds {
  /** Of one subscription. */
  readonly perWebhook: number;
  /** Of all of an environment, with 256 bytes for each. */
  readonly environmentMaxBytes: number;
  readonly keptMs: number;
}

/**
 * What an engine must do for durable subscriptions: cursors, what became of deliveries, dead letters. The laws are in store.contract.ts.
 *
 * The log of a `disk` topic drops no item that a cursor still needs (behind its position, or pending) without making a dead letter of it, reason
 * `history`, in the same transaction; the history's own bounds decide when. Such an item that was on its way, and comes to its end in a
 * `save` soon after, has no such dead letter any more. A flushed or deleted cache takes its items with it.
 * All that is stored under a subscription goes with its record, and with its environment. Of `deliveries` and `failures` the last
 * `limits.webhook.logMax` each are kept, of dead letters what `limits.deadLetter` allows: then the oldest go.
 */
export interface SubscriptionStore {
  /** Its state; made with `start` when there is none. @throws TodokuError `not_found` (no record with this id), `unavailable`. */
  open(key: SubscriptionKey, start: Cursor): Promise<SubscriptionState>;
  /** As last committed. @throws TodokuError `not_found`. */
  state(key: SubscriptionKey): Promise<SubscriptionState>;
  /** Stores all of it, or nothing. What belongs to a subscription that is gone is passed over. @throws TodokuError `unavailable`. */
  save(changes: readonly SubscriptionChange[]): Promise<void>;
  /** The newest first, at most `maxItems`, those before number `before` (of an earlier answer's last `number`). */
  deliveries(key: SubscriptionKey, maxItems: number, before?: number): Promise<readonly Numbered<DeliveryEntry>[]>;
  /** The same of attempts that failed. */
  failures(key: SubscriptionKey, maxItems: number, before?: number): Promise<readonly Numbered<FailureEntry>[]>;
  /** The oldest first, at most `maxItems`, and no more once `maxBytes` of values are reached (at least one if there is any); ids greater than `afterId`. */
  deadLetters(
    key: SubscriptionKey,
    bounds: { readonly maxItems: number; readonly maxBytes: number; readonly isReplaying?: true },
    afterId?: number,
  ): Promise<readonly DeadLetter[]>;
  /** The topics that its dead letters are of, each once. */
  deadTopics(key: SubscriptionKey): Promise<readonly string[]>;
  /** Marks one, or all there are, for a replay; answers how many were marked that were not before. */
  replay(key: SubscriptionKey, id: number | "all"): Promise<number>;
  /** Drops one, or all there are; answers how many. */
  drop(key: SubscriptionKey, id: number | "all"): Promise<number>;
  /** One bounded step of upkeep. `nowMs`: of the steady clock. Each alarm is told once. */
  trim(nowMs: number): Promise<{ readonly hasMore: boolean; readonly alarms: readonly SubscriptionAlarm[] }>;
}

/** `number` grows with each entry of its list and is never used twice. */
export type Numbered<T> = T & { readonly number: number };
