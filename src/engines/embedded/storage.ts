import { statSync } from "node:fs";
import type { Worker } from "node:worker_threads";
import { TodokuError } from "../../domain/errors.ts";
import type { DeadLetterBounds } from "../../domain/subscriptions/store.ts";
import type { HistoryBounds } from "../../domain/topics/store.ts";
import { databasePath, lockDataDirectory, prepareDataDirectory } from "./data-directory.ts";
import type { StorageFailure } from "./failures.ts";
import { Health } from "./health.ts";
import { ReadQueue } from "./read-queue.ts";
import type { RecordRow, StorageAnswer, StorageRequest, StorageThreadData } from "./storage-thread.ts";
import { startThread } from "./threads.ts";
import { WriteQueue } from "./write-queue.ts";

/** How to open a {@link Storage}. */
export interface StorageOptions {
  readonly dataDir: string;
  readonly wallMs: () => number;
  readonly steadyMs: () => number;
  readonly history: HistoryBounds;
  readonly itemsEnvironmentMaxBytes: number;
  readonly queuesEnvironmentMaxBytes: number;
  readonly deadLetters: DeadLetterBounds;
  readonly synchronous: "FULL" | "OFF";
  readonly log: (message: string) => void;
}

type Opened = Extract<StorageAnswer, { kind: "opened" }>;

/** How often a refusing storage is asked whether there is room again. */
const probeEveryMs = 1000;

