import { Buffer } from "node:buffer";
import type {
  RankedElement,
  ScoreAggregate,
  ScoredElement,
  ScoreOrder,
  ScoreRange,
  SortedSetRange,
} from "./sorted-set-store.ts";

/** Each character of a name is one byte of the element. */
export function bytesOfName(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(name, "latin1"));
}

export function scored([name, score]: readonly [string, number]): ScoredElement {
  return { element: bytesOfName(name), score };
}

/** A sorted set as plain as can be, for the contract of stores: everything is sorted anew. */
export class SortedSetModel {
  readonly scores = new Map<string, number>();

  get length(): number {
    return this.scores.size;
  }

  /** Answers the score as it is kept. */
  put(name: string, score: number): number {
    this.scores.set(name, score === 0 ? 0 : score);
    return score === 0 ? 0 : score;
  }

  /** Ascending. */
  entries(): [string, number][] {
    const isBefore = ([a, x]: [string, number], [b, y]: [string, number]) => x < y || (x === y && a < b);
    return [...this.scores].sort((a, b) => (isBefore(a, b) ? -1 : 1));
  }

  /** Names at these places, which are parts of the length. */
  some(places: readonly number[]): string[] {
    const entries = this.entries();
    return places.map((place) => entries[Math.floor(Math.abs(place) * (entries.length - 1))]?.[0] ?? "nothing");
  }

  rank(name: string, order: ScoreOrder, areTiesShared: boolean): RankedElement | undefined {
    const score = this.scores.get(name);
    if (score === undefined) return undefined;
    const entries = this.#inOrder(this.entries(), order);
    const rank = entries.findIndex(([other, its]) => (areTiesShared ? its === score : other === name));
    return { rank, score };
  }

  within({ min, max }: ScoreRange): [string, number][] {
    return this.entries().filter(([, score]) => {
      const isAbove = min === undefined || (min.isExclusive ? score > min.score : score >= min.score);
      return isAbove && (max === undefined || (max.isExclusive ? score < max.score : score <= max.score));
    });
  }

  fetch(range: SortedSetRange, order: ScoreOrder): { entries: [string, number][]; firstRank: number | undefined } {
    const inOrder = this.#inOrder(this.entries(), order);
    const entries =
      range.by === "rank"
        ? inOrder.slice(range.start, range.end)
        : this.#inOrder(this.within(range), order).slice(range.offset, range.offset + (range.count ?? this.length));
    return { entries, firstRank: inOrder.findIndex(([name]) => name === entries[0]?.[0]) };
  }

  /** Takes in another one. */
  unite(other: SortedSetModel, weight: number, aggregate: ScoreAggregate): void {
    for (const [name, theirs] of other.scores) {
      const weighted = Number.isNaN(theirs * weight) ? 0 : theirs * weight;
      const ours = this.scores.get(name);
      if (ours === undefined) this.put(name, weighted);
      else if (aggregate === "sum") this.put(name, Number.isNaN(ours + weighted) ? 0 : ours + weighted);
      else this.put(name, aggregate === "min" ? Math.min(ours, weighted) : Math.max(ours, weighted));
    }
  }

  #inOrder<T>(entries: T[], order: ScoreOrder): T[] {
    return order === "ascending" ? entries : entries.reverse();
  }
}
