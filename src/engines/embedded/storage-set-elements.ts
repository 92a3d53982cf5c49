import type { DatabaseSync } from "node:sqlite";
import { chooseIndexes } from "../../lib/choose-indexes.ts";
import { createSetElements, keyOf } from "./set-elements.ts";
import { budgetOf } from "./storage-collection-rows.ts";
import type { Collections } from "./storage-collections.ts";
import type { ItemRow } from "./storage-item-rows.ts";

/** What SQLite keeps for an element beside its bytes: 10 for its key and its cell, and room that pages leave free. */
const elementOverheadBytes = 16;

/** What changes about a set's row while its elements do. */
export interface SetCounts {
  readonly collection: number;
  elements: number;
  /** Of its elements. */
  elementBytes: number;
}

/** The elements of sets in the storage thread. */
export interface SetWriter {
  /** Adds what is not there yet: 1.5 us each. */
  add(set: SetCounts, elements: readonly Uint8Array[]): void;
  drop(set: SetCounts, elements: readonly Uint8Array[]): void;
  /** A new set of what of `minuend` is not in the `other`. */
  remainder(minuend: readonly Uint8Array[], other: number): SetCounts;
  newSet(): SetCounts;
  /** Takes up to half of them away, at random. */
  pop(set: SetCounts, count: number): Uint8Array[];
  /** Chooses as many as are to be popped, at random, and makes a new set of the others. */
  popMost(set: SetCounts, count: number): { readonly popped: readonly Uint8Array[]; readonly left: SetCounts };
}

/** What elements take of the environment's budget. */
export function setBudget({ elements, elementBytes }: SetCounts): number {
  return elementBytes + elements * elementOverheadBytes;
}

export function countsOf(row: ItemRow, key: Uint8Array): SetCounts {
  const { elements, collection } = row;
  const elementBytes = budgetOf(row, key) - elements * elementOverheadBytes;
  return { collection: collection as number, elements, elementBytes };
}

export function createSetWriter(db: DatabaseSync, collections: Collections): SetWriter {
  const stored = createSetElements(db);
  const addKey = db.prepare("INSERT OR IGNORE INTO set_elements (collection, element, large) VALUES (?, ?, ?)");
  const addLarge = db.prepare("INSERT INTO large_set_elements (value) VALUES (?) RETURNING id");
  const dropOne = db.prepare("DELETE FROM set_elements WHERE collection = ? AND element = ?");
  const dropShared = db.prepare(
    "DELETE FROM set_elements WHERE collection = ? AND EXISTS (SELECT 1 FROM set_elements AS other WHERE other.collection = ? AND other.element = set_elements.element)",
  );
  const count = db.prepare(
    "SELECT count(*) AS elements, total(length(coalesce((SELECT value FROM large_set_elements WHERE id = large), element))) AS bytes FROM set_elements WHERE collection = ?",
  );
  const newSet = (): SetCounts => ({ collection: collections.nextNumber(), elements: 0, elementBytes: 0 });

  /** False: it is there already. */
  function addOne(collection: number, element: Uint8Array): boolean {
    const key = keyOf(element);
    if (key === element) return addKey.run(collection, key, null).changes === 1;
    if (stored.has(collection, element)) return false;
    addKey.get(collection, key, addLarge.get(element)?.id as number);
    return true;
  }

  function add(set: SetCounts, elements: readonly Uint8Array[]): void {
    for (const element of elements) {
      if (!addOne(set.collection, element)) continue;
      set.elements++;
      set.elementBytes += element.byteLength;
    }
  }

  function drop(set: SetCounts, elements: readonly Uint8Array[]): void {
    for (const element of elements) {
      if (dropOne.run(set.collection, keyOf(element)).changes === 0) continue;
      set.elements--;
      set.elementBytes -= element.byteLength;
    }
  }

  return {
    add,
    drop,
    newSet,
    remainder(minuend, other) {
      const { collection } = newSet();
      for (const element of minuend) addOne(collection, element);
      dropShared.get(collection, other);
      const { elements, bytes } = count.get(collection) as { elements: number; bytes: number };
      return { collection, elements, elementBytes: bytes };
    },
    pop(set, wanted) {
      const popped = stored.pick(set.collection, set.elements, wanted);
      drop(set, popped);
      return popped;
    },
    popMost({ collection }, wanted) {
      const all = stored.all(collection);
      const popped = Array.from(chooseIndexes(wanted, all.length), (index) => all[index] as Uint8Array);
      const isPopped = new Set(popped);
      const left = newSet();
      const rest = all.filter((element) => !isPopped.has(element));
      collections.adding(() => add(left, rest));
      return { popped, left };
    },
  };
}
