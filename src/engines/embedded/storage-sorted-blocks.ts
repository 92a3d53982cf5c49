import type { DatabaseSync } from "node:sqlite";
import type { ScoredElement } from "../../domain/cache/sorted-set-store.ts";

/** Past so many elements a block is split, so that a million have some 1,400 blocks: a rank looks at half of each, in 30 us. */
export const blockMaxElements = 1024;
/** Of a block that is made by a split: it has room for as many again. */
const blockElements = 512;
/** A block with fewer joins its neighbour. */
const blockMinElements = 128;
/** Counting all elements anew costs up to 100 ns each, following a change 5 us. */
const changesPerRebuild = 50;

/** Before every element: where the first block begins. */
export const firstPlace: ScoredElement = { score: -Infinity, element: new Uint8Array(0) };

/**
 * How many elements of a sorted set follow each other from one place of its order to the next, in the storage thread: without it
 * a rank would count all elements before it, 30 ms of a million. A set of up to {@link blockMaxElements} needs no block and has none until it was larger.
 */
export interface SortedBlocks {
  /** Of so many changes is it quicker to count all elements anew? */
  isBulk(changes: number, elements: number): boolean;
  /** An element has come, gone or moved; `elements` it has left. */
  adjust(collection: number, from: ScoredElement | undefined, to: ScoredElement | undefined, elements: number): void;
  /** Counts all elements anew. */
  rebuild(collection: number, elements: number): void;
}

interface Block extends ScoredElement {
  readonly elements: number;
}

export function createSortedBlocks(db: DatabaseSync): SortedBlocks {
  const select = "SELECT score, element, elements FROM sorted_set_blocks WHERE collection = ? AND (score, element)";
  const around = db.prepare(`${select} <= (?, ?) ORDER BY score DESC, element DESC LIMIT 1`);
  const before = db.prepare(`${select} < (?, ?) ORDER BY score DESC, element DESC LIMIT 1`);
  const behind = db.prepare(`${select} > (?, ?) ORDER BY score, element LIMIT 1`);
  const put = db.prepare(
    "INSERT OR REPLACE INTO sorted_set_blocks (collection, score, element, elements) VALUES (?, ?, ?, ?)",
  );
  const drop = db.prepare("DELETE FROM sorted_set_blocks WHERE collection = ? AND score = ? AND element = ?");
  const dropAll = db.prepare("DELETE FROM sorted_set_blocks WHERE collection = ?");
  const placeBehind = db.prepare(
    "SELECT score, element FROM sorted_set_elements INDEXED BY sorted_set_order WHERE collection = ? AND (score, element) >= (?, ?) ORDER BY score, element LIMIT 1 OFFSET ? + 0",
  );
  const find = (statement: typeof around, collection: number, { score, element }: ScoredElement) =>
    statement.get(collection, score, element) as Block | undefined;

  /** `elements` from a place on, as one block or as several. */
  function store(collection: number, start: ScoredElement, elements: number): void {
    let [from, left] = [start, elements];
    for (; left > blockMaxElements; left -= blockElements) {
      put.get(collection, from.score, from.element, blockElements);
      from = placeBehind.get(collection, from.score, from.element, blockElements) as unknown as ScoredElement;
    }
    put.get(collection, from.score, from.element, left);
  }

  function join(collection: number, block: Block): void {
    const next = find(behind, collection, block);
    const first = next === undefined ? find(before, collection, block) : block;
    const second = next ?? block;
    if (first === undefined) return;
    drop.get(collection, second.score, second.element);
    store(collection, first, first.elements + second.elements);
  }

  /** Back into the bounds. */
  function level(collection: number, place: ScoredElement): void {
    const block = find(around, collection, place) as Block;
    if (block.elements > blockMaxElements) store(collection, block, block.elements);
    else if (block.elements < blockMinElements) join(collection, block);
  }

  function rebuild(collection: number, elements: number): void {
    dropAll.get(collection);
    if (elements > blockMaxElements) store(collection, firstPlace, elements);
  }

  return {
    isBulk: (changes, elements) => changes * changesPerRebuild > elements,
    adjust(collection, from, to, elements) {
      const source = from && find(around, collection, from);
      const target = to && find(around, collection, to);
      if (source === undefined && target === undefined) {
        if (elements > blockMaxElements) rebuild(collection, elements);
        return;
      }
      if (source !== undefined && target !== undefined && isSamePlace(source, target)) return;
      if (source !== undefined) put.get(collection, source.score, source.element, source.elements - 1);
      if (target !== undefined) put.get(collection, target.score, target.element, target.elements + 1);
      // Only when all is counted, for a split looks at the elements themselves.
      if (from !== undefined && source !== undefined && source.elements <= blockMinElements) level(collection, from);
      if (to !== undefined && target !== undefined && target.elements >= blockMaxElements) level(collection, to);
    },
    rebuild,
  };
}

function isSamePlace(one: ScoredElement, other: ScoredElement): boolean {
  return one.score === other.score && Buffer.compare(one.element, other.element) === 0;
}
