import type { DatabaseSync, StatementSync } from "node:sqlite";
import { TodokuError } from "../../domain/errors.ts";
import { readMeta, writeMeta } from "./schema.ts";

/** What the storage thread counts per environment. `nextRow` orders its topic items. */
export interface EnvironmentUsage {
  readonly id: number;
  readonly name: string;
  topicBytes: number;
  itemBytes: number;
  queueBytes: number;
  deadLetterBytes: number;
  nextRow: number;
}

/** What lies under the ids of records, by the record's kind. Each part is forgotten by itself. */
export const partsOf = {
  cache: ["topics", "items"],
  queue: ["messages"],
  subscription: ["cursors"],
  "notification-cursor": ["cursors"],
} as const;

/** One of {@link partsOf}. */
export type StoredPart = (typeof partsOf)[keyof typeof partsOf][number];

const allParts: readonly StoredPart[] = [...partsOf.cache, ...partsOf.queue, ...partsOf.subscription];

function setPerPart(): Record<StoredPart, Set<number>> {
  return { topics: new Set(), items: new Set(), messages: new Set(), cursors: new Set() };
}

/** Environments a file can hold at a time: the upper 19 bits of `topic_items.row`. */
const maxEnvironments = 2 ** 19;

/** Environments that were forgotten and are remembered, up to 100 bytes each: more than can go while a call is under way. */
const maxClosed = 10_000;

/**
 * What the storage thread knows by heart about the file: the next record id, which caches, queues and subscriptions live, what each environment uses.
 * All of it can be read back: {@link StorageLedger.reload} after a rollback.
 */
