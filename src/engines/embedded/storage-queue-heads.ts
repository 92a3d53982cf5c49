import type { DatabaseSync, StatementSync } from "node:sqlite";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { EnvironmentUsage, StorageLedger } from "./storage-ledger.ts";

/** A queue's counters in the storage thread. What follows `taken` lies in memory only. */
export interface QueueHead {
  /** The short number under which its rows lie. */
  readonly queue: number;
  readonly queueId: number;
  readonly environment: EnvironmentUsage;
  /** The sequence of the next message. */
  next: number;
  messages: number;
  bytes: number;
  /** Messages with a receive, hidden or visible again. */
  taken: number;
  /** How many of them were visible again at `countedAtMs`, by what is known of their changes since. */
  visibleAgain: number;
  countedAtMs: number;
  /** No message that became ready up to here has `scannedReceives` or more. */
  scannedUntilMs: number;
  scannedReceives: number;
}

/** What of a message's row the counters depend on. */
export interface MessageState {
  readonly readyAtMs: number;
  readonly receives: number;
}

/** Heads kept in memory, about 300 bytes each; a queue that is not among them costs one SELECT. */
const maxCachedHeads = 10_000;
/** Queues a file can hold at a time: the upper 19 bits of `queue_messages.row`. */
const maxQueues = 2 ** 19;
/** At the in-flight bound each receive would count, 5 ms for 120,000 messages: that long a count is taken for true. */
const countEveryMs = 100;

/** Reads heads from the file when they are first used, and writes back those that moved. */
export class QueueHeads {
  readonly #db: DatabaseSync;
  readonly #ledger: StorageLedger;
  readonly #byId = new Map<number, QueueHead>();
  readonly #moved = new Set<QueueHead>();
  readonly #select: StatementSync;
  readonly #update: StatementSync;
  readonly #countHidden: StatementSync;

  constructor(db: DatabaseSync, ledger: StorageLedger) {
    this.#db = db;
    this.#ledger = ledger;
    this.#select = db.prepare("SELECT * FROM queues WHERE queue_id = ?");
    this.#update = db.prepare("UPDATE queues SET next = ?, messages = ?, bytes = ?, taken = ? WHERE queue = ?");
    this.#countHidden = db.prepare(
      "SELECT count(*) AS n FROM queue_messages WHERE queue = ? AND ready_at_ms > ? AND receives > 0",
    );
  }

  /** The head of a queue that exists and was sent to. */
  live(queueId: number): QueueHead | undefined {
    return this.#ledger.isLive(queueId, "messages") ? this.byId(queueId) : undefined;
  }

  /** The head of a queue that is about to get a message; made when there is none. The queue must be live. */
  open(environment: string, queueId: number): QueueHead {
    return this.byId(queueId) ?? this.#create(environment, queueId);
  }

  byId(queueId: number): QueueHead | undefined {
    const known = this.#byId.get(queueId);
    if (known !== undefined) return known;
    const row = this.#select.get(queueId);
    return row === undefined ? undefined : this.#remember(row);
  }

  /** Counts a message that came (no `before`), went (no `after`) or changed. */
  note(head: QueueHead, bytes: number, before: MessageState | undefined, after: MessageState | undefined): void {
    const step = Number(after !== undefined) - Number(before !== undefined);
    head.messages += step;
    head.bytes += step * bytes;
    if (before !== undefined) this.#noteTaken(head, before, -1);
    if (after !== undefined) this.#noteTaken(head, after, 1);
    this.#moved.add(head);
    if (step === 0) return;
    head.environment.queueBytes += step * bytes;
    this.#ledger.touch(head.environment);
  }

  /** How many messages are received and hidden: exact near the bound, but for what became visible in the last 100 ms; less exact, and too many, below it. */
  inFlight(head: QueueHead, nowMs: number): number {
    const known = head.taken - head.visibleAgain;
    if (known < limits.queue.inFlightMax || Math.abs(nowMs - head.countedAtMs) < countEveryMs) return known;
    const hidden = Number(this.#countHidden.get(head.queue, nowMs)?.n);
    head.visibleAgain = head.taken - hidden;
    head.countedAtMs = nowMs;
    return hidden;
  }

  /** After its last row is gone. */
  drop(head: QueueHead): void {
    this.#byId.delete(head.queueId);
    this.#moved.delete(head);
  }

  flush(): void {
    for (const head of this.#moved) this.#update.run(head.next, head.messages, head.bytes, head.taken, head.queue);
    this.#moved.clear();
    // Nothing has moved now, so any may go: the oldest loaded first.
    for (const head of this.#byId.values()) {
      if (this.#byId.size <= maxCachedHeads) break;
      this.drop(head);
    }
  }

  clear(): void {
    this.#byId.clear();
    this.#moved.clear();
  }

  #noteTaken(head: QueueHead, { readyAtMs, receives }: MessageState, step: 1 | -1): void {
    if (receives === 0) return;
    head.taken += step;
    if (readyAtMs <= head.countedAtMs) head.visibleAgain += step;
    if (step === 1 && readyAtMs <= head.scannedUntilMs) head.scannedUntilMs = readyAtMs - 1;
  }

  #create(environmentName: string, queueId: number): QueueHead {
    const environment = this.#ledger.environment(environmentName).id;
    const queue = this.#freeNumber();
    this.#db
      .prepare(
        "INSERT INTO queues (queue, environment, queue_id, next, messages, bytes, taken) VALUES (?, ?, ?, 1, 0, 0, 0)",
      )
      .run(queue, environment, queueId);
    return this.#remember({ queue, environment, queue_id: queueId, next: 1, messages: 0, bytes: 0, taken: 0 });
  }

  // The numbers of queues that are gone are used again once the last one was given.
  #freeNumber(): number {
    const next = Number(this.#db.prepare("SELECT coalesce(max(queue), 0) + 1 AS n FROM queues").get()?.n);
    if (next < maxQueues) return next;
    const gap = this.#db
      .prepare(
        "SELECT queue + 1 AS n FROM (SELECT 0 AS queue UNION ALL SELECT queue FROM queues) AS one WHERE NOT EXISTS (SELECT 1 FROM queues WHERE queue = one.queue + 1) ORDER BY queue LIMIT 1",
      )
      .get();
    if (Number(gap?.n) < maxQueues) return Number(gap?.n);
    throw new TodokuError("limit_exceeded", `the data file holds ${maxQueues} queues`);
  }

  #remember(row: Record<string, unknown>): QueueHead {
    const head: QueueHead = {
      queue: Number(row.queue),
      queueId: Number(row.queue_id),
      environment: this.#ledger.environmentById(Number(row.environment)),
      next: Number(row.next),
      messages: Number(row.messages),
      bytes: Number(row.bytes),
      taken: Number(row.taken),
      visibleAgain: 0,
      countedAtMs: 0,
      scannedUntilMs: 0,
      scannedReceives: 0,
    };
    this.#byId.set(head.queueId, head);
    return head;
  }
}
