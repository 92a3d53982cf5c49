import type { DatabaseSync } from "node:sqlite";
import { comparePositions, type Position } from "../../domain/topics/position.ts";
import { parsePending } from "./pending.ts";
import { type DeadLetterRows, type LetterOwner, letterOverheadBytes } from "./storage-dead-letters.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** What a dead letter says that was never tried. */
const historyError = "the history could not keep it any longer";

/** Items made dead letters lately, about 150 bytes each: many times what all subscriptions that fall behind have on their way. */
const maxRecent = 65_536;

/** The subscriptions that still need some of a topic's items. */
export interface Followers {
  /** How many of them need the item. */
  countNeeding(position: Position): number;
  /** Makes dead letters of what they need up to `last`; the items go in the same transaction. */
  bury(last: Position): void;
  /** Counts what they need up to `last` as dead letters that were dropped at once: there is no time to make them. */
  lose(last: Position): void;
}

/** Makes dead letters of items that the history drops while a cursor needs them. */
export interface Burial {
  /** Those of a topic that lives; undefined when there is none. */
  followersOf(topic: { readonly id: number; readonly cacheId: number }): Followers | undefined;
  /** The dead letter that was lately made of an item; asked once. `place`: topic, page, sequence. */
  takeBack(subscription: number, place: readonly unknown[]): number | undefined;
  /** After a rollback. */
  reset(): void;
}

interface Follower {
  readonly owner: LetterOwner;
  /** Needed: what is behind it, and what is `pending`. */
  readonly after: Position;
  readonly pending: readonly Position[];
  readonly pendingTexts: ReadonlySet<string>;
}

/** `nowMs`: of the steady clock. */
export function createBurial(
  db: DatabaseSync,
  ledger: StorageLedger,
  letters: DeadLetterRows,
  nowMs: () => number,
): Burial {
  const isAnyone = db.prepare("SELECT 1 FROM subscriptions LIMIT 1");
  const select = db.prepare(
    "SELECT subscriptions.id, subscriptions.environment, subscriptions.page, subscriptions.sequence, pending FROM topics JOIN subscriptions ON subscriptions.cache_id = topics.cache_id AND subscriptions.topic = topics.name WHERE topics.id = ?",
  );
  const bury = db.prepare(
    `INSERT INTO dead_letters (subscription, environment, bytes, is_replaying, reason, died_at_ms, attempts, error, status, topic, page, sequence, published_at_ms, is_text, token_id, attributes, value)
    SELECT ?1, ?2, bytes + ${letterOverheadBytes}, 0, 'history', ?3, 0, '${historyError}', NULL, (SELECT name FROM topics WHERE id = ?4), page, sequence, published_at_ms, is_text, token_id, attributes, value
    FROM topic_items WHERE topic_id = ?4 AND (page, sequence) > (?5, ?6) AND (page, sequence) <= (?7, ?8) ORDER BY page, sequence RETURNING id, bytes, topic, page, sequence`,
  );
  const count = db.prepare(
    "UPDATE subscriptions SET dead = dead + ?1, alarm_history = alarm_history + ?1 WHERE id = ?2",
  );

  const countBetween = db.prepare(
    "SELECT count(*) AS n FROM topic_items WHERE topic_id = ? AND (page, sequence) > (?, ?) AND (page, sequence) <= (?, ?)",
  );
  const countLost = db.prepare(
    "UPDATE subscriptions SET dead = dead + ?1, dropped = dropped + ?1, alarm_dropped = alarm_dropped + ?1 WHERE id = ?2",
  );

  const recent = new Map<string, number>();

  function remember(subscription: number, row: Record<string, unknown>): void {
    recent.set(recentKey(subscription, [row.topic, row.page, row.sequence]), Number(row.id));
    if (recent.size <= maxRecent) return;
    const [oldest] = recent.keys();
    if (oldest !== undefined) recent.delete(oldest);
  }

  function buryFor(follower: Follower, topicId: number, last: Position): void {
    const { owner } = follower;
    const atMs = nowMs();
    const rows = neededRanges(follower, last).flatMap((range) =>
      bury.all(owner.id, owner.environment, atMs, topicId, ...range),
    );
    if (rows.length === 0) return;
    for (const row of rows) remember(owner.id, row);
    count.run(rows.length, owner.id);
    letters.added(
      owner,
      rows.length,
      rows.reduce((sum, row) => sum + Number(row.bytes), 0),
    );
  }

  function loseFor(follower: Follower, topicId: number, last: Position): void {
    let items = 0;
    for (const range of neededRanges(follower, last)) items += Number(countBetween.get(topicId, ...range)?.n);
    if (items > 0) countLost.run(items, follower.owner.id);
  }

  return {
    takeBack(subscription, place) {
      if (recent.size === 0) return undefined;
      const key = recentKey(subscription, place);
      const id = recent.get(key);
      recent.delete(key);
      return id;
    },
    reset: () => recent.clear(),
    followersOf({ id: topicId, cacheId }) {
      if (isAnyone.get() === undefined || !ledger.isLive(cacheId, "topics")) return undefined;
      const followers = select
        .all(topicId)
        .filter((row) => ledger.isLive(Number(row.id), "cursors"))
        .map(readFollower);
      if (followers.length === 0) return undefined;
      return {
        countNeeding: (position) => followers.filter((follower) => isNeeded(follower, position)).length,
        bury(last) {
          for (const follower of followers) buryFor(follower, topicId, last);
        },
        lose(last) {
          for (const follower of followers) loseFor(follower, topicId, last);
        },
      };
    },
  };
}

/** Where what it needs up to `last` lies: each behind one position, up to another. */
function neededRanges({ after, pending }: Follower, last: Position): [number, number, number, number][] {
  const ranges = pending
    .filter((position) => comparePositions(position, last) <= 0)
    .map(({ page, sequence }): [number, number, number, number] => [page, sequence - 1, page, sequence]);
  if (comparePositions(after, last) < 0) ranges.push([after.page, after.sequence, last.page, last.sequence]);
  return ranges;
}

function isNeeded({ after, pendingTexts }: Follower, position: Position): boolean {
  if (comparePositions(position, after) > 0) return true;
  return pendingTexts.size > 0 && pendingTexts.has(textOf(position));
}

function readFollower(row: Record<string, unknown>): Follower {
  const pending = parsePending(String(row.pending));
  return {
    owner: { id: Number(row.id), environment: Number(row.environment) },
    after: { page: Number(row.page), sequence: Number(row.sequence) },
    pending,
    pendingTexts: new Set(pending.map(textOf)),
  };
}

function recentKey(subscription: number, [topic, page, sequence]: readonly unknown[]): string {
  return `${subscription} ${page}-${sequence} ${topic}`;
}

function textOf({ page, sequence }: Position): string {
  return `${page}-${sequence}`;
}
