import type { DatabaseSync } from "node:sqlite";
import type { DeadLetter, DeadLetterBounds } from "../../domain/subscriptions/store.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** What a dead letter counts beside its value and attributes; `limits.deadLetter.environmentMaxBytes` says so. */
export const letterOverheadBytes = 256;

/** Rows freed in one step: about 5 ms, so that a commit behind it stays short. */
export const letterRows = 512;
/** A look at one environment costs about 10 us. */
const environmentsPerStep = 64;

/** Whose letters: the id of its record, and of its environment's entry. */
export interface LetterOwner {
  readonly id: number;
  readonly environment: number;
}

/** A letter that comes from the main thread, its attributes as JSON. */
export interface NewLetter extends Pick<DeadLetter, "topic" | "reason" | "diedAtMs" | "attempts" | "error"> {
  readonly status: number | null;
  readonly page: number;
  readonly sequence: number;
  readonly publishedAtMs: number;
  readonly isText: number;
  readonly tokenId: string;
  readonly attributes: string | null;
  readonly value: Uint8Array;
}

/** Rows of `dead_letters`, and the sums of them that subscriptions and environments keep. */
export interface DeadLetterRows {
  add(owner: LetterOwner, letters: readonly NewLetter[]): void;
  /** Counts rows that were added, and drops the oldest past the bounds: as many as were added, or a step of them. */
  added(owner: LetterOwner, letters: number, bytes: number): void;
  /** Frees those of `ids` that are there and belong to it; answers how many. */
  remove(owner: LetterOwner, ids: readonly number[]): number;
  /** Frees a step of them, oldest first; answers how many. */
  removeStep(owner: LetterOwner): number;
  /** One bounded step over what is too old or too much; answers whether there is more to do. */
  trim(nowMs: number): boolean;
}

type Row = Record<string, unknown>;

export function createDeadLetterRows(
  db: DatabaseSync,
  ledger: StorageLedger,
  bounds: DeadLetterBounds,
): DeadLetterRows {
  const insert = db.prepare(
    "INSERT INTO dead_letters (subscription, environment, bytes, is_replaying, reason, died_at_ms, attempts, error, status, topic, page, sequence, published_at_ms, is_text, token_id, attributes, value) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const columns = "id, subscription, environment, bytes, is_replaying, died_at_ms";
  const select = db.prepare(`SELECT ${columns} FROM dead_letters WHERE id = ? AND subscription = ?`);
  const oldest = db.prepare(`SELECT ${columns} FROM dead_letters WHERE subscription = ? ORDER BY id LIMIT ? + 0`);
  const oldestOfEnvironment = db.prepare(
    `SELECT ${columns} FROM dead_letters WHERE environment = ? ORDER BY died_at_ms, id LIMIT ? + 0`,
  );
  const nextEnvironment = db.prepare(
    "SELECT environment FROM dead_letters WHERE environment > ? ORDER BY environment LIMIT 1",
  );
  const drop = db.prepare("DELETE FROM dead_letters WHERE id = ?");
  const count = db.prepare(
    "UPDATE subscriptions SET dead_letters = dead_letters + ?, dead_letter_bytes = dead_letter_bytes + ?, replaying = replaying + ? WHERE id = ? RETURNING dead_letters",
  );
  const countDropped = db.prepare(
    "UPDATE subscriptions SET dropped = dropped + ?1, alarm_dropped = alarm_dropped + ?1 WHERE id = ?2",
  );
  let environmentCursor = -1;

  function account(owner: LetterOwner, letters: number, bytes: number, replaying: number): number {
    const usage = ledger.environmentById(owner.environment);
    usage.deadLetterBytes += bytes;
    ledger.touch(usage);
    return Number(count.get(letters, bytes, replaying, owner.id)?.dead_letters ?? 0);
  }

  /** Answers how many of each subscription went. */
  function free(rows: readonly Row[]): Map<number, number> {
    const sums = new Map<number, { owner: LetterOwner; letters: number; bytes: number; replaying: number }>();
    for (const row of rows) {
      const owner = { id: Number(row.subscription), environment: Number(row.environment) };
      const sum = sums.get(owner.id) ?? { owner, letters: 0, bytes: 0, replaying: 0 };
      sum.letters++;
      sum.bytes += Number(row.bytes);
      sum.replaying += Number(row.is_replaying);
      sums.set(owner.id, sum);
      drop.run(row.id as number);
    }
    for (const { owner, letters, bytes, replaying } of sums.values()) account(owner, -letters, -bytes, -replaying);
    return new Map([...sums].map(([id, { letters }]) => [id, letters]));
  }

  function dropPastBounds(rows: readonly Row[]): number {
    for (const [id, letters] of free(rows)) countDropped.run(letters, id);
    return rows.length;
  }

  function trimEnvironment(environment: number, oldAtMs: number, maxRows: number): number {
    const tooOld: Row[] = [];
    let over = ledger.environmentById(environment).deadLetterBytes - bounds.environmentMaxBytes;
    for (const row of oldestOfEnvironment.iterate(environment, maxRows)) {
      if (over <= 0 && Number(row.died_at_ms) > oldAtMs) break;
      over -= Number(row.bytes);
      tooOld.push(row);
    }
    return dropPastBounds(tooOld);
  }

  function added(owner: LetterOwner, letters: number, bytes: number): void {
    if (letters === 0) return;
    const excess = account(owner, letters, bytes, 0) - bounds.perWebhook;
    const maxRows = Math.max(letters, letterRows);
    if (excess > 0) dropPastBounds(oldest.all(owner.id, Math.min(excess, maxRows)));
    trimEnvironment(owner.environment, Number.NEGATIVE_INFINITY, maxRows);
  }

  return {
    added,
    add(owner, letters) {
      let sum = 0;
      for (const one of letters) {
        const bytes = one.value.byteLength + (one.attributes?.length ?? 0) + letterOverheadBytes;
        sum += bytes;
        const death = [one.reason, one.diedAtMs, one.attempts, one.error, one.status];
        const place = [one.topic, one.page, one.sequence, one.publishedAtMs];
        insert.get(
          owner.id,
          owner.environment,
          bytes,
          ...death,
          ...place,
          one.isText,
          one.tokenId,
          one.attributes,
          one.value,
        );
      }
      added(owner, letters.length, sum);
    },
    remove(owner, ids) {
      const rows = new Map<number, Row>();
      for (const id of ids) {
        const row = select.get(id, owner.id);
        if (row !== undefined) rows.set(id, row);
      }
      free([...rows.values()]);
      return rows.size;
    },
    removeStep(owner) {
      const rows = oldest.all(owner.id, letterRows);
      free(rows);
      return rows.length;
    },
    trim(nowMs) {
      for (let step = 0; step < environmentsPerStep; step++) {
        const next = nextEnvironment.get(environmentCursor);
        environmentCursor = next === undefined ? -1 : Number(next.environment);
        if (next === undefined) return false;
        if (trimEnvironment(environmentCursor, nowMs - bounds.keptMs, letterRows) < letterRows) continue;
        environmentCursor--;
        return true;
      }
      return true;
    },
  };
}
