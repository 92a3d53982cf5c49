import type { Places } from "../../domain/cache/score-order.ts";

/** Past so many elements a chunk is split: adding one moves a quarter of them. */
const chunkMaxElements = 512;
/** A chunk with fewer joins its neighbour. */
const chunkMinElements = 64;

/** Elements that follow each other, as texts (byte-text.ts), which compare as the bytes do, and their scores. */
interface Chunk {
  readonly elements: string[];
  readonly scores: number[];
}

/** Elements of a sorted set in memory by score, then by their bytes: chunks of an array, so that a place is found by halving, and so is a rank. */
export class MemorySortedOrder {
  #chunks: Chunk[] = [];
  /** How many elements are before each chunk; undefined after a change. */
  #before: number[] | undefined;

  add(element: string, score: number): void {
    const index = Math.max(this.#chunkOf(score, element), 0);
    const chunk = this.#chunks[index];
    if (chunk === undefined) {
      // Arrays that begin with an element have room for one only, others for 17: many sorted sets have one.
      this.#chunks = [{ elements: [element], scores: [score] }];
      this.#before = undefined;
      return;
    }
    const at = placeIn(chunk, score, element);
    chunk.elements.splice(at, 0, element);
    chunk.scores.splice(at, 0, score);
    this.#before = undefined;
    if (chunk.elements.length > chunkMaxElements) this.#split(index);
  }

  /** One that is there. */
  delete(element: string, score: number): void {
    const index = this.#chunkOf(score, element);
    const chunk = this.#chunks[index] as Chunk;
    const at = placeIn(chunk, score, element);
    chunk.elements.splice(at, 1);
    chunk.scores.splice(at, 1);
    this.#before = undefined;
    if (chunk.elements.length < chunkMinElements) this.#join(index);
  }

  /** How many elements are before this place, which may be of no element. */
  countBefore(score: number, element: string): number {
    const index = this.#chunkOf(score, element);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return 0;
    return (this.#countsBefore()[index] as number) + placeIn(chunk, score, element);
  }

  /** The elements at these places, ascending. */
  at({ from, to }: Places): { readonly element: string; readonly score: number }[] {
    const found: { element: string; score: number }[] = [];
    const before = this.#countsBefore();
    for (
      let index = lastWhere(before.length, (n) => (before[n] as number) <= from);
      found.length < to - from;
      index++
    ) {
      const { elements, scores } = this.#chunks[index] as Chunk;
      const first = Math.max(from - (before[index] as number), 0);
      const end = Math.min(to - (before[index] as number), elements.length);
      for (let n = first; n < end; n++) found.push({ element: elements[n] as string, score: scores[n] as number });
    }
    return found;
  }

  /** The last chunk that begins at or before a place; -1: it is before all. */
  #chunkOf(score: number, element: string): number {
    return lastWhere(this.#chunks.length, (n) => {
      const { elements, scores } = this.#chunks[n] as Chunk;
      return !isBefore(score, element, scores[0] as number, elements[0] as string);
    });
  }

  #countsBefore(): number[] {
    let count = 0;
    this.#before ??= this.#chunks.map(({ elements }) => {
      count += elements.length;
      return count - elements.length;
    });
    return this.#before;
  }

  #split(index: number): void {
    const { elements, scores } = this.#chunks[index] as Chunk;
    const half = elements.length >> 1;
    this.#chunks.splice(index + 1, 0, { elements: elements.splice(half), scores: scores.splice(half) });
  }

  #join(index: number): void {
    const first = index + 1 < this.#chunks.length ? index : index - 1;
    const [one, other] = [this.#chunks[first], this.#chunks[first + 1]];
    if (one === undefined || other === undefined) return;
    for (const element of other.elements) one.elements.push(element);
    for (const score of other.scores) one.scores.push(score);
    this.#chunks.splice(first + 1, 1);
    if (one.elements.length > chunkMaxElements) this.#split(first);
  }
}

/** How many elements of a chunk are before a place. */
function placeIn({ elements, scores }: Chunk, score: number, element: string): number {
  return lastWhere(elements.length, (n) => isBefore(scores[n] as number, elements[n] as string, score, element)) + 1;
}

function isBefore(score: number, element: string, otherScore: number, otherElement: string): boolean {
  return score < otherScore || (score === otherScore && element < otherElement);
}

/** The last of `length` indexes for which something holds that holds for all those before it; -1: for none. */
function lastWhere(length: number, holds: (index: number) => boolean): number {
  let [low, high] = [-1, length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}
