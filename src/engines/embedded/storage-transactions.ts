import type { DatabaseSync, StatementSync } from "node:sqlite";
import { classifyFailure, type StorageFailure } from "./failures.ts";

/** What a transaction does beside its work. */
export interface TransactionHooks {
  /** Writes what memory gathered; runs inside the transaction. */
  flush(): void;
  /** Drops what memory gathered: the transaction never happened. */
  reset(): void;
  /** The file cannot be trusted, found out outside a transaction. */
  onFailed(failure: StorageFailure): void;
}

/** WAL pages (16 MiB) after which they are copied into the file. */
const checkpointPages = 4096;
/**
 * WAL pages (64 MiB) past which readers are waited for: under steady replays one of them always looks at the WAL, SQLite cannot
 * begin it anew, and it grew as long as they lasted (measured: 421 MB for 407 MB written).
 */
const restartPages = 4 * checkpointPages;
/** Longer than any answer of the reader thread takes; a backup takes minutes, and then the WAL has to grow. */
const restartWaitMs = 250;
const busyWaitMs = 10_000;
/** What a probe writes before writes are let in again: room for a batch, not for one last page. */
const probeBytes = 256 * 1024;
const pageBytes = 4096;

/** Transactions of the storage thread: all or nothing, and nothing any more after a failure that leaves the file in doubt. */
export class StorageTransactions {
  readonly #db: DatabaseSync;
  readonly #hooks: TransactionHooks;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  readonly #walSize: StatementSync;
  readonly #saveProbe: StatementSync;
  readonly #dropProbe: StatementSync;
  #failed: StorageFailure | undefined;
  #restartAtPages = restartPages;

  constructor(db: DatabaseSync, hooks: TransactionHooks) {
    this.#db = db;
    this.#hooks = hooks;
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#rollback = db.prepare("ROLLBACK");
    this.#walSize = db.prepare("PRAGMA wal_checkpoint(NOOP)");
    this.#saveProbe = db.prepare("INSERT INTO probe (value) VALUES (zeroblob(?))");
    this.#dropProbe = db.prepare("DELETE FROM probe");
  }

  /** Commits `work`, or undoes it and says why. */
  run(work: () => void): StorageFailure | undefined {
    if (this.#failed !== undefined) return this.#failed;
    try {
      this.#begin.run();
      work();
      this.#hooks.flush();
      this.#commit.run();
      return undefined;
    } catch (error) {
      return this.#undo(classifyFailure(error));
    }
  }

  /** Is there room again? If not, `makeRoom` drops what is too old, for the next probe: nothing else may while writes are refused. Each of them alone: one may need room itself. */
  probe(makeRoom: readonly (() => void)[]): StorageFailure | undefined {
    const failure = this.run(() => this.#saveProbe.run(probeBytes)) ?? this.run(() => this.#dropProbe.run());
    if (failure?.status === "refusing") for (const free of makeRoom) this.run(free);
    return failure;
  }

  /**
   * Copies the WAL into the file: `PASSIVE` when it has grown enough. Called after the answer, so that nobody waits for it. Lack
   * of room is not told here: nothing is lost, and the next commit tells it.
   */
  checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    if (this.#failed !== undefined) return;
    try {
      const size = this.#walSize.get();
      const pages = Number(size?.log);
      if (pages < restartPages) this.#restartAtPages = restartPages;
      if (mode === "TRUNCATE") this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      else if (pages >= this.#restartAtPages) this.#restartWal(pages);
      else if (pages - Number(size?.checkpointed) >= checkpointPages) this.#db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    } catch (error) {
      const failure = classifyFailure(error);
      if (failure.status !== "failed") return;
      this.#failed = failure;
      this.#hooks.onFailed(failure);
    }
  }

  limitFileBytes(maxFileBytes: number): void {
    this.#db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxFileBytes / pageBytes))}`);
  }

  close(): void {
    this.checkpoint("TRUNCATE");
    this.#db.close();
  }

  // Once in vain, the next try waits until the WAL has doubled.
  #restartWal(pages: number): void {
    this.#restartAtPages = 2 * pages;
    this.#db.exec(`PRAGMA busy_timeout = ${restartWaitMs}`);
    try {
      this.#db.exec("PRAGMA wal_checkpoint(RESTART)");
    } finally {
      this.#db.exec(`PRAGMA busy_timeout = ${busyWaitMs}`);
    }
  }

  #undo(failure: StorageFailure): StorageFailure {
    if (failure.status === "failed") {
      this.#failed = failure;
      return failure;
    }
    try {
      // SQLite itself rolls back on some errors, a full disk among them.
      if (this.#db.isTransaction) this.#rollback.run();
      this.#hooks.reset();
      return failure;
    } catch (error) {
      this.#failed = { ...classifyFailure(error), status: "failed" };
      return this.#failed;
    }
  }
}
