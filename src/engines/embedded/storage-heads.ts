import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { EnvironmentUsage, StorageLedger } from "./storage-ledger.ts";

/** A topic's counters in the storage thread. */
export interface TopicHead {
  readonly id: number;
  readonly cacheId: number;
  readonly environment: EnvironmentUsage;
  readonly key: string;
  page: number;
  sequence: number;
  /** Kept items, and bytes of them. */
  items: number;
  bytes: number;
}

/** What SQLite keeps for a topic item beside value, attributes and names: row, index entry, cell headers. */
export const itemOverheadBytes = 64;

/** Heads kept in memory, about 300 bytes each; a topic that is not among them costs one SELECT. */
const maxCachedHeads = 50_000;

/** Reads heads from the file when they are first used, and writes back those that moved. */
export class TopicHeads {
  readonly #ledger: StorageLedger;
  readonly #byKey = new Map<string, TopicHead>();
  readonly #byId = new Map<number, TopicHead>();
  readonly #moved = new Set<TopicHead>();
  readonly #selectByName: StatementSync;
  readonly #selectById: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  /** Heads opened in this transaction, by the object that stands for their topic in the batch. */
  readonly #opened = new Map<object, TopicHead>();

  constructor(db: DatabaseSync, ledger: StorageLedger) {
    this.#ledger = ledger;
    this.#selectByName = db.prepare("SELECT * FROM topics WHERE cache_id = ? AND name = ?");
    this.#selectById = db.prepare("SELECT * FROM topics WHERE id = ?");
    this.#insert = db.prepare(
      "INSERT INTO topics (environment, cache_id, name, page, sequence, items, bytes) VALUES (?, ?, ?, ?, 0, 0, 0)",
    );
    this.#update = db.prepare("UPDATE topics SET page = ?, sequence = ?, items = ?, bytes = ? WHERE id = ?");
  }

  /** The head of a topic that is about to grow; made when there is none. A page below the floor of a restored file ends here. */
  open(topic: { readonly environment: string; readonly cacheId: number; readonly name: string }): TopicHead {
    const opened = this.#opened.get(topic);
    if (opened !== undefined) return opened;
    const key = `${topic.cacheId} ${topic.name}`;
    let head = this.#byKey.get(key);
    if (head === undefined) {
      const row = this.#selectByName.get(topic.cacheId, topic.name);
      head = this.#remember(row ?? this.#create(topic));
    }
    if (head.page < this.#ledger.pageFloor) {
      head.page = this.#ledger.pageFloor;
      head.sequence = 0;
    }
    this.#opened.set(topic, head);
    this.touch(head);
    return head;
  }

  byId(id: number): TopicHead | undefined {
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    const row = this.#selectById.get(id);
    return row === undefined ? undefined : this.#remember(row);
  }

  touch(head: TopicHead): void {
    this.#moved.add(head);
    this.#ledger.touch(head.environment);
  }

  /** Counts kept items of a topic, and with them its environment; negative when they are dropped. */
  account(head: TopicHead, items: number, bytes: number): void {
    head.items += items;
    head.bytes += bytes;
    head.environment.topicBytes += bytes + items * itemOverheadBytes;
    this.touch(head);
  }

  moved(): Iterable<TopicHead> {
    return this.#moved;
  }

  drop(head: TopicHead): void {
    this.#byKey.delete(head.key);
    this.#byId.delete(head.id);
    this.#moved.delete(head);
    this.#opened.clear();
  }

  flush(): void {
    for (const head of this.#moved) this.#update.run(head.page, head.sequence, head.items, head.bytes, head.id);
    this.#moved.clear();
    this.#opened.clear();
    // Nothing has moved now, so any may go. The oldest loaded goes first; re-ordering on each use would cost more than a re-read.
    for (const head of this.#byKey.values()) {
      if (this.#byKey.size <= maxCachedHeads) break;
      this.drop(head);
    }
  }

  clear(): void {
    this.#byKey.clear();
    this.#byId.clear();
    this.#moved.clear();
    this.#opened.clear();
  }

  #create(topic: { readonly environment: string; readonly cacheId: number; readonly name: string }) {
    const environment = this.#ledger.environment(topic.environment).id;
    const page = Math.max(topic.cacheId, this.#ledger.pageFloor);
    const id = Number(this.#insert.run(environment, topic.cacheId, topic.name, page).lastInsertRowid);
    return { id, environment, cache_id: topic.cacheId, name: topic.name, page, sequence: 0, items: 0, bytes: 0 };
  }

  #remember(row: Record<string, unknown>): TopicHead {
    const head: TopicHead = {
      id: Number(row.id),
      cacheId: Number(row.cache_id),
      environment: this.#ledger.environmentById(Number(row.environment)),
      key: `${row.cache_id} ${row.name}`,
      page: Number(row.page),
      sequence: Number(row.sequence),
      items: Number(row.items),
      bytes: Number(row.bytes),
    };
    this.#byKey.set(head.key, head);
    this.#byId.set(head.id, head);
    return head;
  }
}