/** One data directory, open: the lock, the storage thread, the reader thread, and what all handles over it share. */
export class Storage {
  readonly health = new Health();
  readonly writes: WriteQueue;
  readonly reads: ReadQueue;
  readonly openedRecords: readonly RecordRow[];
  readonly openedForgotten: Opened["forgotten"];
  /** No topic goes on in a page below this: the file was a backup. */
  readonly pageFloor: number;
  /** Greater than every id that was given before this start. */
  readonly startId: number;
  /** The steady time of the last commits before this start; 0: none is known. */
  readonly lastSteadyMs: number;
  /** @internal Tests end it to see what a dead thread does. */
  readonly writer: Worker;
  /** @internal The same. */
  readonly reader: Worker;
  readonly #options: StorageOptions;
  readonly #unlock: () => void;
  #probeTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    options: StorageOptions,
    unlock: () => void,
    threads: { writer: Worker; reader: Worker },
    opened: Opened,
  ) {
    this.#options = options;
    this.#unlock = unlock;
    this.writer = threads.writer;
    this.reader = threads.reader;
    this.openedRecords = opened.records;
    this.pageFloor = opened.pageFloor;
    this.openedForgotten = opened.forgotten;
    this.startId = opened.startId;
    this.lastSteadyMs = opened.lastSteadyMs;
    this.writes = new WriteQueue((batch) =>
      this.#send({ kind: "batch", batch, nowMs: options.steadyMs() }, [batch.bytes]),
    );
    this.reads = new ReadQueue(threads.reader, (failure) => {
      if (failure.status === "failed") this.#fail(failure.message);
    });
    this.writer.on("message", (answer: StorageAnswer) => this.#onAnswer(answer));
    this.#watch(threads.writer, (reason) => this.writes.refuse(refusal(reason)));
    this.#watch(threads.reader, (reason) => this.reads.refuse(unreadable(reason)));
  }

  /** @throws TodokuError `failed_precondition`: in use, or written by a newer program; `unavailable`: the file cannot be opened. */
  static async open(options: StorageOptions): Promise<Storage> {
    const { dataDir, history, itemsEnvironmentMaxBytes, queuesEnvironmentMaxBytes, deadLetters, synchronous } = options;
    prepareDataDirectory(dataDir);
    const unlock = lockDataDirectory(dataDir, options.wallMs());
    const path = databasePath(dataDir);
    const threads: Worker[] = [];
    try {
      const data: StorageThreadData = {
        path,
        nowMs: options.wallMs(),
        history,
        itemsEnvironmentMaxBytes,
        queuesEnvironmentMaxBytes,
        deadLetters,
        synchronous,
      };
      const writer = startThread("storage-thread", data);
      threads.push(writer);
      const opened = await firstMessage<StorageAnswer>(writer);
      if (opened.kind !== "opened") {
        const { code, message } = (opened as Extract<StorageAnswer, { kind: "failed" }>).failure;
        throw new TodokuError(code, `${path}: ${message}`);
      }
      const reader = startThread("reader-thread", { path });
      threads.push(reader);
      await firstMessage(reader);
      // Nobody would hear of an end before the constructor listens: its writes would wait for ever.
      if (writer.threadId === -1) throw new TodokuError("unavailable", "a storage thread ended while it started");
      return new Storage(options, unlock, { writer, reader }, opened);
    } catch (error) {
      await Promise.all(threads.map((thread) => thread.terminate()));
      unlock();
      throw error;
    }
  }

  /** The file may not grow past this; then writes are refused as on a full disk. */
  limitFileBytes(maxFileBytes: number): void {
    this.#send({ kind: "limit", maxFileBytes });
  }

  walBytes(): number {
    return statSync(`${databasePath(this.#options.dataDir)}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Lets accepted writes commit, then ends the threads and frees the directory. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new TodokuError("unavailable", "the storage is closed");
    await this.writes.drain(closed);
    clearInterval(this.#probeTimer);
    this.reads.refuse(closed);
    await endThread(this.reader, () => this.reader.postMessage("close"));
    await endThread(this.writer, () => this.#send({ kind: "close", nowMs: this.#options.steadyMs() }));
    this.#unlock();
  }

  #send(request: StorageRequest, transfer: ArrayBuffer[] = []): void {
    this.writer.postMessage(request, transfer);
  }

  /** `refuse` answers what the thread will not answer any more. */
  #watch(thread: Worker, refuse: (reason: string) => void): void {
    const ended = (reason: string) => {
      refuse(reason);
      this.#fail(reason);
    };
    thread.on("error", (error) => ended(`a storage thread died: ${error.message}`));
    thread.on("exit", () => ended("a storage thread ended"));
  }

  #onAnswer(answer: StorageAnswer): void {
    if (answer.kind === "committed") this.writes.committed(answer.answer, answer.commitMs);
    else if (answer.kind === "failed") this.#onFailure(answer.failure);
    else if (answer.kind === "probed") this.#onProbed(answer.failure);
  }

  #onFailure(failure: StorageFailure): void {
    if (failure.status === "failed") {
      this.writes.refuse(refusal(failure.message));
      this.#fail(failure.message);
    } else if (failure.status === "refusing") {
      this.#refuse(failure.message);
    } else {
      this.#options.log(`storage: a batch was rolled back: ${failure.message}`);
      this.writes.failBatch(refusal(failure.message));
    }
  }

  #refuse(reason: string): void {
    this.writes.refuse(refusal(reason));
    this.#options.log(`storage refuses writes: ${reason}`);
    this.health.change("refusing", reason);
    this.#probeTimer ??= setInterval(
      () => this.#send({ kind: "probe", nowMs: this.#options.steadyMs() }),
      probeEveryMs,
    ).unref();
  }

  #onProbed(failure: StorageFailure | undefined): void {
    if (failure?.status === "failed") this.#fail(failure.message);
    if (failure !== undefined || this.health.current.status !== "refusing") return;
    clearInterval(this.#probeTimer);
    this.#probeTimer = undefined;
    if (this.#closing === undefined) this.writes.accept();
    this.#options.log("storage takes writes again");
    this.health.change("open", undefined);
  }

  // A batch in flight is still answered, by the storage thread or by its end: it may be on disk when the reader fails.
  #fail(reason: string): void {
    if (this.health.current.status === "failed") return;
    clearInterval(this.#probeTimer);
    this.writes.refuseWaiting(refusal(reason));
    if (this.#closing !== undefined) return;
    this.#options.log(`storage failed: ${reason}`);
    this.health.change("failed", reason);
  }
}

/** What a caller hears: the reason stays in the log. */
function refusal(reason: string): TodokuError {
  return new TodokuError("unavailable", "the storage takes no writes now", { cause: new Error(reason) });
}

function unreadable(reason: string): TodokuError {
  return new TodokuError("unavailable", "the storage cannot be read", { cause: new Error(reason) });
}

function firstMessage<T>(thread: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", () => reject(new TodokuError("unavailable", "a storage thread ended while it started")));
  });
}

function endThread(thread: Worker, ask: () => void): Promise<void> {
  if (thread.threadId === -1) return Promise.resolve();
  return new Promise((resolve) => {
    thread.once("exit", () => resolve());
    ask();
  });
}
