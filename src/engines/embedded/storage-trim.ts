import type { DatabaseSync } from "node:sqlite";
import { limits } from "../../domain/limits.ts";
import type { Position } from "../../domain/topics/position.ts";
import type { HistoryBounds } from "../../domain/topics/store.ts";
import type { Burial, Followers } from "./storage-burial.ts";
import { itemOverheadBytes, type TopicHead, type TopicHeads } from "./storage-heads.ts";
import type { StorageLedger } from "./storage-ledger.ts";

/** Rows freed in one step: about 5 ms, so that a commit behind it stays short. */
const trimRows = 512;
/** Items past `maxItems` before any are dropped: touching the log's old end costs pages, so do it now and then. */
const trimChunk = 64;
/** Dead letters made of one topic in one step, about 6 us each; the topic stays over its bounds until later steps have made the rest. */
const buryRows = 2048;
/** The same in bytes: what a batch may have, too. */
const buryBytes = limits.batchMaxBytes;
/**
 * Past this many times its bounds, and a batch, a topic has no time for more: the rest goes without. Else publishers that are faster than
 * the dead letters of those who are behind would fill the disk; and to make them wait for it (4 s for 2000 items of 1 KB and 50 followers,
 * measured) would stop everybody else's commits, too.
 */
const maxOver = 2;
/** Pages given back to the file system in one step (1 MiB). */
const vacuumPages = 256;
/** Free pages (8 MiB) that stay in the file. */
const keptFreePages = 2048;
/** A look at one environment costs about 20 us. */
const environmentsPerStep = 64;

/** Drops history in the storage thread. A head never moves by it. */
export interface TopicTrimmer {
  /** Drops the oldest of one topic when it is over its bounds. */
  trimTopic(head: TopicHead): void;
  /** One bounded step over everything else; answers whether there is more to do. */
  trim(nowMs: number): boolean;
  /** One bounded step over forgotten caches alone; answers whether there is more to do. */
  freeForgotten(): boolean;
  /** After a rollback. */
  reset(): void;
}

/** What one step has dropped so far, and the dead letters that it takes. */
interface Dropped {
  items: number;
  bytes: number;
  letters: number;
  letterBytes: number;
}

/** What one step drops of one topic. */
interface TrimmedTopic {
  readonly head: TopicHead | undefined;
  readonly followers: Followers | undefined;
  items: number;
  bytes: number;
  last: Position;
}

