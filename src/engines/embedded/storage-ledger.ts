import type { DatabaseSync, StatementSync } from "node:sqlite";
import { TodokuError } from "../../domain/errors.ts";
import { readMeta, writeMeta } from "./schema.ts";

/** What the storage thread counts per environment. `nextRow` orders its topic items. */
export interface EnvironmentUsage {
  readonly id: number;
  readonly name: string;
  topicBytes: number;
  itemBytes: number;
  nextRow: number;
}

/** The parts of a cache that are forgotten one by one. */
export type CachePart = "topics" | "items";

/** Environments a file can ever hold: the upper 19 bits of `topic_items.row`. */
const maxEnvironments = 2 ** 19;

/**
 * What the storage thread knows by heart about the file: the next record id, which caches live, what each environment uses.
 * All of it can be read back: {@link StorageLedger.reload} after a rollback.
 */
export class StorageLedger {
  readonly db: DatabaseSync;
  /** Caches that were forgotten or have no record, whose rows are still to be freed. */
  readonly toSweep: Record<CachePart, Set<number>> = { topics: new Set(), items: new Set() };
  /** No topic that exists now continues on a page below this: the file is a restored backup. */
  readonly pageFloor: number;
  /** The id that this start took for itself. */
  readonly startId: number;
  nextId = 0;
  readonly #live = new Set<number>();
  readonly #forgotten: Record<CachePart, Set<number>> = { topics: new Set(), items: new Set() };
  readonly #environments = new Map<string, EnvironmentUsage>();
  readonly #environmentsById = new Map<number, EnvironmentUsage>();
  readonly #dirty = new Set<EnvironmentUsage>();
  readonly #update: StatementSync;
  #storedNextId = 0;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.#update = db.prepare("UPDATE environments SET topic_bytes = ?, item_bytes = ? WHERE id = ?");
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
    for (const row of this.db.prepare("SELECT id FROM records WHERE kind = 'cache'").iterate()) {
      this.#live.add(Number(row.id));
    }
    for (const part of ["topics", "items"] as const) {
      this.#forgotten[part].clear();
      for (const row of this.db.prepare("SELECT cache_id FROM forgotten WHERE part = ?").iterate(part)) {
        this.#forgotten[part].add(Number(row.cache_id));
        this.toSweep[part].add(Number(row.cache_id));
      }
      // A rolled-back removal: the cache lives on.
      for (const cacheId of this.toSweep[part]) if (this.isLive(cacheId, part)) this.toSweep[part].delete(cacheId);
    }
  }

  isLive(cacheId: number, part: CachePart): boolean {
    return this.#live.has(cacheId) && !this.#forgotten[part].has(cacheId);
  }

  addCache(cacheId: number): void {
    this.#live.add(cacheId);
  }

  /** The cache's record is gone: its rows are orphans from now on. */
  removeCache(cacheId: number): void {
    this.#live.delete(cacheId);
    this.toSweep.topics.add(cacheId);
    this.toSweep.items.add(cacheId);
  }

  forget(cacheId: number, part: CachePart): void {
    this.db.prepare("INSERT OR IGNORE INTO forgotten (cache_id, part) VALUES (?, ?)").run(cacheId, part);
    this.#forgotten[part].add(cacheId);
    this.toSweep[part].add(cacheId);
  }

  /** All rows of a forgotten cache are freed. Its mark stays while the record does: ids never come back, so then it may go. */
  swept(cacheId: number, part: CachePart): void {
    this.toSweep[part].delete(cacheId);
    if (this.#live.has(cacheId)) return;
    this.db.prepare("DELETE FROM forgotten WHERE cache_id = ? AND part = ?").run(cacheId, part);
    this.#forgotten[part].delete(cacheId);
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

  touch(environment: EnvironmentUsage): void {
    this.#dirty.add(environment);
  }

  /** Writes what changed; called inside the batch's transaction. */
  flush(): void {
    for (const one of this.#dirty) this.#update.run(one.topicBytes, one.itemBytes, one.id);
    this.#dirty.clear();
    if (this.nextId === this.#storedNextId) return;
    writeMeta(this.db, "next_id", this.nextId);
    this.#storedNextId = this.nextId;
  }

  #createEnvironment(name: string): EnvironmentUsage {
    const { lastInsertRowid } = this.db
      .prepare("INSERT INTO environments (name, topic_bytes, item_bytes) VALUES (?, 0, 0)")
      .run(name);
    if (Number(lastInsertRowid) >= maxEnvironments) {
      throw new TodokuError("limit_exceeded", `the data file holds ${maxEnvironments} environments`);
    }
    return this.#loadEnvironment({ id: lastInsertRowid, name, topic_bytes: 0, item_bytes: 0 });
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
      nextRow: last?.n == null ? 0 : Number(last.n) + 1,
    };
    this.#environments.set(environment.name, environment);
    this.#environmentsById.set(id, environment);
    return environment;
  }
}