export class StorageLedger {
  readonly db: DatabaseSync;
  /** Ids that were forgotten or have no record, whose rows are still to be freed. */
  readonly toSweep: Record<StoredPart, Set<number>> = setPerPart();
  /** No topic that exists now continues on a page below this: the file is a restored backup. */
  readonly pageFloor: number;
  /** The id that this start took for itself. */
  readonly startId: number;
  nextId = 0;
  readonly #live = new Set<number>();
  readonly #forgotten: Record<StoredPart, Set<number>> = setPerPart();
  readonly #environments = new Map<string, EnvironmentUsage>();
  readonly #environmentsById = new Map<number, EnvironmentUsage>();
  readonly #dirty = new Set<EnvironmentUsage>();
  readonly #closed = new Set<string>();
  readonly #update: StatementSync;
  #storedNextId = 0;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.#update = db.prepare(
      "UPDATE environments SET topic_bytes = ?, item_bytes = ?, queue_bytes = ?, dead_letter_bytes = ? WHERE id = ?",
    );
    this.pageFloor = readMeta(db, "page_floor") ?? 0;
    this.startId = readMeta(db, "start_id") ?? 0;
    this.reload();
  }

  /** Forgets what memory says and reads the file. */
  reload(): void {
    this.nextId = this.#storedNextId = readMeta(this.db, "next_id") ?? 1;
    this.#environments.clear();
    this.#environmentsById.clear();
    this.#dirty.clear();
    this.#live.clear();
    const kinds = Object.keys(partsOf);
    const live = this.db.prepare(`SELECT id FROM records WHERE kind IN (${kinds.map(() => "?")})`).all(...kinds);
    for (const { id } of live) this.#live.add(Number(id));
    for (const part of allParts) {
      this.#forgotten[part].clear();
      for (const row of this.db.prepare("SELECT id FROM forgotten WHERE part = ?").all(part)) {
        this.#forgotten[part].add(Number(row.id));
        this.toSweep[part].add(Number(row.id));
      }
      // A rolled-back removal: the cache, queue or subscription lives on.
      for (const id of this.toSweep[part]) if (this.isLive(id, part)) this.toSweep[part].delete(id);
    }
  }

  isLive(id: number, part: StoredPart): boolean {
    return this.#live.has(id) && !this.#forgotten[part].has(id);
  }

  addRecord(kind: string, id: number): void {
    if (Object.hasOwn(partsOf, kind)) this.#live.add(id);
  }

  /** The record is gone: what lies under its id is to be freed. */
  removeRecord(kind: string, id: number): void {
    if (!Object.hasOwn(partsOf, kind)) return;
    this.#live.delete(id);
    for (const part of partsOf[kind as keyof typeof partsOf]) this.toSweep[part].add(id);
  }

  forget(id: number, part: StoredPart): void {
    if (!this.#live.has(id)) return; // with its record went all that lies under it
    this.db.prepare("INSERT OR IGNORE INTO forgotten (id, part) VALUES (?, ?)").run(id, part);
    this.#forgotten[part].add(id);
    this.toSweep[part].add(id);
  }

  /** All rows of what was forgotten are freed. Its mark stays while the record does: ids never come back, so then it may go. */
  swept(id: number, part: StoredPart): void {
    this.toSweep[part].delete(id);
    if (this.#live.has(id)) return;
    this.db.prepare("DELETE FROM forgotten WHERE id = ? AND part = ?").run(id, part);
    this.#forgotten[part].delete(id);
  }

  environment(name: string): EnvironmentUsage {
    const known = this.#environments.get(name);
    if (known !== undefined) return known;
    const row = this.db.prepare("SELECT * FROM environments WHERE name = ?").get(name);
    return row === undefined ? this.#createEnvironment(name) : this.#loadEnvironment(row);
  }

  environmentById(id: number): EnvironmentUsage {
    const known = this.#environmentsById.get(id);
    if (known !== undefined) return known;
    const row = this.db.prepare("SELECT * FROM environments WHERE id = ?").get(id);
    if (row === undefined) throw new TodokuError("internal", `environment ${id} has rows but no entry`);
    return this.#loadEnvironment(row);
  }

  /** Every environment of the file. */
  environmentIds(): number[] {
    return this.db
      .prepare("SELECT id FROM environments ORDER BY id")
      .all()
      .map((row) => Number(row.id));
  }

  /** Nothing may be added to it until it is opened: calls that began before it was forgotten may still come. */
  closeEnvironment(name: string): void {
    this.#closed.add(name);
    if (this.#closed.size <= maxClosed) return;
    const [oldest] = this.#closed;
    if (oldest !== undefined) this.#closed.delete(oldest);
  }

  openEnvironment(name: string): void {
    this.#closed.delete(name);
  }

  isClosed(environment: string): boolean {
    return this.#closed.has(environment);
  }

  /** After its last row is gone. */
  dropEnvironment(name: string): void {
    this.db.prepare("DELETE FROM environments WHERE name = ?").run(name);
    const usage = this.#environments.get(name);
    if (usage === undefined) return;
    this.#environments.delete(name);
    this.#environmentsById.delete(usage.id);
    this.#dirty.delete(usage);
  }

  touch(environment: EnvironmentUsage): void {
    this.#dirty.add(environment);
  }

  /** Writes what changed; called inside the batch's transaction. */
  flush(): void {
    for (const one of this.#dirty)
      this.#update.run(one.topicBytes, one.itemBytes, one.queueBytes, one.deadLetterBytes, one.id);
    this.#dirty.clear();
    if (this.nextId === this.#storedNextId) return;
    writeMeta(this.db, "next_id", this.nextId);
    this.#storedNextId = this.nextId;
  }

  #createEnvironment(name: string): EnvironmentUsage {
    const id = this.#freeEnvironmentId();
    this.db.prepare("INSERT INTO environments (id, name, topic_bytes, item_bytes) VALUES (?, ?, 0, 0)").run(id, name);
    return this.#loadEnvironment({ id, name, topic_bytes: 0, item_bytes: 0, queue_bytes: 0, dead_letter_bytes: 0 });
  }

  // The numbers of environments that are gone are used again once the last one was given.
  #freeEnvironmentId(): number {
    const next = Number(this.db.prepare("SELECT coalesce(max(id), 0) + 1 AS n FROM environments").get()?.n);
    if (next < maxEnvironments) return next;
    const gap = this.db
      .prepare(
        "SELECT id + 1 AS n FROM (SELECT 0 AS id UNION ALL SELECT id FROM environments) AS one WHERE NOT EXISTS (SELECT 1 FROM environments WHERE id = one.id + 1) ORDER BY id LIMIT 1",
      )
      .get();
    if (Number(gap?.n) < maxEnvironments) return Number(gap?.n);
    throw new TodokuError("limit_exceeded", `the data file holds ${maxEnvironments} environments`);
  }

  #loadEnvironment(row: Record<string, unknown>): EnvironmentUsage {
    const id = Number(row.id);
    const last = this.db
      .prepare("SELECT max(row) - (?1 << 44) AS n FROM topic_items WHERE row >= (?1 << 44) AND row < ((?1 + 1) << 44)")
      .get(id);
    const environment: EnvironmentUsage = {
      id,
      name: String(row.name),
      topicBytes: Number(row.topic_bytes),
      itemBytes: Number(row.item_bytes),
      queueBytes: Number(row.queue_bytes),
      deadLetterBytes: Number(row.dead_letter_bytes),
      nextRow: last?.n == null ? 0 : Number(last.n) + 1,
    };
    this.#environments.set(environment.name, environment);
    this.#environmentsById.set(id, environment);
    return environment;
  }
}
