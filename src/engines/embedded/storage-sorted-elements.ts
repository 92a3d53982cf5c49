import type { DatabaseSync } from "node:sqlite";
import type { ScoredElement } from "../../domain/cache/sorted-set-store.ts";
import { isOwnKey, keyOf } from "./element-keys.ts";
import { createSortedBlocks } from "./storage-sorted-blocks.ts";

/** What SQLite keeps for an element beside its bytes, which it keeps twice: keys, scores, cells, and room that pages leave free. 28 to 43 as measured. */
const elementOverheadBytes = 44;

/** What changes about a sorted set's row while its elements do. */
export interface SortedSetState {
  readonly collection: number;
  elements: number;
  /** Bytes of its elements. */
  elementBytes: number;
}

/** What becomes of an element's score; undefined: it was not there, or goes. */
export interface ScoreChange {
  readonly element: Uint8Array;
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** The elements of sorted sets in the storage thread. */
export interface SortedElements {
  scoreOf(collection: number, element: Uint8Array): number | undefined;
  /** In no order. */
  all(collection: number): readonly ScoredElement[];
  /** No element is in two of them, and `from` is what it has. */
  apply(set: SortedSetState, changes: readonly ScoreChange[]): void;
}

/** What elements take of the environment's budget. */
export function sortedSetBudget({ elements, elementBytes }: Omit<SortedSetState, "collection">): number {
  return elementBytes * 2 + elements * elementOverheadBytes;
}

/** Their bytes, the other way round. */
export function elementBytesOf(budget: number, elements: number): number {
  return (budget - elements * elementOverheadBytes) / 2;
}

export function createSortedElements(db: DatabaseSync): SortedElements {
  const score = db.prepare("SELECT score FROM sorted_set_elements WHERE collection = ? AND element = ?");
  const all = db.prepare(
    "SELECT coalesce((SELECT value FROM large_set_elements WHERE id = large), element) AS element, score FROM sorted_set_elements WHERE collection = ?",
  );
  const insert = db.prepare("INSERT INTO sorted_set_elements (collection, element, score, large) VALUES (?, ?, ?, ?)");
  const addLarge = db.prepare("INSERT INTO large_set_elements (value) VALUES (?) RETURNING id");
  const update = db.prepare("UPDATE sorted_set_elements SET score = ? WHERE collection = ? AND element = ?");
  const drop = db.prepare("DELETE FROM sorted_set_elements WHERE collection = ? AND element = ?");
  const blocks = createSortedBlocks(db);

  function write(set: SortedSetState, { element, from, to }: ScoreChange): void {
    const { collection } = set;
    const key = keyOf(element);
    if (to === undefined) {
      drop.get(collection, key);
      set.elements--;
      set.elementBytes -= element.byteLength;
    } else if (from === undefined) {
      insert.get(collection, key, to, isOwnKey(element) ? null : (addLarge.get(element)?.id as number));
      set.elements++;
      set.elementBytes += element.byteLength;
    } else update.get(to, collection, key);
  }

  return {
    scoreOf: (collection, element) => score.get(collection, keyOf(element))?.score as number | undefined,
    all: (collection) => all.all(collection) as unknown as ScoredElement[],
    apply(set, changes) {
      const isBulk = blocks.isBulk(changes.length, set.elements);
      for (const change of changes) {
        write(set, change);
        if (isBulk) continue;
        const { element, from, to } = change;
        const place = (at: number | undefined) =>
          at === undefined ? undefined : { element: keyOf(element), score: at };
        blocks.adjust(set.collection, place(from), place(to), set.elements);
      }
      if (isBulk && changes.length > 0) blocks.rebuild(set.collection, set.elements);
    },
  };
}
