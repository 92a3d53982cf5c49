import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { FieldReader, FieldWriter, type Packed } from "./fields.ts";

/** One operation on its way to the storage thread. */
export interface WriteOperation<T> {
  /** The name under which the storage thread knows it. */
  readonly name: string;
  /** Items and bytes it adds to a batch. */
  readonly items: number;
  readonly bytes: number;
  encode(op: FieldWriter): void;
  /** Reads its part of the batch's answer; a thrown TodokuError is this operation's own failure. */
  decode(answer: FieldReader): T;
  /** Called once it is committed, before the caller hears of it and in the order of commits. */
  apply?(result: T): void;
}

interface Waiting {
  readonly operation: WriteOperation<unknown>;
  resolve(result: unknown): void;
  reject(error: TodokuError): void;
}

/**
 * Group commit: what arrives while a batch commits is the next batch. A first operation leaves at the end of the tick, so that
 * all operations of one input chunk share a commit.
 */
export class WriteQueue {
  readonly #post: (batch: Packed) => void;
  #waiting: Waiting[] = [];
  #inFlight: Waiting[] = [];
  #refusal: TodokuError | undefined;
  #isScheduled = false;
  #idle: (() => void) | undefined;
  /** Waiting and in flight. */
  pendingItems = 0;
  pendingBytes = 0;
  commits = 0;
  operations = 0;
  lastCommitMs = 0;

  constructor(post: (batch: Packed) => void) {
    this.#post = post;
  }

  /** Resolves when the operation is durable. @throws TodokuError `unavailable` when the queue is full or refusing. */
  submit<T>(operation: WriteOperation<T>): Promise<T> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    const isFull =
      this.pendingItems + operation.items > limits.pendingMaxItems ||
      this.pendingBytes + operation.bytes > limits.pendingMaxBytes;
    if (isFull && this.pendingItems > 0) {
      const text = `${this.pendingItems} writes (${this.pendingBytes} bytes) wait for the disk already`;
      return Promise.reject(new TodokuError("unavailable", text, { subject: "pending" }));
    }
    this.pendingItems += operation.items;
    this.pendingBytes += operation.bytes;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ operation, resolve: resolve as (result: unknown) => void, reject });
      this.#schedule();
    });
  }

  /** The storage thread committed the batch in flight. */
  committed(packed: Packed, commitMs: number): void {
    const batch = this.#inFlight;
    this.#inFlight = [];
    this.commits++;
    this.operations += batch.length;
    this.lastCommitMs = commitMs;
    const answer = new FieldReader(packed);
    for (const waiting of batch) this.#settle(waiting, answer);
    // The callers run first (microtasks), then what they wrote leaves with what was waiting.
    if (this.#waiting.length > 0) this.#schedule();
    else this.#idle?.();
  }

  /** The batch in flight was rolled back. */
  failBatch(error: TodokuError): void {
    const batch = this.#inFlight;
    this.#inFlight = [];
    this.#rejectAll(batch, error);
    if (this.#waiting.length > 0) this.#schedule();
    else this.#idle?.();
  }

  /** Answers everything in flight and behind it with `error`, and every new write too, until {@link accept}. */
  refuse(error: TodokuError): void {
    const batch = this.#inFlight;
    this.#inFlight = [];
    this.#rejectAll(batch, error);
    this.refuseWaiting(error);
  }

  /** The same for all but the batch in flight, whose outcome somebody else will tell. */
  refuseWaiting(error: TodokuError): void {
    this.#refusal = error;
    const behind = this.#waiting;
    this.#waiting = [];
    this.#rejectAll(behind, error);
    if (this.#inFlight.length === 0) this.#idle?.();
  }

  accept(): void {
    this.#refusal = undefined;
  }

  /** New writes get `error`; resolves when all accepted ones are settled. */
  drain(error: TodokuError): Promise<void> {
    this.#refusal ??= error;
    if (this.#waiting.length + this.#inFlight.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  #settle(waiting: Waiting, answer: FieldReader): void {
    const { operation } = waiting;
    this.#release(operation);
    try {
      const result = operation.decode(answer);
      operation.apply?.(result);
      waiting.resolve(result);
    } catch (error) {
      waiting.reject(error as TodokuError);
    }
  }

  #release(operation: WriteOperation<unknown>): void {
    this.pendingItems -= operation.items;
    this.pendingBytes -= operation.bytes;
  }

  #rejectAll(all: readonly Waiting[], error: TodokuError): void {
    for (const waiting of all) {
      this.#release(waiting.operation);
      waiting.reject(error);
    }
  }

  #schedule(): void {
    if (this.#isScheduled || this.#inFlight.length > 0) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#inFlight.length > 0 || this.#waiting.length === 0) return;
    let [count, items, bytes] = [0, 0, 0];
    for (const { operation } of this.#waiting) {
      items += operation.items;
      bytes += operation.bytes;
      if (count > 0 && (items > limits.batchMaxItems || bytes > limits.batchMaxBytes)) break;
      count++;
    }
    this.#inFlight = this.#waiting.splice(0, count);
    const batch = new FieldWriter();
    for (const { operation } of this.#inFlight) {
      batch.put(operation.name);
      operation.encode(batch);
    }
    this.#post(batch.finish());
  }
}

/** Reads an operation's own verdict. @throws TodokuError when it is not `ok`. */
export function readVerdict(answer: FieldReader): void {
  const code = answer.text();
  if (code === "ok") return;
  throw new TodokuError(code as TodokuError["code"], answer.text());
}
