import { hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { chooseIndexes } from "../../lib/choose-indexes.ts";
import { isOwnKey } from "./element-keys.ts";

/**
 * What a set's element is found by. Those that are too large for a key lie apart, and a hash of them is the key: a text, so that it equals no
 * element. It needs none of their bytes, as those of element-keys.ts have them: sets have no order.
 */
type SetElementKey = Uint8Array | string;

export function keyOf(element: Uint8Array): SetElementKey {
  return isOwnKey(element) ? element : hash("sha256", element, "base64url");
}

/** How both threads read the elements of `disk` sets. */
export interface SetElements {
  /** In the order of their bytes. */
  all(collection: number): Uint8Array[];
  has(collection: number, element: Uint8Array): boolean;
  /** Up to `count` of the `total` that there are, each as likely as the others: at most one pass of the primary key. */
  pick(collection: number, total: number, count: number): Uint8Array[];
}

type Row = readonly [key: SetElementKey, large: number | null];

export function createSetElements(db: DatabaseSync): SetElements {
  const select = "SELECT element, large FROM set_elements WHERE collection = ?";
  const all = db.prepare(`${select} ORDER BY element`);
  const has = db.prepare(`${select} AND element = ?`);
  const first = db.prepare(`${select} ORDER BY element LIMIT 1 OFFSET ? + 0`);
  const next = db.prepare(`${select} AND element > ? ORDER BY element LIMIT 1 OFFSET ? + 0`);
  const large = db.prepare("SELECT value FROM large_set_elements WHERE id = ?");
  // An object for each row and an iterator take three times as long.
  for (const statement of [all, first, next]) statement.setReturnArrays(true);

  const elementOf = ([key, id]: Row) => (id === null ? (key as Uint8Array) : (large.get(id)?.value as Uint8Array));
  const allOf = (collection: number) => all.all(collection).map((row) => elementOf(row as unknown as Row));

  /** Steps over what lies between: 30 ns each, and 2 us for each that is read. */
  function walk(collection: number, indexes: Uint32Array): Uint8Array[] {
    let [stood, last] = [-1, undefined as Row | undefined];
    return Array.from(indexes, (index) => {
      const row = last === undefined ? first.get(collection, index) : next.get(collection, last[0], index - stood - 1);
      [stood, last] = [index, row as unknown as Row];
      return elementOf(last);
    });
  }

  return {
    all: allOf,
    has: (collection, element) => has.get(collection, keyOf(element)) !== undefined,
    pick(collection, total, count) {
      const indexes = chooseIndexes(count, total);
      // Past a third of them the way is longer than to read all.
      if (count <= total / 3) return walk(collection, indexes);
      const elements = allOf(collection);
      return Array.from(indexes, (index) => elements[index] as Uint8Array);
    },
  };
}
