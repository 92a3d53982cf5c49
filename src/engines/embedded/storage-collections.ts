import type { DatabaseSync } from "node:sqlite";
import { type ItemType, itemTypes } from "../../domain/cache/item-type.ts";
import { answering, type Operation } from "./storage-verdict.ts";

/** How long one step frees elements, so that a commit behind it stays short. */
const stepMs = 5;
/** Small pushes gather what they owe: one of 20 us need not free 64 elements. */
const owedMinMs = 1;
/** Elements freed at once: 64 of the greatest have 2,000 pages, about 5 ms. */
export const freedChunk = 64;

/** The numbers under which elements of collections lie, and the end of elements that nobody can see any more. */
export interface Collections {
  /** A number under which no elements lie. */
  nextNumber(): number;
  /** All elements of a collection that is gone, and of one that lives those outside of its bounds, are dropped by {@link Collections.step}. */
  free(collection: number, type: ItemType): void;
  /** One bounded step; answers whether there is more to do. */
  step(): boolean;
  /**
   * Lets `work` add something: as much time as it takes goes into freeing, if there is anything. What waits to be freed counts for no budget, so that
   * without this whoever adds and deletes faster than {@link Collections.step} frees would fill the disk.
   */
  adding<T>(work: () => T): T;
}

export function createCollections(db: DatabaseSync): Collections {
  const greatest = db.prepare(
    "SELECT max(coalesce((SELECT max(collection) FROM items WHERE collection IS NOT NULL), 0), coalesce((SELECT max(collection) FROM freed_collections), 0)) AS n",
  );
  const addFreed = db.prepare("INSERT OR IGNORE INTO freed_collections (collection, type) VALUES (?, ?)");
  // The last first: what was added a moment ago is freed in about the time that it took, whatever lies below.
  const nextFreed = db.prepare("SELECT collection, type FROM freed_collections ORDER BY collection DESC LIMIT 1");
  const dropFreed = db.prepare("DELETE FROM freed_collections WHERE collection = ?");
  const freeElements: Partial<Record<ItemType, (collection: number) => boolean>> = {
    list: createListFreer(db),
    dictionary: createFreer(db, "dictionary_elements", "key"),
    set: createFreer(db, "set_elements", "element"),
    "sorted set": createSortedSetFreer(db),
  };
  let owedMs = 0;

  function step(ms = stepMs): boolean {
    const endMs = performance.now() + ms;
    for (let freed = nextFreed.get(); freed !== undefined; freed = nextFreed.get()) {
      const collection = freed.collection as number;
      const hasMore = freeElements[itemTypes[freed.type as number] as ItemType]?.(collection);
      // In the transaction that dropped the last of them: the number may be given again.
      if (!hasMore) dropFreed.get(collection);
      if (performance.now() >= endMs) return true;
    }
    return false;
  }

  return {
    nextNumber: () => Number(greatest.get()?.n) + 1,
    free(collection, type) {
      addFreed.get(collection, itemTypes.indexOf(type));
    },
    step,
    adding(work) {
      const startMs = performance.now();
      const result = work();
      owedMs += performance.now() - startMs;
      if (owedMs >= owedMinMs) {
        step(owedMs);
        owedMs = 0;
      }
      return result;
    },
  };
}

/** An operation that adds, as {@link Collections.adding} and {@link answering} do it. */
export function addingOperation(collections: Collections, work: Operation): Operation {
  return answering((op, answer) => collections.adding(() => work(op, answer)));
}

/** Drops up to {@link freedChunk} elements of a collection that is gone; true when there are more. */
function createFreer(db: DatabaseSync, table: string, columns: string): (collection: number) => boolean {
  const drop = db.prepare(
    `DELETE FROM ${table} WHERE (collection, ${columns}) IN (SELECT collection, ${columns} FROM ${table} WHERE collection = ? LIMIT ? + 0)`,
  );
  return (collection) => drop.run(collection, freedChunk).changes === freedChunk;
}

/** Its elements, then what counts them. */
function createSortedSetFreer(db: DatabaseSync): (collection: number) => boolean {
  const dropElements = createFreer(db, "sorted_set_elements", "element");
  const dropBlocks = createFreer(db, "sorted_set_blocks", "score, element");
  return (collection) => dropElements(collection) || dropBlocks(collection);
}

/** Drops up to {@link freedChunk} elements at either end; true when there are more. */
function createListFreer(db: DatabaseSync): (collection: number) => boolean {
  const bounds = db.prepare("SELECT front, back FROM items WHERE collection = ?");
  const before = db.prepare(
    "DELETE FROM list_elements WHERE (collection, position) IN (SELECT collection, position FROM list_elements WHERE collection = ? AND position < ? LIMIT ? + 0)",
  );
  const behind = db.prepare(
    "DELETE FROM list_elements WHERE (collection, position) IN (SELECT collection, position FROM list_elements WHERE collection = ? AND position > ? LIMIT ? + 0)",
  );
  return (collection) => {
    const list = bounds.get(collection);
    const front = list === undefined ? Number.MAX_SAFE_INTEGER : (list.front as number);
    if (before.run(collection, front, freedChunk).changes === freedChunk) return true;
    return list !== undefined && behind.run(collection, list.back as number, freedChunk).changes === freedChunk;
  };
}
