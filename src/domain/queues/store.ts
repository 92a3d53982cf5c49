import type { Attributes } from "../attributes.ts";
import type { TodokuError } from "../errors.ts";
import type { QueueKey } from "./queue.ts";

/** A message on its way into a queue. All times of queues are of the steady clock. */
export interface NewQueueMessage {
  readonly messageId: string;
  /** The sender chose the id: the same one within `limits.messageIdWindowMs` answers with the first result. */
  readonly isIdChosen: boolean;
  readonly body: string;
  readonly attributes: Attributes | undefined;
  /** Id of the user or the key that sent it; "" when it has none: the server itself, the empty credential. */
  readonly sender: string;
  /** Of AWS X-Ray. */
  readonly traceHeader: string | undefined;
  readonly sentAtMs: number;
  /** Not received before then; `sentAtMs` without a delay. */
  readonly readyAtMs: number;
}

/** What became of one message of a batch. `isRepeat`: its id was known, nothing was added. */
export type SendResult = { readonly messageId: string; readonly isRepeat: boolean } | TodokuError;

/** Where a dead letter comes from. */
export interface DeadLetterOrigin {
  readonly queue: string;
  readonly receiveCount: number;
  readonly movedAtMs: number;
}

/** A message as it lies in a queue. */
export interface QueueMessage {
  /** Grows with each message of the queue. */
  readonly sequence: number;
  readonly messageId: string;
  readonly body: string;
  readonly attributes: Attributes | undefined;
  readonly sender: string;
  readonly traceHeader: string | undefined;
  /** When it was first sent: a move to the dead letters or back keeps it. */
  readonly sentAtMs: number;
  /** How often it was received from this queue. */
  readonly receiveCount: number;
  readonly firstReceivedAtMs: number | undefined;
  readonly readyAtMs: number;
  /** Received, and neither deleted nor given back: until `readyAtMs` it is hidden from others. */
  readonly isTaken: boolean;
  readonly deadLetter: DeadLetterOrigin | undefined;
}

/** Names one receive of one message; `token` is random, of at most 48 bits, and new with each receive. */
export interface Receipt {
  readonly sequence: number;
  readonly token: number;
}

/** A message that was just received. */
export interface ReceivedMessage extends QueueMessage {
  readonly receipt: Receipt;
  /** When it had become ready: what `giveBack` puts it back to. */
  readonly wasReadyAtMs: number;
}

/** Past `maxReceives` receives a message moves to `key`. */
export interface DeadLetterRule {
  readonly key: QueueKey;
  readonly maxReceives: number;
}

/** What upkeep needs to know of a queue. */
export interface QueueRule {
  readonly key: QueueKey;
  readonly retentionMs: number;
  readonly deadLetter: DeadLetterRule | undefined;
}

/**
 * What became of a delete or a change of one receipt. `gone`: there is no such message (any more). `stale`: the message was received
 * again since; whoever has it now decides. `expired`: its time is over, though nobody received it again; only a change says that,
 * a delete still counts.
 */
export type ReceiptOutcome = "done" | "gone" | "stale" | "expired";

/** How much lies in a queue at a moment. */
export interface QueueCounts {
  /** Can be received now. */
  readonly ready: number;
  /** Sent with a delay that is not over. */
  readonly delayed: number;
  /** Received, hidden from others. */
  readonly inFlight: number;
  /** As the environment's budget counts them. */
  readonly bytes: number;
  /** When the oldest message came into this queue. */
  readonly oldestAtMs: number | undefined;
}

/**
 * What an engine must do for queues; everything is durable before it answers. The laws are in store.contract.ts.
 *
 * Messages are received in the order in which they became ready: sent, or delay over, or visibility over (in the same millisecond:
 * fewer receives first, then lower sequence). A queue that was
 * forgotten answers `not_found` to `send` and is empty for everything else. Unless the engine's disk fails, the methods throw nothing.
 */
export interface QueueStore {
  /** One result per message, in order. `limit_exceeded` when the environment's budget is used up. @throws TodokuError `unavailable`. */
  send(key: QueueKey, messages: readonly NewQueueMessage[]): Promise<readonly SendResult[]>;

  /**
   * Takes up to `maxMessages` that are ready, hides them until `hiddenUntilMs` and counts the receive. Messages past `deadLetter.maxReceives` move
   * instead; `deadLettered` says how many. `nextReadyAtMs`: when it is worth asking again, if fewer come than asked for
   * (undefined: when something is sent; `nowMs`: at once, the step was cut short). @throws TodokuError `limit_exceeded`: `limits.queue.inFlightMax` are taken.
   */
  receive(
    key: QueueKey,
    request: {
      readonly maxMessages: number;
      readonly nowMs: number;
      readonly hiddenUntilMs: number;
      readonly deadLetter: DeadLetterRule | undefined;
    },
  ): Promise<{
    readonly messages: readonly ReceivedMessage[];
    readonly deadLettered: number;
    readonly nextReadyAtMs: number | undefined;
  }>;

  /** The receive never happened: not counted, ready again in its old place. What is stale or gone is passed over. */
  giveBack(key: QueueKey, messages: readonly Pick<ReceivedMessage, "receipt" | "wasReadyAtMs">[]): Promise<void>;

  /** Deletes what the receipts name. Never `expired`. */
  delete(key: QueueKey, receipts: readonly Receipt[]): Promise<readonly ReceiptOutcome[]>;

  /** Hides each message until its `readyAtMs`, from now on; `readyAtMs <= nowMs` releases it. The receive stays counted. */
  changeVisibility(
    key: QueueKey,
    changes: readonly { readonly receipt: Receipt; readonly readyAtMs: number }[],
    nowMs: number,
  ): Promise<readonly ReceiptOutcome[]>;

  /** Looks without touching, in the order of `sequence`. At most `maxMessages`, and no more once `maxBytes` of bodies are reached. */
  peek(
    key: QueueKey,
    afterSequence: number,
    bounds: { readonly maxMessages: number; readonly maxBytes: number },
  ): Promise<readonly QueueMessage[]>;

  /**
   * Moves up to `maxMessages` that are not hidden (no delay, not taken), lowest sequence first, each to the queue named by its `deadLetter.queue`
   * if that is among `targets`, or all to `target`. They arrive ready, with no receives and no `deadLetter`. What has no target stays, and is
   * passed over. `moved`: how many went to which queue.
   */
  move(
    key: QueueKey,
    to: { readonly target: QueueKey } | { readonly targets: readonly QueueKey[] },
    request: { readonly maxMessages: number; readonly nowMs: number },
  ): Promise<ReadonlyMap<QueueKey, number>>;

  counts(key: QueueKey, nowMs: number): Promise<QueueCounts>;

  /** Forgets a queue's incarnation. Space is freed later. */
  forget(key: QueueKey): Promise<void>;

  /**
   * One bounded step of upkeep: drops what is past its retention, moves what is past its receives, frees forgotten queues and old message ids.
   * `deadLettered`: how many dead letters went to which queue. `expired`: how many messages of which queue were dropped.
   */
  trim(
    nowMs: number,
    rules: readonly QueueRule[],
  ): Promise<{
    readonly hasMore: boolean;
    readonly deadLettered: ReadonlyMap<QueueKey, number>;
    readonly expired: ReadonlyMap<QueueKey, number>;
  }>;
}
