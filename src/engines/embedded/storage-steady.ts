import type { DatabaseSync, StatementSync } from "node:sqlite";
import { readMeta, writeMeta } from "./schema.ts";

const key = "steady_ms";
/** With a commit that changes something anyway. */
const withChangesMs = 1000;
/** Without one: what a kill -9 of an idle server can cost, for one small commit a minute. */
const withoutMs = 60_000;
/** As far back as the clock goes on from what is stored: see `ServerClock.resumeFrom`. */
const backMs = 24 * 60 * 60 * 1000;

/** Remembers in the file how far the steady clock has come. */
export class SteadyMark {
  readonly #db: DatabaseSync;
  readonly #changes: StatementSync;
  #stored: number;
  #changesSeen = 0;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#changes = db.prepare("SELECT total_changes() AS n");
    this.#stored = readMeta(db, key) ?? 0;
  }

  get storedMs(): number {
    return this.#stored;
  }

  /** Called inside each transaction, behind its work. */
  note(nowMs: number): void {
    if (!this.#isNews(nowMs, withChangesMs)) return;
    const changes = Number(this.#changes.get()?.n);
    if (changes === this.#changesSeen && !this.#isNews(nowMs, withoutMs)) return;
    this.write(nowMs);
    this.#changesSeen = Number(this.#changes.get()?.n);
  }

  /** Called inside the last transaction. */
  write(nowMs: number): void {
    if (!this.#isNews(nowMs, 0)) return;
    writeMeta(this.#db, key, nowMs);
    this.#stored = nowMs;
  }

  /** After a rollback. */
  reset(): void {
    this.#stored = readMeta(this.#db, key) ?? 0;
  }

  #isNews(nowMs: number, afterMs: number): boolean {
    return nowMs > this.#stored + afterMs || nowMs < this.#stored - backMs;
  }
}