/** See `HistoryBounds` for what counts. */
export function createTopicTrimmer(
  db: DatabaseSync,
  ledger: StorageLedger,
  heads: TopicHeads,
  history: HistoryBounds,
  burial: Burial,
): TopicTrimmer {
  const oldestOfTopic = db.prepare(
    "SELECT page, sequence, bytes FROM topic_items WHERE topic_id = ? ORDER BY page, sequence LIMIT ? + 0",
  );
  const dropOfTopic = db.prepare("DELETE FROM topic_items WHERE topic_id = ? AND (page, sequence) <= (?, ?)");
  const oldestOfEnvironment = db.prepare(
    "SELECT row & ((1 << 44) - 1) AS n, topic_id, page, sequence, bytes, published_at_ms FROM topic_items WHERE row >= (?1 << 44) AND row < ((?1 + 1) << 44) ORDER BY row LIMIT ?2 + 0",
  );
  const dropOfEnvironment = db.prepare("DELETE FROM topic_items WHERE row >= (?1 << 44) AND row <= ((?1 << 44) | ?2)");
  const dropIds = db.prepare(
    "DELETE FROM message_ids WHERE (topic_id, message_id) IN (SELECT topic_id, message_id FROM message_ids WHERE at_ms <= ? ORDER BY at_ms LIMIT ? + 0)",
  );
  const dropIdsOf = db.prepare(
    "DELETE FROM message_ids WHERE (topic_id, message_id) IN (SELECT topic_id, message_id FROM message_ids WHERE topic_id = ? LIMIT ? + 0)",
  );
  const topicOfCache = db.prepare("SELECT id FROM topics WHERE cache_id = ? LIMIT 1");
  const dropTopic = db.prepare("DELETE FROM topics WHERE id = ?");
  const nextCache = db.prepare("SELECT cache_id FROM topics WHERE cache_id > ? ORDER BY cache_id LIMIT 1");
  let pass: number[] = [];
  let orphanCursor: number | undefined = -1;
  // Topics that kept more than they may, for the dead letters that have to be made of it.
  const behind = new Set<number>();

  function dropOldest(
    head: TopicHead,
    isEnough: (dropped: Readonly<Dropped>) => boolean,
    maxRows: number,
    followers?: Pick<Followers, "countNeeding" | "bury">,
  ): number {
    const dropped: Dropped = { items: 0, bytes: 0, letters: 0, letterBytes: 0 };
    let last: Position | undefined;
    for (const row of oldestOfTopic.iterate(head.id, maxRows)) {
      if (isEnough(dropped)) break;
      last = positionOf(row);
      const [bytes, letters] = [Number(row.bytes), followers?.countNeeding(last) ?? 0];
      dropped.items++;
      dropped.bytes += bytes;
      dropped.letters += letters;
      dropped.letterBytes += letters * bytes;
    }
    if (last === undefined) return 0;
    if (dropped.letters > 0) followers?.bury(last);
    dropOfTopic.run(head.id, last.page, last.sequence);
    heads.account(head, -dropped.items, -dropped.bytes);
    return dropped.items;
  }

  function isOver(head: TopicHead): boolean {
    const slackItems = Math.min(trimChunk, history.maxItems / 16);
    return head.items - history.maxItems > slackItems || head.bytes > history.maxBytes + history.maxBytes / 16;
  }

  function isFarOver(items: number, bytes: number): boolean {
    return (
      items > maxOver * history.maxItems + limits.batchMaxItems ||
      bytes > maxOver * history.maxBytes + limits.batchMaxBytes
    );
  }

  function trimTopic(head: TopicHead): void {
    if (!isOver(head)) return;
    const followers = burial.followersOf(head);
    dropOldest(
      head,
      (dropped) => {
        const [items, bytes] = [head.items - dropped.items, head.bytes - dropped.bytes];
        if (items <= history.maxItems && bytes <= history.maxBytes) return true;
        return dropped.letters >= buryRows || dropped.letterBytes >= buryBytes;
      },
      2 * limits.batchMaxItems,
      followers,
    );
    dropOldest(
      head,
      ({ items, bytes }) => !isFarOver(head.items - items, head.bytes - bytes),
      2 * limits.batchMaxItems,
      followers && { countNeeding: followers.countNeeding, bury: followers.lose },
    );
    if (isOver(head)) behind.add(head.id);
  }

  /** A step for one of those that are behind; answers whether there is more to do. */
  function catchUp(): boolean {
    const [id] = behind;
    if (id === undefined) return false;
    behind.delete(id);
    const head = heads.byId(id);
    if (head !== undefined) trimTopic(head);
    return behind.size > 0;
  }

  // Stops at the first item that may stay: what a topic keeps has no holes.
  function trimEnvironment(id: number, nowMs: number): boolean {
    const rows = oldestOfEnvironment.all(id, trimRows);
    if (rows.length === 0) return false; // it may have been dropped since this pass began
    const usage = ledger.environmentById(id);
    const perTopic = new Map<number, TrimmedTopic>();
    let [over, dropped, lastN] = [usage.topicBytes - history.environmentMaxBytes, 0, -1];
    let [needed, neededBytes] = [0, 0];
    const isStep = () => needed >= trimRows || neededBytes >= buryBytes;
    for (const row of rows) {
      const isOld = Number(row.published_at_ms) <= nowMs - history.maxAgeMs;
      if ((!isOld && over <= 0) || isStep()) break;
      const topic = perTopic.get(Number(row.topic_id)) ?? trimmedTopic(Number(row.topic_id));
      topic.items++;
      topic.bytes += Number(row.bytes);
      topic.last = positionOf(row);
      perTopic.set(Number(row.topic_id), topic);
      const letters = topic.followers?.countNeeding(topic.last) ?? 0;
      needed += letters;
      neededBytes += letters * Number(row.bytes);
      over -= Number(row.bytes) + itemOverheadBytes;
      lastN = Number(row.n);
      dropped++;
    }
    if (dropped === 0) return false;
    if (needed > 0) for (const { followers, last } of perTopic.values()) followers?.bury(last);
    dropOfEnvironment.run(id, lastN);
    for (const { head, items, bytes } of perTopic.values()) {
      if (head !== undefined) heads.account(head, -items, -bytes);
    }
    return dropped === trimRows || isStep();
  }

  function trimmedTopic(id: number): TrimmedTopic {
    const head = heads.byId(id);
    const followers = head && burial.followersOf(head);
    return { head, followers, items: 0, bytes: 0, last: { page: 0, sequence: 0 } };
  }

  // Once after a start or a rollback: rows of caches whose record went but which the crash kept from being forgotten, or whose
  // last rows were freed by what never happened.
  function findOrphans(): void {
    for (let step = 0; step < trimRows && orphanCursor !== undefined; step++) {
      const row = nextCache.get(orphanCursor);
      orphanCursor = row === undefined ? undefined : Number(row.cache_id);
      if (orphanCursor !== undefined && !ledger.isLive(orphanCursor, "topics")) ledger.toSweep.topics.add(orphanCursor);
    }
  }

  function sweepForgotten(): boolean {
    const [cacheId] = ledger.toSweep.topics;
    if (cacheId === undefined) return orphanCursor !== undefined;
    for (let left = trimRows; left > 0; left--) {
      const row = topicOfCache.get(cacheId);
      const head = row && heads.byId(Number(row.id));
      if (head === undefined) {
        ledger.swept(cacheId, "topics");
        return true;
      }
      left -= dropOldest(head, () => false, left);
      if (left > 0) left -= Number(dropIdsOf.run(head.id, left).changes);
      if (left <= 0) break;
      dropTopic.run(head.id);
      heads.drop(head);
    }
    return true;
  }

  function trimEnvironments(nowMs: number): boolean {
    if (pass.length === 0) pass = ledger.environmentIds();
    for (let step = 0; step < environmentsPerStep; step++) {
      const id = pass.at(-1);
      if (id === undefined) return false;
      if (trimEnvironment(id, nowMs)) return true;
      pass.pop();
    }
    return pass.length > 0;
  }

  // Freed pages are soon used by the next items, so only what is far more than a minute's worth goes back to the file system.
  function giveBack(): boolean {
    const free = Number(db.prepare("PRAGMA freelist_count").get()?.freelist_count);
    if (free <= keptFreePages) return false;
    db.exec(`PRAGMA incremental_vacuum(${vacuumPages})`);
    return free - vacuumPages > keptFreePages;
  }

  return {
    trimTopic,
    trim(nowMs) {
      findOrphans();
      const isBehind = catchUp();
      const hasMoreItems = trimEnvironments(nowMs);
      const hasMoreIds = dropIds.run(nowMs - limits.messageIdWindowMs, trimRows).changes === trimRows;
      const hasMoreForgotten = sweepForgotten();
      return giveBack() || isBehind || hasMoreItems || hasMoreIds || hasMoreForgotten;
    },
    freeForgotten() {
      findOrphans();
      return sweepForgotten();
    },
    reset() {
      orphanCursor = -1;
    },
  };
}

function positionOf(row: Record<string, unknown>): Position {
  return { page: Number(row.page), sequence: Number(row.sequence) };
}
